"""One function over many items in several processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from anonbench.core.errors import AnonbenchError, DataError
from anonbench.core.parallel import THREAD_SETTINGS, parallel_map

CHUNK = 2


def opened(log: str, factor: int) -> Callable[[int], int]:
    with Path(log).open("a") as stream:
        stream.write(f"{os.getpid()}\n")
    return lambda item: item * factor


def threads() -> Callable[[int], tuple[int, str]]:
    return lambda _: (os.getpid(), os.environ["OMP_NUM_THREADS"])


def refusing_three() -> Callable[[int], int]:
    def refuse(item: int) -> int:
        if item == 3:
            raise DataError("item 3 is no good. Mend it.")
        return item

    return refuse


def refusing_to_open() -> Callable[[int], int]:
    raise DataError("annotations.csv: missing. Put it there.")


def dying() -> Callable[[int], int]:
    return lambda _: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[func-returns-value]


def sleeping(ready: str) -> Callable[[int], None]:
    Path(ready, f"{os.getpid()}").touch()
    return lambda _: time.sleep(0.2)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items(workers: int, tmp_path: Path) -> None:
    log = tmp_path / "log"
    items = list(range(9))
    assert parallel_map(opened, (str(log), 3), items, workers, "test", CHUNK) == [3 * i for i in items]
    started = log.read_text().split()
    assert len(started) == len(set(started)) <= workers, "each process is prepared once"
    assert (str(os.getpid()) in started) == (workers == 1)


@pytest.mark.parametrize("workers", [1, 8])
def test_no_items(workers: int, tmp_path: Path) -> None:
    assert parallel_map(opened, (str(tmp_path / "log"), 3), [], workers, "test") == []


def test_no_more_processes_than_there_is_work_for(tmp_path: Path) -> None:
    parallel_map(opened, (str(tmp_path / "log"), 1), [1, 2, 3], 64, "test", chunk=CHUNK)
    assert (tmp_path / "log").read_text().split() == [str(os.getpid())]


def test_children_have_one_thread_and_the_parent_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    found = parallel_map(threads, (), list(range(6)), 2, "test", CHUNK)
    assert {number for _, number in found} == {"1"}
    assert os.getpid() not in {pid for pid, _ in found}
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ
    assert "OMP_NUM_THREADS" in THREAD_SETTINGS


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_the_function_arrives_as_it_is(workers: int) -> None:
    with pytest.raises(DataError, match=r"^item 3 is no good\. Mend it\.$"):
        parallel_map(refusing_three, (), list(range(8)), workers, "test", CHUNK)


@pytest.mark.parametrize("workers", [1, 2])
def test_so_does_an_error_of_what_prepares_it(workers: int) -> None:
    with pytest.raises(DataError, match=r"^annotations\.csv: missing\. Put it there\.$"):
        parallel_map(refusing_to_open, (), list(range(8)), workers, "test", CHUNK)


def test_a_killed_worker_is_reported_with_what_to_do() -> None:
    with pytest.raises(
        AnonbenchError, match=r"detect: a worker process ended unexpectedly .*Try again with fewer cores"
    ):
        parallel_map(dying, (), list(range(8)), 2, "detect", CHUNK)


def test_ctrl_c_ends_all_processes_without_a_word_of_the_workers(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    ready.mkdir()
    (tmp_path / "program.py").write_text(
        "from test_parallel import sleeping\n"
        "from anonbench.core.parallel import parallel_map\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        f"        parallel_map(sleeping, ({str(ready)!r},), list(range(600)), 2, 'test', 100)\n"
        "    except KeyboardInterrupt:\n"
        "        print('stopped')\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py")], env=environment, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        while len(list(ready.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        # The item at work takes 0.2 s; the chunks that were handed out would take a minute.
        output, errors = process.communicate(timeout=20)
    assert output.strip() == "stopped"
    assert "Traceback" not in errors


@pytest.mark.parametrize("workers", [1, 2])
def test_each_result_is_handed_on_as_soon_as_it_is_there(workers: int) -> None:
    received: list[tuple[int, int]] = []

    def receive(item: int, result: int) -> None:
        received.append((item, result))

    with pytest.raises(DataError, match="item 3 is no good"):
        parallel_map(refusing_three, (), list(range(8)), workers, "test", 1, receive)
    assert received == [(0, 0), (1, 1), (2, 2)]


POOL = """
from test_parallel import sleeping
from anonbench.core.parallel import parallel_map
if __name__ == "__main__":
    parallel_map(sleeping, ({ready!r},), list(range(600)), 2, "test", 32)
"""
RENDER = """
from pathlib import Path
from anonbench.stages.render import render
if __name__ == "__main__":
    render({{"layout": "market1501", "train_identities": 200, "test_identities": 200}}, Path({ready!r}, "drawn"), 2)
"""


@pytest.mark.parametrize(
    ("program", "at_work", "number"),
    [
        (POOL, "[0-9]*", signal.SIGKILL),
        (POOL, "[0-9]*", signal.SIGTERM),
        (RENDER, ".drawn.*/*/*.jpg", signal.SIGKILL),
    ],
)
def test_no_worker_outlives_a_killed_parent(program: str, at_work: str, number: int, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(program.format(ready=str(tmp_path)))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    command = [sys.executable, str(tmp_path / "program.py")]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob(at_work))) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        workers = workers_of(process.pid)
        process.send_signal(number)
        process.wait(timeout=20)
    deadline = time.monotonic() + 20
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(workers) == 2
    assert not any(map(is_running, workers))


def workers_of(parent: int) -> list[int]:
    """The processes of a pool: children that were started by `multiprocessing.spawn`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            status = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            if int(status[1]) == parent and b"spawn_main" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
