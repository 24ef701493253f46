"""How much memory is left for this process: on its machine, in its container, in its SLURM job."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path("/")


def available_memory(root: Path = ROOT, environment: Mapping[str, str] = os.environ) -> int:
    """Bytes that can still be taken before the machine, the control group or SLURM objects: the least of them.

    root: of the file system, for tests.
    """
    return max(0, min([_left_on_machine(root), *_left_in_groups(root), *_left_in_slurm(root, environment)]))


def granted_memory(root: Path = ROOT, environment: Mapping[str, str] = os.environ) -> int:
    """Bytes that the machine, the control groups and SLURM grant in all, taken or not: the least of them."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    bounds = [_number(folder / limit) for folder, (limit, *_) in _groups(root)]
    return min(bound for bound in (total, _slurm_bytes(environment), *bounds) if bound)


def _left_on_machine(root: Path) -> int:
    """The kernel's estimate of what programs can have without swapping; all memory where there is none."""
    with contextlib.suppress(OSError):
        found = re.search(r"^MemAvailable:\s+(\d+) kB", (root / "proc/meminfo").read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _left_in_groups(root: Path) -> Iterator[int]:
    """What is left in each control group with a limit.

    Pages of files that are not in use can be dropped, and do not count as taken.
    """
    for folder, (limit, usage, droppable) in _groups(root):
        bound, used = _number(folder / limit), _number(folder / usage)
        if bound is None or used is None:
            continue
        with contextlib.suppress(OSError):
            found = re.search(rf"^{droppable} (\d+)", (folder / "memory.stat").read_text(), re.MULTILINE)
            yield bound - used + (int(found[1]) if found else 0)


def _groups(root: Path) -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """The control groups that this process is in, version 2 or 1: folder; names of limit, usage and droppable pages."""
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if not controllers:
                names = ("memory.max", "memory.current", "inactive_file")
                mounts = [root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified"]
            elif "memory" in controllers.split(","):
                names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
                mounts = [root / "sys/fs/cgroup/memory"]
            else:
                continue
            # A container may see its own group as the mount's root while another path is reported.
            paths = [mount / group.strip("/") for mount in mounts]
            folders = {folder for path, mount in zip(paths, mounts, strict=True) for folder in _upwards(path, mount)}
            yield from ((folder, names) for folder in folders)


def _upwards(folder: Path, top: Path) -> list[Path]:
    """A folder and those above it, up to and including `top`."""
    return [folder, *(parent for parent in folder.parents if parent.is_relative_to(top))]


def _number(file: Path) -> int | None:
    """What a file of a control group says; None where there is none (the root group has no limit) or no number."""
    with contextlib.suppress(OSError, ValueError):
        return int(file.read_text())
    return None


def _left_in_slurm(root: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """What SLURM grants the job on this node, less what this process has taken."""
    granted = _slurm_bytes(environment)
    with contextlib.suppress(OSError):
        pages = int((root / "proc/self/statm").read_text().split()[1])  # resident
        if granted:
            yield granted - pages * os.sysconf("SC_PAGE_SIZE")


def _slurm_bytes(environment: Mapping[str, str]) -> int | None:
    """What SLURM grants the job on this node; None outside of one, or where everything (0) is granted."""
    with contextlib.suppress(KeyError, ValueError):
        if "SLURM_MEM_PER_NODE" in environment:
            return int(environment["SLURM_MEM_PER_NODE"]) * 2**20 or None
        return int(environment["SLURM_MEM_PER_CPU"]) * int(environment["SLURM_CPUS_ON_NODE"]) * 2**20 or None
    return None
