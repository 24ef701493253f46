"""A lock belongs to one process and ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from anonbench.core.locks import lock

HOLD = """
import sys, time
from pathlib import Path
from anonbench.core.locks import lock
assert lock(Path(sys.argv[1]), wait=False) is not None
print("held", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_lock_ends_with_its_process(tmp_path: Path, number: int) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert lock(tmp_path / "lock", wait=False) is None
        os.kill(holder.pid, number)
    descriptor = lock(tmp_path / "lock", wait=False)
    assert descriptor is not None
    os.close(descriptor)


def test_a_program_that_is_started_does_not_keep_it(tmp_path: Path) -> None:
    descriptor = lock(tmp_path / "lock", wait=False)
    assert descriptor is not None
    with subprocess.Popen(["sleep", "60"]) as child:
        os.close(descriptor)
        again = lock(tmp_path / "lock", wait=False)
        child.kill()
    assert again is not None
    os.close(again)


def test_waiting_ends_with_the_release_and_the_file_keeps_its_text(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("who")
    first = lock(tmp_path / "lock", wait=True)
    assert first is not None
    threading.Timer(0.2, os.close, [first]).start()
    start = time.monotonic()
    second = lock(tmp_path / "lock", wait=True)
    assert second is not None
    assert time.monotonic() - start >= 0.1
    assert (tmp_path / "lock").read_text() == "who"
    os.close(second)


def test_where_a_lock_cannot_be_had_the_system_says_why(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        lock(tmp_path / "nowhere/lock", wait=False)
