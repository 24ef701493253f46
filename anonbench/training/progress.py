"""How far a training is: a bar on a terminal, one line an epoch in a log, and the table of all epochs."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from anonbench.core.progress import report_progress
from anonbench.data.tables import write_csv

logger = logging.getLogger(__name__)
SECONDS_BETWEEN_LINES = 60.0  # in an epoch that takes long
SECONDS_BETWEEN_LOOKS = 1.0  # at a terminal


@dataclass(frozen=True, slots=True)
class EpochSummary:
    """One row of a training's history.

    epoch: from 1.
    values: the task's losses and whatever else it returns, by name, means over images.
    lr: learning rate of the last step.
    images_per_second: of training.
    seconds: without saving states.
    """

    epoch: int
    values: Mapping[str, float]
    lr: float
    images_per_second: float
    seconds: float


def write_history(path: Path, values: Sequence[str], history: Sequence[EpochSummary]) -> None:
    """Write a CSV with one row an epoch.

    values: names of the task's values, in the order of their columns.
    """
    columns = ("epoch", *values, "lr", "images_per_second", "seconds")
    rows = ((r.epoch, *(r.values[name] for name in values), r.lr, r.images_per_second, r.seconds) for r in history)
    write_csv(path, columns, rows)


class Progress:
    """Reports the epochs of one training.

    shown: false keeps silent.
    """

    def __init__(self, epochs: int, finished: int, shown: bool = True) -> None:
        self.epochs, self.shown = epochs, shown
        self.bar = tqdm(total=epochs, initial=finished, unit="epoch", disable=not (shown and sys.stderr.isatty()))
        self.spoke = time.monotonic()
        report_progress(finished, epochs, "epochs")

    def step(self, epoch: int, done: int, steps: int) -> None:
        """Show now and then how many steps of an epoch (from 0) are done."""
        wait = SECONDS_BETWEEN_LINES if self.bar.disable else SECONDS_BETWEEN_LOOKS
        if not self.shown or time.monotonic() - self.spoke < wait:
            return
        self.spoke = time.monotonic()
        if self.bar.disable:
            logger.info("epoch %d/%d: step %d of %d", epoch + 1, self.epochs, done, steps)
        else:
            self.bar.set_postfix_str(f"step {done} of {steps}")

    def report(self, row: EpochSummary) -> None:
        """Show a finished epoch."""
        self.spoke = time.monotonic()
        means = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in row.values.items())
        text = f"{means}, {row.images_per_second:.0f} images/s"
        self.bar.set_postfix_str(text, refresh=False)
        self.bar.update()
        report_progress(row.epoch, self.epochs, "epochs")
        if self.bar.disable and self.shown:
            logger.info("epoch %d/%d: %s, lr %.2e, %.1f s", row.epoch, self.epochs, text, row.lr, row.seconds)

    def close(self) -> None:
        self.bar.close()
