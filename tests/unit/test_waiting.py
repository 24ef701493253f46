"""`benchmarks/waiting.py` on a repository of one Makefile: what it runs, and what it measures."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from benchmarks import waiting

# `setup` must not run. The target holds 200 MB and keeps a core busy for .3 s, in a process of its own.
MAKEFILE = """\
BIN := .venv/bin
demo: setup
\t$(BIN)/python -c "import time; b = bytearray(200_000_000); e = time.process_time() + .3; exec('while time.process_time() < e: pass'); time.sleep(1); print($(CORES), __import__('os').environ['PYTHONPATH'])"
setup:
\tfalse
.PHONY: demo setup
"""  # noqa: E501


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "Makefile").write_text(MAKEFILE)
    who = {f"GIT_{a}_{b}": "trial@example.org" for a in ("AUTHOR", "COMMITTER") for b in ("NAME", "EMAIL")}
    for command in (["init", "--quiet"], ["add", "Makefile"], ["commit", "--quiet", "--message", "One"]):
        subprocess.run(["git", *command], cwd=folder, check=True, env=os.environ | who)
    monkeypatch.setattr(waiting, "REPOSITORY", folder)
    return folder


def test_a_target_runs_in_a_clone_without_installation_and_is_measured(repository: Path, tmp_path: Path) -> None:
    found = waiting.run("demo", "HEAD", tmp_path / "clone", cores=3)
    log = (tmp_path / "clone.log").read_text()
    assert found.status == 0, log
    assert log.endswith(f"3 {tmp_path / 'clone'}\n")
    assert found.seconds > 1
    assert 0.3 <= found.cpu_seconds < 10
    assert found.memory_mb > 200
    assert not (repository / "clone").exists()


def test_the_table_compares_with_the_first_run_of_a_target() -> None:
    runs = [waiting.Waiting("demo", name, seconds, 2 * seconds, 6e3, 1, 0) for name, seconds in (("a", 100), ("b", 55))]
    rows = waiting.describe(runs, cores=2).splitlines()[-2:]
    assert rows[0].startswith("| demo | a | 100 | 1.00x | 200 | 1.00x | 6.0 |")
    assert rows[1].startswith("| demo | b | 55 | 0.55x | 110 | 0.55x | 6.0 |")
