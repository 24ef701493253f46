"""How fast and how large: the rows of `benchmarks/rates.csv`, and what they say of methods that nobody measured."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from anonbench.data.tables import write_csv

RATES = Path(__file__).parents[3] / "benchmarks" / "rates.csv"
COLUMNS = (
    "stage", "method", "parameters", "height", "width", "device", "images_per_s", "start_s", "memory_mb",
    "feature_dim", "model_mb", "image_kb", "source",
)  # fmt: skip


@dataclass(frozen=True)
class Rate:
    """A row of `benchmarks/rates.csv`; None where it says nothing.

    stage: a rule (images_per_s of one core or one GPU; start_s, before the first and after the last image; memory_mb,
        beside the images themselves), network (feature_dim, model_mb) or image (image_kb, by dataset format).
    parameters: the method's parameters in the config. height, width: of the images it sees, in pixels.
    device: cpu or cuda. memory_mb: MB of 10^6 bytes, of each process where a stage has several.
    source: where it comes from; begins with measured, fitted, published, scaled, computed or assumed.
    """

    stage: str
    method: str
    parameters: Mapping[str, Any]
    height: int | None
    width: int | None
    device: str
    images_per_s: float | None
    feature_dim: int | None
    model_mb: float | None
    image_kb: float | None
    source: str
    start_s: float | None = None
    memory_mb: float | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """What a row is about: two rows of one key say the same thing, one of them better."""
        return self.stage, self.method, repr(self.parameters), self.height, self.width, self.device


def read_rates(path: Path = RATES, measured_here: Path | None = None) -> list[Rate]:
    """The rows of a rates file; those measured on this machine (`anonbench fit-costs`) instead of shipped ones."""
    shipped = _read(path)
    if measured_here is None or not measured_here.is_file():
        return shipped
    here = _read(measured_here)
    replaced = {row.key for row in here}
    return here + [row for row in shipped if row.key not in replaced]


def write_rates(path: Path, rates: Iterable[Rate]) -> None:
    """Write rows that `read_rates` reads."""
    write_csv(path, COLUMNS, ([_field(getattr(rate, column)) for column in COLUMNS] for rate in rates))


def _field(value: object) -> object:
    if isinstance(value, dict):
        return yaml.safe_dump(value, default_flow_style=True).strip() if value else None
    return value


def _read(path: Path) -> list[Rate]:
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Rate(
                stage=row["stage"],
                method=row["method"],
                parameters=yaml.safe_load(row["parameters"]) or {},
                height=_number(row["height"], int),
                width=_number(row["width"], int),
                device=row["device"],
                images_per_s=_number(row["images_per_s"], float),
                start_s=_number(row["start_s"], float),
                memory_mb=_number(row["memory_mb"], float),
                feature_dim=_number(row["feature_dim"], int),
                model_mb=_number(row["model_mb"], float),
                image_kb=_number(row["image_kb"], float),
                source=row["source"],
            )
            for row in csv.DictReader(file)
        ]


def _number(text: str, kind: Callable[[str], Any]) -> Any:
    return kind(text) if text else None


@dataclass(frozen=True)
class Speed:
    """seconds: of one core or one GPU for an image. exact: the method itself was measured, with its parameters.

    start_s: of a job without images; None where nobody measured it.
    """

    seconds: float
    sources: tuple[str, ...]
    exact: bool
    start_s: float | None = None


def find_speed(
    rates: Iterable[Rate],
    stage: str,
    method: str,
    parameters: Mapping[str, Any],
    device: str,
    pixels: float | None = None,
) -> Speed | None:
    """The time an image takes, scaled with its pixels from the input size nearest to it that is known.

    A method with other parameters than those known gets the time of one of them; an unknown method the mean of all
    methods known at that stage. None when the stage has no rates for the device.
    """
    known = [r for r in rates if r.stage == stage and r.device == device and r.images_per_s]
    same_method = [r for r in known if r.method == method]
    same = [r for r in same_method if r.parameters == parameters]
    if chosen := same or same_method:
        rate = min(chosen, key=lambda r: abs(_pixels(r) - pixels) if pixels else 0)
        return Speed(_seconds(rate, pixels), (rate.source,), bool(same), rate.start_s)
    if not known:
        return None
    return Speed(statistics.fmean(_seconds(r, pixels) for r in known), ("assumed: the mean of the known ones",), False)


def _pixels(rate: Rate) -> float:
    return float((rate.height or 0) * (rate.width or 0))


def _seconds(rate: Rate, pixels: float | None) -> float:
    scale = pixels / _pixels(rate) if pixels and _pixels(rate) else 1.0
    return scale / (rate.images_per_s or 1.0)


def find_memory(
    rates: Iterable[Rate], stage: str, method: str, parameters: Mapping[str, Any], pixels: float | None = None
) -> float | None:
    """Peak memory in MB of a process of a stage on CPUs, beside the images that it holds.

    That of the method's row whose images are nearest in size, grown with the pixels where it was measured on smaller
    ones; of a method that nobody measured, the most that any method of the stage takes. None for an unknown stage.
    """
    known = [r for r in rates if r.stage == stage and r.device != "cuda" and r.memory_mb]
    same_method = [r for r in known if r.method == method]
    same = [r for r in same_method if r.parameters == parameters]

    def grown(rate: Rate) -> float:
        growth = max(1.0, pixels / _pixels(rate)) if pixels and _pixels(rate) else 1.0
        return (rate.memory_mb or 0.0) * growth

    if chosen := same or same_method:
        return grown(min(chosen, key=lambda r: abs(_pixels(r) - pixels) if pixels else 0))
    return max(map(grown, known), default=None)


def find_quantity(
    rates: Iterable[Rate], stage: str, key: str, method: str, parameters: Mapping[str, Any]
) -> tuple[float, bool]:
    """A number that is no rate (feature_dim, model_mb, image_kb), and whether it is the method's own.

    Else that of the method with other parameters, or the mean of all methods.
    """
    known = [r for r in rates if r.stage == stage and getattr(r, key) is not None]
    same_method = [r for r in known if r.method == method]
    same = [r for r in same_method if r.parameters == parameters]
    chosen = same or same_method or known
    own = bool(same) and not same[0].source.startswith("assumed")
    return statistics.fmean(getattr(r, key) for r in chosen) if chosen else 0.0, own
