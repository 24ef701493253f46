"""How far long work is: a bar with rate and time left on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 15.0
_listener: Callable[[int, int, str], None] | None = None


def listen(listener: Callable[[int, int, str], None] | None) -> None:
    """Have `listener(done, total, unit)` called with the progress of this process from now on; None: nobody."""
    global _listener
    _listener = listener


def report_progress(done: int, total: int, unit: str) -> None:
    """Tell whoever listens (the journal) that `done` of `total` epochs, images, … are done."""
    if _listener is not None:
        _listener(done, total, unit)


class ProgressBar:
    """Counts items of `total` under a label, as a context manager.

    >>> with ProgressBar(2, "detect", "img") as bar:
    ...     bar.update()
    """

    def __init__(self, total: int, label: str, unit: str, silent: bool = False) -> None:
        self.total, self.label, self.unit = total, label, unit
        self._bar = tqdm(total=total, desc=label, unit=unit, disable=silent or not sys.stderr.isatty())
        self._lines = not silent and self._bar.disable
        self._tells = not silent
        self._start = self._spoke = time.monotonic()
        self._done = 0

    def update(self, count: int = 1) -> None:
        """Count `count` more items as done."""
        self._done += count
        self._bar.update(count)
        if self._tells:
            report_progress(self._done, self.total, self.unit)
        now = time.monotonic()
        if self._lines and now - self._spoke >= SECONDS_BETWEEN_LINES:
            self._spoke = now
            rate = self._done / (now - self._start)
            left = (self.total - self._done) / rate
            print(
                f"{self.label}: {self._done} of {self.total} {self.unit}, {rate:.1f} {self.unit}/s, {left:.0f} s left",
                file=sys.stderr,
                flush=True,
            )

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
        if self._lines and kind is None:
            seconds = time.monotonic() - self._start
            print(f"{self.label}: {self._done} {self.unit} in {seconds:.1f} s", file=sys.stderr, flush=True)
