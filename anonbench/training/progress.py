"""How far a training is: a bar on a terminal, one line an epoch in a log."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass

from tqdm import tqdm

from anonbench.core.progress import report_progress

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EpochSummary:
    """One row of a training's history.

    epoch: from 1. loss: mean over images. accuracy: share of training images (augmented, in train mode) whose identity
    has the highest logit, averaged over classifiers, 0..1. lr: of the last step. seconds: without saving states.
    """

    epoch: int
    loss: float
    accuracy: float
    lr: float
    images_per_second: float
    seconds: float


class Progress:
    """Reports the epochs of one training.

    shown: false keeps silent.
    """

    def __init__(self, epochs: int, finished: int, shown: bool = True) -> None:
        self.epochs, self.shown = epochs, shown
        self.bar = tqdm(total=epochs, initial=finished, unit="epoch", disable=not (shown and sys.stderr.isatty()))
        report_progress(finished, epochs, "epochs")

    def report(self, row: EpochSummary) -> None:
        """Show a finished epoch."""
        text = f"loss {row.loss:.3f}, accuracy {row.accuracy:.3f}, {row.images_per_second:.0f} images/s"
        self.bar.set_postfix_str(text, refresh=False)
        self.bar.update()
        report_progress(row.epoch, self.epochs, "epochs")
        if self.bar.disable and self.shown:
            logger.info("epoch %d/%d: %s, lr %.2e, %.1f s", row.epoch, self.epochs, text, row.lr, row.seconds)

    def close(self) -> None:
        self.bar.close()
