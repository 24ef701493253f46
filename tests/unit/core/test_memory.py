"""How much memory is left: the least of what machine, control groups and SLURM grant."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from anonbench.core.memory import available_memory, granted_memory

GB = 10**9
PAGE = os.sysconf("SC_PAGE_SIZE")
NOWHERE: Mapping[str, str] = {}


def write(root: Path, files: dict[str, str | int]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with 8 GB left, whose processes are in no group."""
    meminfo = "MemTotal: 16000000 kB\nMemFree: 1 kB\nMemAvailable:    7812500 kB"
    write(tmp_path, {"proc/meminfo": meminfo, "proc/self/statm": f"99999 {10**9 // PAGE} 1 1 0 1 0"})
    return tmp_path


def test_a_machine_without_limits(root: Path) -> None:
    assert available_memory(root, NOWHERE) == 8 * GB


def test_a_machine_without_proc(tmp_path: Path) -> None:
    assert available_memory(tmp_path, NOWHERE) == PAGE * os.sysconf("SC_PHYS_PAGES")


def test_control_groups_of_version_2(root: Path) -> None:
    group = "sys/fs/cgroup/system.slice/job.scope"
    write(
        root,
        {
            "proc/self/cgroup": "0::/system.slice/job.scope",
            f"{group}/memory.max": 5 * GB,
            f"{group}/memory.current": 3 * GB,
            f"{group}/memory.stat": f"anon 1\nactive_file 7\ninactive_file {GB}",
            "sys/fs/cgroup/system.slice/memory.max": "max",
            "sys/fs/cgroup/system.slice/memory.current": 6 * GB,
            "sys/fs/cgroup/system.slice/memory.stat": "inactive_file 0",
        },
    )
    assert available_memory(root, NOWHERE) == 3 * GB  # 5 - 3, and 1 that can be dropped
    write(root, {"sys/fs/cgroup/system.slice/memory.max": 7 * GB})
    assert available_memory(root, NOWHERE) == 1 * GB


def test_a_container_that_sees_its_own_group_as_the_root(root: Path) -> None:
    write(
        root,
        {
            "proc/self/cgroup": "0::/kubepods/pod-17/container",
            "sys/fs/cgroup/memory.max": 4 * GB,
            "sys/fs/cgroup/memory.current": GB,
            "sys/fs/cgroup/memory.stat": "inactive_file 0",
        },
    )
    assert available_memory(root, NOWHERE) == 3 * GB


def test_control_groups_of_version_1(root: Path) -> None:
    group = "sys/fs/cgroup/memory/slurm/uid_1000/job_17"
    write(
        root,
        {
            "proc/self/cgroup": "12:cpu,cpuacct:/slurm\n4:memory:/slurm/uid_1000/job_17\n0::/x",
            f"{group}/memory.limit_in_bytes": 2 * GB,
            f"{group}/memory.usage_in_bytes": GB,
            f"{group}/memory.stat": f"cache 5\ntotal_inactive_file {GB // 2}",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": 2**63 - PAGE,  # no limit
            "sys/fs/cgroup/memory/memory.usage_in_bytes": GB,
            "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 0",
        },
    )
    assert available_memory(root, NOWHERE) == 3 * GB // 2


@pytest.mark.parametrize(
    ("environment", "granted_mb"),
    [
        ({"SLURM_MEM_PER_NODE": "3000"}, 3000),
        ({"SLURM_MEM_PER_CPU": "1000", "SLURM_CPUS_ON_NODE": "4"}, 4000),
    ],
)
def test_what_slurm_grants_less_what_is_taken(environment: dict[str, str], granted_mb: int, root: Path) -> None:
    taken = GB // PAGE * PAGE
    assert available_memory(root, environment) == granted_mb * 2**20 - taken


@pytest.mark.parametrize("environment", [{"SLURM_MEM_PER_NODE": "0"}, {"SLURM_MEM_PER_CPU": "1000"}, {}])
def test_slurm_without_a_limit(environment: dict[str, str], root: Path) -> None:
    assert available_memory(root, environment) == 8 * GB


def test_nothing_left_is_not_less_than_nothing(root: Path) -> None:
    assert available_memory(root, {"SLURM_MEM_PER_NODE": "10"}) == 0


def test_what_is_granted_in_all_is_the_least_bound(root: Path) -> None:
    machine = PAGE * os.sysconf("SC_PHYS_PAGES")
    assert granted_memory(root, NOWHERE) == machine
    assert granted_memory(root, {"SLURM_MEM_PER_NODE": "1000"}) == 1000 * 2**20
    assert granted_memory(root, {"SLURM_MEM_PER_NODE": "0"}) == machine
    write(root, {"proc/self/cgroup": "0::/job", "sys/fs/cgroup/memory.max": "max", "sys/fs/cgroup/job/memory.max": GB})
    assert granted_memory(root, NOWHERE) == GB
    assert granted_memory(root, {"SLURM_MEM_PER_CPU": "100", "SLURM_CPUS_ON_NODE": "2"}) == 200 * 2**20


def test_here() -> None:
    assert granted_memory() >= available_memory()
    assert 0 < available_memory() <= PAGE * os.sysconf("SC_PHYS_PAGES")
