"""Start the ranks of one training through torchrun's launcher, and say how they ended."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import pickle
import signal
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure, get_error_handler
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from anonbench.core.errors import AnonbenchError, TrainingError
from anonbench.core.parallel import THREAD_SETTINGS
from anonbench.core.progress import listen, report_progress

HERE = "127.0.0.1"  # all ranks are on one machine, whose name need not resolve to an address
GRACE_SECONDS = 10  # from the request to end until a rank is killed; SLURM kills the whole job after 30
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
USER_ERROR, INTERRUPTED, BUG = 2, 130, 1  # exit statuses of a rank
PR_SET_PDEATHSIG = 1  # of linux/prctl.h


def launch(function: Callable[..., None], arguments: Mapping[str, Any], ranks: int, threads: int) -> None:
    """Run `function(**arguments)` in `ranks` processes on this machine and wait until all have ended.

    function: of a module that can be imported. Joins the others by `distributed.joined`.
    threads: of all together.
    A rank that ends with an error or dies ends the others. So does the end of this process, however it comes.

    Raises `AnonbenchError` with the message of a rank that raised one, `TrainingError` when a rank was killed,
    `torch.OutOfMemoryError` when a GPU was too small, `KeyboardInterrupt` when this process was asked to end,
    `RuntimeError` with a rank's traceback for a bug of ours.
    """
    with (
        tempfile.TemporaryDirectory(prefix="anonbench-ranks-") as folder,
        _surroundings(max(1, threads // ranks)),
        _relayed_progress(Path(folder, "progress")) as told,
    ):
        request = Path(folder, "request.pickle")
        request.write_bytes(pickle.dumps((function, dict(arguments), told)))
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=ranks,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint=f"{HERE}:0",
            local_addr=HERE,
            max_restarts=0,  # the workflow restarts jobs; a restarted training resumes
            logs_specs=DefaultLogsSpecs(log_dir=folder),
            signals_to_handle=",".join(_heeded()),
            shutdown_timeout=GRACE_SECONDS,
        )
        try:
            elastic_launch(config, sys.executable)("-m", __name__, str(request))
        except ChildFailedError as error:
            raise _cause(error.failures, ranks) from None
        except SignalException as error:
            raise KeyboardInterrupt from error


def _cause(failures: Mapping[int, ProcessFailure], ranks: int) -> Exception:
    """What to report of ranks that failed. Once one is gone the others fail too: the first in time is a poor guide."""

    def recorded(failure: ProcessFailure) -> dict[str, Any]:
        return failure.message if isinstance(failure.message, dict) else {}

    for failure in failures.values():
        kind, _, text = recorded(failure).get("message", "").partition(": ")
        if failure.exitcode == USER_ERROR and text:
            return AnonbenchError(text)
        if kind == "OutOfMemoryError":
            return torch.OutOfMemoryError(text)  # of a GPU
    for rank, failure in failures.items():
        if failure.exitcode < 0 and failure.exitcode != -signal.SIGTERM:  # with that one the launcher ends the rest
            advice = " Memory may have run out." if failure.exitcode == -signal.SIGKILL else ""
            return TrainingError(
                f"rank {rank} of {ranks} was ended by {failure.signal_name()}.{advice} Run it again: the training goes "
                f"on from its last saved epoch."
            )
    for rank, failure in failures.items():
        if recorded(failure):
            return RuntimeError(f"rank {rank} failed:\n{recorded(failure)['extraInfo']['py_callstack']}")
    rank, failure = next(iter(failures.items()))
    return TrainingError(f"rank {rank} ended with status {failure.exitcode}, without a message.")


def _heeded() -> list[str]:
    """The signals that end the ranks: not those that this process was started to ignore, as by nohup."""
    return [number.name for number in HANDLED if signal.getsignal(number) is not signal.SIG_IGN]


@contextlib.contextmanager
def _surroundings(threads: int) -> Iterator[None]:
    """What ranks inherit, and what torchrun's launcher would leave behind in this process."""
    environment = dict(os.environ)
    handlers = {number: signal.getsignal(number) for number in HANDLED}
    reports = logging.getLogger("torch.distributed.elastic")
    propagate, reports.propagate = reports.propagate, False  # its account of a failure is longer than ours
    reports.addHandler(quiet := logging.NullHandler())
    os.environ.update(dict.fromkeys(THREAD_SETTINGS, str(threads)))
    try:
        yield
    finally:
        reports.removeHandler(quiet)
        reports.propagate = propagate
        os.environ.clear()
        os.environ.update(environment)
        for number, handler in handlers.items():
            if handler is not None:  # not one of Python's
                signal.signal(number, handler)


@contextlib.contextmanager
def _relayed_progress(pipe: Path) -> Iterator[Path]:
    """Pass on to whoever listens in this process (the journal) what rank 0 writes into a named pipe."""
    os.mkfifo(pipe)
    file = os.open(pipe, os.O_RDWR)  # open for writing here, too: no end of file before a rank has come or once it left

    def relay() -> None:
        with os.fdopen(file, "r") as lines:
            for line in iter(lines.readline, "\n"):
                done, total, unit = line.split(maxsplit=2)
                report_progress(int(done), int(total), unit.strip())

    thread = threading.Thread(target=relay, daemon=True)
    thread.start()
    try:
        yield pipe
    finally:
        os.write(file, b"\n")
        thread.join()


def _run_rank(request: Path) -> int:
    """What a rank's process does; returns its exit status."""
    main = os.environ["RANK"] == "0"
    with contextlib.suppress(AttributeError, OSError):  # not Linux
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGTERM, signal.SIGINT):
        # Rank 0 may be writing a file that has to be removed. The others have nothing to tidy up, and one that waits
        # for another would not notice a request before that one answers.
        signal.signal(number, _interrupt if main else signal.SIG_DFL)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("anonbench").setLevel(logging.INFO if main else logging.CRITICAL)
    function, arguments, told = pickle.loads(request.read_bytes())
    if main:
        pipe = told.open("w", buffering=1)
        listen(lambda done, total, unit: print(done, total, unit, file=pipe))
    try:
        try:
            function(**arguments)
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)  # ending already; the launcher may ask because of another rank
    except AnonbenchError as error:
        get_error_handler().record_exception(error)
        return USER_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        get_error_handler().record_exception(error)
        return BUG
    return 0


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(_run_rank(Path(sys.argv[1])))
