"""One SLURM for all tests here, a local run to compare with, and a transcript of every job at the end."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_folder import Folder, Run
from cluster_trials import METRICS, RESULT, TRIALS, overlay
from slurm_sandbox import Sandbox, missing_programs
from workplace import REPOSITORY

TRANSCRIPT = REPOSITORY / "logs/test-cluster.txt"
told: list[str] = []


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """These tests take minutes: they run when they are asked for (`make test-cluster`)."""
    asked = any("cluster" in Path(argument.split("::")[0]).parts for argument in config.args)
    return None if asked else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = None
    if missing := missing_programs():
        reason = f"no SLURM here: {', '.join(missing)} not found (Debian: apt-get install slurm-wlm munge)"
    elif importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        reason = "snakemake-executor-plugin-slurm is not installed (pip install -r requirements.txt)"
    if reason:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if told:
        TRANSCRIPT.parent.mkdir(exist_ok=True)
        TRANSCRIPT.write_text("\n".join(told) + "\n", encoding="utf-8")
        terminalreporter.section(f"SLURM's account ({TRANSCRIPT.relative_to(REPOSITORY)})")
        terminalreporter.write_line("\n".join(told))


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    # Not pytest's own folder: its path is too long for a socket's.
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    try:
        with Sandbox(folder) as running:
            yield running
            told.append("every job of the tests, as `scontrol show job` tells of it\n" + running.transcript())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def tell() -> list[str]:
    """What is to stand in the transcript."""
    return told


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("cluster")
    yield path
    shutil.rmtree(path)  # gigabytes of networks


@pytest.fixture(scope="session")
def local(folders: Path, sandbox: Sandbox) -> Iterator[Folder]:
    """A copy in which config/test.yaml has been run on this machine, without SLURM."""
    folder = Folder.copy(folders / "local", sandbox)
    run = folder.start("--cores", "2", "--configfile", "config/test.yaml", profile=None)
    try:
        assert run.end() == 0, run.text()[-4000:]
        yield folder
    finally:
        folder.end_all()


@pytest.fixture(scope="session")
def trials(local: Folder) -> Run:
    """Jobs that die or wait, through the SLURM profile, on data that is there. It takes two minutes, of which most are
    waiting: it goes on beside the pipeline's tests."""
    shutil.copyfile(Path(__file__).parent / "trial_network.py", local.root / "trial_network.py")
    (local.root / "config/trials.yaml").write_text(overlay())
    run = local.start(
        "--configfile", "config/test.yaml", "config/trials.yaml",
        "--set-resources",
        "train:mem_mb=1400 * attempt if wildcards.model == 'hungry' else 2500",
        "train:runtime=1 if wildcards.model == 'patient' and attempt == 1 else 10",
        "train:gpu=int(wildcards.model in ('gpu_a', 'gpu_b'))",
        "train:gres='gpu:1' if wildcards.model == 'gpu_c' else ''",  # the other way to ask (docs/cluster.md)
        "--", *(RESULT.format(name) for name in TRIALS if name not in ("broken", "plain")),
        METRICS.format("broken"), METRICS.format("plain"),
    )  # fmt: skip
    return run


@pytest.fixture(scope="session")
def ended_trials(trials: Run) -> Run:
    trials.end()
    return trials
