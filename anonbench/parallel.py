"""One function over many items in many processes, with a progress bar."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from anonbench.errors import AnonbenchError
from anonbench.progress import ProgressBar

Item = TypeVar("Item")
Result = TypeVar("Result")

THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


def parallel_map(
    prepare: Callable[..., Callable[[Item], Result]],
    arguments: tuple[Any, ...],
    items: Sequence[Item],
    workers: int,
    label: str,
    chunk: int = 32,
) -> list[Result]:
    """`[f(item) for item in items]` with `f = prepare(*arguments)` made once in each process.

    prepare must be a module-level function: it loads what is dear (a network, annotations) where it is used.
    workers: processes, >= 1; one worker runs in this process. The order of the results is that of the items.
    Raises what `f` raises; an `AnonbenchError` when a process dies.
    """
    workers = min(workers, max(1, len(items) // chunk))
    with ProgressBar(len(items), label, "images") as bar:
        results: list[Result] = []
        for result in _run(prepare, arguments, items, workers, label, chunk):
            results.append(result)
            bar.update()
    return results


def _run(
    prepare: Callable[..., Callable[[Item], Result]],
    arguments: tuple[Any, ...],
    items: Sequence[Item],
    workers: int,
    label: str,
    chunk: int,
) -> Iterator[Result]:
    if workers == 1:
        yield from map(prepare(*arguments), items)
        return
    # spawn: forked copies of a process that has started threads (OpenCV, torch) may hang
    context = multiprocessing.get_context("spawn")
    with single_threaded_children():
        pool = ProcessPoolExecutor(workers, context, _start, (prepare, arguments))
        try:
            yield from pool.map(_call, items, chunksize=chunk)
        except BrokenProcessPool as error:
            raise AnonbenchError(
                f"{label}: a worker process ended unexpectedly (killed, or out of memory). Nothing was written. "
                f"Try again with fewer cores."
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_function: Callable[[Any], Any] | None = None
_failure: Exception | None = None


def _start(prepare: Callable[..., Callable[[Any], Any]], arguments: tuple[Any, ...]) -> None:
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which stops the pool
    cv2.setNumThreads(1)
    global _function, _failure
    try:
        _function = prepare(*arguments)
    except Exception as error:
        _failure = error  # raised from here, all that the parent would learn is that a process ended


def _call(item: Any) -> Any:
    if _failure is not None:
        raise _failure
    assert _function is not None
    return _function(item)


@contextmanager
def single_threaded_children() -> Iterator[None]:
    """Processes started inside inherit one thread each: several threads in each of them fight for the cores."""
    before = {name: os.environ.get(name) for name in THREAD_SETTINGS}
    os.environ.update(dict.fromkeys(THREAD_SETTINGS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
