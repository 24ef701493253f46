"""One function over many items in many processes, with a progress bar."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from multiprocessing.connection import wait
from multiprocessing.synchronize import Event
from typing import Any, TypeVar

from anonbench.core.errors import AnonbenchError
from anonbench.core.progress import ProgressBar

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
    receive: Callable[[Item, Result], None] | None = None,
    size: Callable[[Item], int] | None = None,
) -> list[Result]:
    """`[f(item) for item in items]` with `f = prepare(*arguments)` made once in each process.

    prepare: a module-level function. It loads what is expensive (a network, annotations) where it is used.
    workers: processes, >= 1. One worker runs in this process. The order of the results is that of the items.
    chunk: images that a process gets at once.
    receive: called in this process with each item and its result, in their order, as soon as they are there.
    size: how many images an item stands for; one when left out.
    Raises what `f` raises, and an `AnonbenchError` when a process dies. No process outlives this one, however it ends.
    """
    images = [1 if size is None else size(item) for item in items]
    workers = min(workers, max(1, sum(images) // chunk))
    found = _run(prepare, arguments, items, workers, label, max(1, chunk // max(images, default=1)))
    with ProgressBar(sum(images), label, "images") as bar, closing(found):
        results: list[Result] = []
        for item, result, count in zip(items, found, images, strict=True):
            results.append(result)
            if receive is not None:
                receive(item, result)
            bar.update(count)
    return results


def _run(
    prepare: Callable[..., Callable[[Item], Result]],
    arguments: tuple[Any, ...],
    items: Sequence[Item],
    workers: int,
    label: str,
    chunk: int,
) -> Generator[Result, None, None]:
    if workers == 1:
        yield from map(prepare(*arguments), items)
        return
    # spawn: forked copies of a process that has started threads (OpenCV, torch) may hang
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    with single_threaded_children():
        pool = ProcessPoolExecutor(workers, context, _start, (prepare, arguments, stop))
        try:
            yield from pool.map(_call, items, chunksize=chunk)
        except BrokenProcessPool as error:
            raise AnonbenchError(
                f"{label}: a worker process ended unexpectedly (killed, or out of memory). No output was written. "
                f"Try again with fewer cores or more memory."
            ) from error
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


class _StoppedError(Exception):
    """A worker left the rest of its chunk undone, since nobody waits for it."""


_function: Callable[[Any], Any] | None = None
_failure: Exception | None = None
_stop: Event | None = None


def _start(prepare: Callable[..., Callable[[Any], Any]], arguments: tuple[Any, ...], stop: Event) -> None:
    import cv2

    for number in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group; the parent gets them and stops the pool
        signal.signal(number, signal.SIG_IGN)
    end_with_parent()
    cv2.setNumThreads(1)
    global _function, _failure, _stop
    _stop = stop
    try:
        _function = prepare(*arguments)
    except Exception as error:
        _failure = error  # raised from here, all that the parent would learn is that a process ended


def end_with_parent() -> None:
    """To be called in a worker: let it end as soon as its parent has.

    Workers of a parent that was killed (SIGKILL, out of memory) would otherwise wait for work for ever.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _call(item: Any) -> Any:
    if _failure is not None:
        raise _failure
    assert _function is not None
    assert _stop is not None
    if _stop.is_set():
        raise _StoppedError
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
