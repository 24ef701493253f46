"""Starting the ranks of a training, and how they end: together, however one of them or their parent does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from anonbench.core import progress
from anonbench.core.errors import AnonbenchError, TrainingError
from anonbench.training.launch import BUG, USER_ERROR, _cause, _heeded, launch

PATIENCE = 60  # seconds, on a busy machine


@pytest.fixture(autouse=True)
def _ranks_find_this_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def leave_pid(folder: Path) -> int:
    """Write this rank's process number; returns its rank."""
    rank = int(os.environ["RANK"])
    (folder / f".{rank}").write_text(str(os.getpid()))
    (folder / f".{rank}").rename(folder / str(rank))
    return rank


def pids(folder: Path) -> list[int]:
    return [int((folder / str(rank)).read_text()) for rank in range(2) if (folder / str(rank)).exists()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def tell(folder: Path) -> None:
    rank = leave_pid(folder)
    found = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "WORLD_SIZE", "LOCAL_RANK")}
    (folder / f"{rank}.json").write_text(json.dumps(found))
    progress.report_progress(3, 12, "epochs")
    progress.report_progress(12, 12, "epochs")


def die(folder: Path) -> None:
    from anonbench.training.distributed import joined

    with joined("cpu") as ranks:
        if leave_pid(folder) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        ranks.wait()


def sleep(folder: Path) -> None:
    leave_pid(folder)
    try:
        time.sleep(10 * PATIENCE)
    finally:
        (folder / f"tidied by {os.environ['RANK']}").touch()


def test_what_ranks_are_told_and_what_they_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[int, int, str]] = []
    monkeypatch.setattr(progress, "_listener", lambda *what: heard.append(what))
    environment, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
    launch(tell, {"folder": tmp_path}, ranks=2, threads=7)
    for rank in range(2):
        expected = {"OMP_NUM_THREADS": "3", "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == expected
    assert heard == [(3, 12, "epochs"), (12, 12, "epochs")]  # rank 0's alone
    assert dict(os.environ) == environment
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_rank_that_is_killed_ends_the_others(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TrainingError, match=r"rank 1 of 2 was ended by SIGKILL. Memory may have run out. Run it again"):
        launch(die, {"folder": tmp_path}, ranks=2, threads=2)
    assert len(pids(tmp_path)) == 2
    assert not any(map(alive, pids(tmp_path)))
    assert "Traceback" not in capfd.readouterr().err


def test_a_request_to_end_reaches_every_rank(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> None:
        wait_for(lambda: len(pids(tmp_path)) == 2)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        launch(sleep, {"folder": tmp_path}, ranks=2, threads=2)
    thread.join()
    assert not any(map(alive, pids(tmp_path)))
    assert [path.name for path in tmp_path.glob("tidied*")] == ["tidied by 0"]
    assert capfd.readouterr().err == ""


def test_ranks_do_not_outlive_their_parent(tmp_path: Path) -> None:
    code = "import sys, pathlib, test_launch as t; t.launch(t.sleep, {'folder': pathlib.Path(sys.argv[1])}, 2, 2)"
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    try:
        wait_for(lambda: len(pids(tmp_path)) == 2)
    finally:
        parent.kill()
        parent.wait(PATIENCE)
    wait_for(lambda: not any(map(alive, pids(tmp_path))))


def test_signals_that_are_ignored_stay_ignored() -> None:
    # A shell that started the tests in the background, or nohup, may have told them to ignore either.
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGHUP, signal.SIGQUIT)}
    try:
        assert "SIGHUP" in _heeded()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        assert _heeded() == ["SIGTERM", "SIGINT", "SIGQUIT"]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def failure(folder: Path, rank: int, exitcode: int, error: Exception | None = None) -> ProcessFailure:
    """What torchrun's launcher knows of a rank that failed."""
    file = folder / f"error{rank}.json"
    if error is not None:
        details = {"py_callstack": f"Traceback of {error}", "timestamp": "1000"}
        file.write_text(json.dumps({"message": {"message": f"{type(error).__name__}: {error}", "extraInfo": details}}))
    return ProcessFailure(rank, 4711 + rank, exitcode, str(file))


def test_a_users_error_is_told_before_what_followed_from_it(tmp_path: Path) -> None:
    lost = failure(tmp_path, 0, BUG, RuntimeError("Connection closed by peer"))
    found = failure(tmp_path, 1, USER_ERROR, AnonbenchError("a.png: not a readable image"))
    cause = _cause({0: lost, 1: found}, 2)
    assert isinstance(cause, AnonbenchError)
    assert str(cause) == "a.png: not a readable image"


def test_a_gpu_that_is_too_small_is_told_as_torch_tells_it(tmp_path: Path) -> None:
    lost = failure(tmp_path, 0, BUG, RuntimeError("Connection closed by peer"))
    full = failure(tmp_path, 1, BUG, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."))
    cause = _cause({0: lost, 1: full}, 2)
    assert isinstance(cause, torch.OutOfMemoryError)
    assert str(cause) == "CUDA out of memory. Tried to allocate 20.00 MiB."


def test_a_death_is_told_before_what_followed_from_it(tmp_path: Path) -> None:
    lost = failure(tmp_path, 0, BUG, RuntimeError("Connection closed by peer"))
    cause = _cause({0: lost, 1: failure(tmp_path, 1, -signal.SIGSEGV)}, 2)
    assert isinstance(cause, TrainingError)
    assert str(cause).startswith("rank 1 of 2 was ended by SIGSEGV. Run it again")


def test_a_bug_keeps_its_traceback(tmp_path: Path) -> None:
    ended = failure(tmp_path, 0, -signal.SIGTERM)  # by the launcher, when rank 1 had failed
    cause = _cause({0: ended, 1: failure(tmp_path, 1, BUG, ValueError("odd"))}, 2)
    assert not isinstance(cause, AnonbenchError)
    assert str(cause) == "rank 1 failed:\nTraceback of odd"


def test_an_end_without_a_word(tmp_path: Path) -> None:
    assert "rank 1 ended with status 3, without a message" in str(_cause({1: failure(tmp_path, 1, 3)}, 2))
