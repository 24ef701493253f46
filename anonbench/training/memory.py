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


def _left_on_machine(root: Path) -> int:
    """The kernel's estimate of what programs can have without swapping; all memory where there is none."""
    with contextlib.suppress(OSError):
        found = re.search(r"^MemAvailable:\s+(\d+) kB", (root / "proc/meminfo").read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _left_in_groups(root: Path) -> Iterator[int]:
    """What is left in each control group with a limit that this process is in, version 2 or 1.

    Pages of files that are not in use can be dropped, and do not count as taken.
    """
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
            # A container may see its own group as the mount's root while it is told another path.
            paths = [mount / group.strip("/") for mount in mounts]
            folders = {folder for path, mount in zip(paths, mounts, strict=True) for folder in _upwards(path, mount)}
            for folder in folders:
                yield from _left_in_group(folder, *names)


def _upwards(folder: Path, top: Path) -> list[Path]:
    """A folder and those above it, up to and including `top`."""
    return [folder, *(parent for parent in folder.parents if parent.is_relative_to(top))]


def _left_in_group(folder: Path, limit: str, usage: str, droppable: str) -> Iterator[int]:
    with contextlib.suppress(OSError, ValueError):  # the root group has no limit; `max` is none
        bound, used = (int((folder / name).read_text()) for name in (limit, usage))
        found = re.search(rf"^{droppable} (\d+)", (folder / "memory.stat").read_text(), re.MULTILINE)
        yield bound - used + (int(found[1]) if found else 0)


def _left_in_slurm(root: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """What SLURM grants the job on this node (in MB; 0: everything), less what this process has taken."""
    with contextlib.suppress(KeyError, ValueError, OSError):
        if "SLURM_MEM_PER_NODE" in environment:
            granted = int(environment["SLURM_MEM_PER_NODE"])
        else:
            granted = int(environment["SLURM_MEM_PER_CPU"]) * int(environment["SLURM_CPUS_ON_NODE"])
        pages = int((root / "proc/self/statm").read_text().split()[1])  # resident
        if granted:
            yield granted * 2**20 - pages * os.sysconf("SC_PAGE_SIZE")
