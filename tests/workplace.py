"""A copy of the repository's files in which tests run the workflow.

The copy's package is the one that runs: PYTHONPATH comes before the editable installation.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True)
class Run:
    """The end of a Snakemake run; text: stdout and stderr together."""

    status: int
    text: str


@dataclass(frozen=True)
class Workplace:
    """A copy of the repository's files in which the workflow runs."""

    root: Path

    def environment(self, *folders: Path) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (self.root, *folders)))}

    def snakemake(self, *arguments: str, config: str = "config/test.yaml", overlay: Path | None = None,
                  pythonpath: tuple[Path, ...] = ()) -> Run:  # fmt: skip
        files = [config, *([str(overlay)] if overlay else [])]
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--configfile", *files],
            cwd=self.root, env=self.environment(*pythonpath), capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
        return Run(done.returncode, done.stdout + done.stderr)

    def plan(self, *arguments: str, **settings: object) -> set[str]:
        """The first output of every job that a dry run would start."""
        return planned(self.snakemake("--dry-run", *arguments, **settings))  # type: ignore[arg-type]

    @contextlib.contextmanager
    def edited(self, file: str, change: str) -> Iterator[None]:
        """The text `change` at the end of a file, for a while."""
        path = self.root / file
        before = path.read_text(encoding="utf-8")
        path.write_text(before + change, encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(before, encoding="utf-8")


def planned(dry_run: Run) -> set[str]:
    """The first output of every job that a dry run lists."""
    assert dry_run.status == 0, dry_run.text
    return set(re.findall(r"^ +output: ([^,\n]+)", dry_run.text, flags=re.MULTILINE))


def copy_files(root: Path) -> None:
    """Make `root` the repository as a clone would hold it: nothing that git ignores."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, names.split("\0")):
        if (REPOSITORY / name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, root / name, follow_symlinks=False)


@contextlib.contextmanager
def copy_of_repository(folder: Path) -> Iterator[Workplace]:
    """The repository below `folder`, removed at the end."""
    root = folder / "anonbench"
    copy_files(root)
    yield Workplace(root)
    shutil.rmtree(root)  # 0.7 GB of networks
