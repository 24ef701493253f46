"""How fast and how large: the rows of `benchmarks/rates.csv`, one a rule, method and size of images."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RATES = Path(__file__).parents[3] / "benchmarks" / "rates.csv"


@dataclass(frozen=True)
class Rate:
    """A row of `benchmarks/rates.csv`; None where it says nothing.

    rule: name of a rule; `build` is a training whose network stays untrained.
    method: of the model, detector or anonymizer; "" for any.
    pixels: of an image (of a network's input).
    images_per_s, gpu_images_per_s: of one core, of one GPU.
    start_s: of a job without its images.
    memory_mb: peak of a process beside the images that it holds, MB of 10^6 bytes.
    output_kb: of the checkpoint of a training; else of what is written for each image.
    source: begins with measured, published, scaled, computed or assumed.
    """

    rule: str
    method: str = ""
    pixels: float | None = None
    images_per_s: float | None = None
    gpu_images_per_s: float | None = None
    start_s: float | None = None
    memory_mb: float | None = None
    output_kb: float | None = None
    source: str = "assumed"

    def scale(self, pixels: float | None) -> float:
        """How many times the pixels of the row's images others have; 1 where that is not known."""
        return pixels / self.pixels if pixels and self.pixels else 1.0


def read_rates(path: Path = RATES) -> list[Rate]:
    """The rows of a file of rates."""
    texts = ("rule", "method", "source")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found: list[Rate] = []
    for row in rows:
        values: dict[str, Any] = {k: v if k in texts else float(v) if v else None for k, v in row.items()}
        found.append(Rate(**values))
    return found


def find_rate(rates: Iterable[Rate], rule: str, method: str, quantity: str, pixels: float | None) -> Rate | None:
    """The row that says a quantity (`images_per_s`, …) best: of the method, at the size nearest to `pixels`.

    Of a method that nobody measured, the row that asks for most; None where no row of the rule has the quantity.
    """
    known = [rate for rate in rates if rate.rule == rule and getattr(rate, quantity) is not None]
    if own := [rate for rate in known if rate.method in (method, "")]:
        return min(own, key=lambda rate: abs((rate.pixels or 0) - pixels) if pixels else 0)
    sign = -1 if quantity.endswith("per_s") else 1
    return max(known, key=lambda rate: rate.scale(pixels) * getattr(rate, quantity) ** sign, default=None)
