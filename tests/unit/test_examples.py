"""examples/*.yaml: each is valid over what its first lines say, and plans what they name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dataset_writers import write_folder

from anonbench.ops.make_csv import read_names

Run = Callable[..., Any]
ROOT = Path(__file__).parents[2]
OVERLAYS = {"my.yaml": ("", "config/cpu.yaml", "config/paper.yaml"), "release.yaml": ("",)}


def test_every_example_is_tried() -> None:
    assert {path.name for path in (ROOT / "examples").glob("*.yaml")} == set(OVERLAYS)


@pytest.mark.parametrize(("name", "below"), [(name, below) for name, several in OVERLAYS.items() for below in several])
def test_it_can_be_used(name: str, below: str, run_command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    outcome = run_command("check-config", *filter(None, [below, f"examples/{name}"]))
    assert outcome.status == 0, outcome.errors


def test_it_says_how_it_is_run() -> None:
    for name, several in OVERLAYS.items():
        text = (ROOT / "examples" / name).read_text()
        for below in several:
            assert f"{below} examples/{name}".strip() in text or f"{below} in its place" in text
        (pattern,) = re.findall("--pattern '(.*)'", text) or [None]
        if pattern:
            assert set(re.compile(pattern).groupindex) == {"pid", "camid"}


def test_the_pattern_reads_such_names(tmp_path: Path) -> None:
    (tmp_path / "0007_c2_31.jpg").touch()
    (pattern,) = re.findall("--pattern '(.*)'", (ROOT / "examples/my.yaml").read_text())
    (image,) = read_names(tmp_path, re.compile(pattern)).images
    assert (image.pid, image.camid) == (7, 2)


def test_both_plan_what_they_name(tmp_path: Path) -> None:
    """One dry run for both: each adds something else."""
    write_folder(tmp_path / "data/raw/mine")
    (tmp_path / "config").symlink_to(ROOT / "config")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", tmp_path, "-n", "--cores",
         "2", "all", "results/images/mine/release", "--configfile", ROOT / "config/cpu.yaml", ROOT / "examples/my.yaml",
         ROOT / "examples/release.yaml"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    plan = done.stdout + done.stderr
    assert done.returncode == 0, plan[-3000:]
    for target in (
        "results/images/mine/release",
        "results/tables/mine.csv",
        "results/models/mine/bot/blur/seed1/model.pt",
    ):
        assert target in plan
    assert "rendered" not in "\n".join(re.findall(r"^    output: .*$", plan, re.MULTILINE)), "nothing else is made"
