"""What the faults happen to: small datasets, commands in processes of their own, disks that are small or read-only."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from dataset_writers import write_image

from anonbench.stages.index import index


@dataclass(frozen=True)
class CommandLine:
    """Runs `anonbench` in processes of their own. plugins: a folder with modules that they can import."""

    plugins: Path
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(self.plugins), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "anonbench.cli", *map(str, arguments)], env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.running.append(process)
        return process

    def run(self, *arguments: object) -> tuple[int, str]:
        """Exit status and what was printed."""
        process = self.start(*arguments)
        text = process.communicate(timeout=120)[0]
        return process.returncode, text


@pytest.fixture
def command(tmp_path: Path) -> Iterator[CommandLine]:
    (tmp_path / "plugins").mkdir()
    line = CommandLine(tmp_path / "plugins")
    yield line
    for process in line.running:
        if process.poll() is None:
            process.kill()
        process.wait()


@dataclass(frozen=True)
class Indexed:
    """A dataset of tiny images in the `folder` format, and its index."""

    root: Path
    manifest: Path
    sidecars: Path
    detections: Path


@pytest.fixture
def make_indexed(tmp_path: Path) -> Callable[..., Indexed]:
    """Writes and indexes a dataset; `detections` is where its boxes are to be written."""

    def make(count: int, width: int = 24, height: int = 48) -> Indexed:
        root, lists = tmp_path / "raw", tmp_path / "lists"
        splits = ("train", "query", "gallery")
        for n in range(count):
            write_image(root / f"{n:04d}.png", n, width, height)
        rows = [f"{n:04d}.png,{1 + n % 2 if n % 3 == 0 else 3},{n % 2},{splits[n % 3]}" for n in range(count)]
        (root / "images.csv").write_text("\n".join(["path,pid,camid,split", *rows]) + "\n")
        dataset = Indexed(root, lists / "original.csv", lists / "sidecars.csv", lists / "detections.csv")
        entry = {"format": "folder", "root": str(root)}
        index(root, entry, dataset.manifest, lists / "dropped.csv", dataset.sidecars, lists / "splits.csv")
        return dataset

    return make


REPOSITORY = Path(__file__).parents[2]
COPIED = ("Snakefile", "anonbench", "benchmarks", "config", "envs", "workflow")


@dataclass(frozen=True)
class Workplace:
    """A copy of the workflow. overlay: laid over config/test.yaml; its folder is on PYTHONPATH."""

    root: Path
    overlay: str

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", *words, "--configfile", "config/test.yaml", self.overlay]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.root), "OMP_NUM_THREADS": "1"}

    def run(self, *words: str) -> tuple[int, str]:
        """Exit status and output of a Python module with these arguments and the configuration."""
        done = subprocess.run(
            self.command(*words), cwd=self.root, env=self.environment(), text=True, check=False, timeout=300,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.returncode, done.stdout

    def snakemake(self, *words: str) -> tuple[int, str]:
        return self.run("snakemake", "--cores", "1", *words)

    def start_snakemake(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command("snakemake", "--cores", "1", *words), cwd=self.root, env=self.environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def planned(self, *words: str) -> list[str]:
        """The rules of the jobs that a dry run would start."""
        status, text = self.snakemake("--dry-run", *words)
        assert status == 0, text
        found = re.findall(r"^(?:local)?rule (\w+):", text, flags=re.MULTILINE)
        assert found or "Nothing to be done" in text
        return found


@pytest.fixture(scope="module")
def copy_workflow() -> Callable[[Path, str], Workplace]:
    """Copies the workflow into a folder, with an overlay for config/test.yaml."""

    def copy(folder: Path, overlay: str) -> Workplace:
        folder.mkdir()
        for name in COPIED:
            source = REPOSITORY / name
            if source.is_dir():
                shutil.copytree(source, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, folder / name)
        (folder / "profiles").symlink_to("workflow/profiles")
        (folder / "overlay.yaml").write_text(overlay)
        return Workplace(folder, "overlay.yaml")

    return copy


def _mount(*arguments: object) -> None:
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs the right to mount: {done.stderr.strip()}")


@pytest.fixture
def mounted() -> Iterator[contextlib.ExitStack]:
    """Unmounts, at the end of the test, what was mounted in it."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs the right to mount: run as root on Linux")
    with contextlib.ExitStack() as stack:
        yield stack


@dataclass(frozen=True)
class Disk:
    """A disk of its own with a few megabytes."""

    folder: Path

    def grow(self, megabytes: float) -> None:
        _mount("-o", f"remount,size={round(megabytes * 1024)}k", self.folder)

    def fill(self) -> None:
        """Leave not one byte of room."""
        with contextlib.suppress(OSError), (self.folder / "of somebody else").open("wb", buffering=0) as stream:
            while True:
                stream.write(bytes(4096))

    def free(self) -> None:
        (self.folder / "of somebody else").unlink()

    def files(self) -> list[str]:
        return sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("*") if p.is_file())


@pytest.fixture
def small_disk(tmp_path: Path, mounted: contextlib.ExitStack) -> Callable[[float], Disk]:
    """Mounts a disk with some megabytes."""

    def mount(megabytes: float) -> Disk:
        folder = tmp_path / "disk"
        folder.mkdir()
        _mount("-t", "tmpfs", "-o", f"size={round(megabytes * 1024)}k", "tmpfs", folder)
        mounted.callback(subprocess.run, ["umount", folder], check=True)
        return Disk(folder)

    return mount


@pytest.fixture
def read_only(mounted: contextlib.ExitStack) -> Callable[[Path], None]:
    """Makes a folder one that nobody can write to, root included."""

    def mount(folder: Path) -> None:
        _mount("--bind", folder, folder)
        mounted.callback(subprocess.run, ["umount", folder], check=True)
        _mount("-o", "remount,bind,ro", folder)

    return mount
