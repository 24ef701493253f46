"""What a plan of jobs will cost: hours and gigabytes, from measured rates, before anything runs.

An estimate, not a promise: every size and rate that stands on an assumption is named in the text. Rates are rows of
`benchmarks/rates.csv`; trainings that have already been finished on this machine replace them.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anonbench.ops.costs.finished import Finished, finished_trainings
from anonbench.ops.costs.rates import Rate, find_quantity, find_speed
from anonbench.ops.costs.sizes import (
    MANIFEST,
    PUBLISHED_SIZES,
    RENDERED,
    TABLE_2,
    TABLE_2_TRAIN,
    DatasetSize,
    dataset_size,
    entry_of,
)
from anonbench.ops.costs.work import (
    FLOAT32_BYTES,
    NO_IMAGES,
    Work,
    epochs_of,
    method_of,
    work_of,
)

LINE_WIDTH = 118
NETWORKS = ("train", "embed")  # the stages whose hours are told for GPUs
IN_WORDS = {
    MANIFEST: "counted here",
    RENDERED: "from the rendering settings",
    TABLE_2: "assumed as in Table II",
    TABLE_2_TRAIN: "assumed as in Table II for training, all others in the test set",
}


@dataclass(frozen=True)
class PlannedJob:
    """A job that would run: its rule and its wildcards."""

    rule: str
    wildcards: Mapping[str, str]


@dataclass(frozen=True)
class Cost:
    """What one job needs. gpu_s and cpu_s (seconds of one GPU, of one core) are alternatives where both are there."""

    dataset: str
    stage: str
    gpu_s: float = 0.0
    cpu_s: float = 0.0
    kind: str = ""  # models, features, images: what its bytes are
    size_bytes: float = 0.0


@dataclass
class Plan:
    """The jobs and costs of a dry run, and everything that a reader must know to judge the numbers."""

    jobs: int = 0
    trainings: int = 0
    untrained: int = 0
    costs: list[Cost] = field(default_factory=list)
    sizes: dict[str, str] = field(default_factory=dict)  # dataset -> where its number of images comes from
    sources: dict[str, set[str]] = field(default_factory=dict)  # source -> methods whose rates it gave
    assumed: dict[str, set[str]] = field(default_factory=dict)  # what -> of whom it was borrowed from others
    finished_here: dict[str, int] = field(default_factory=dict)  # "dataset model" -> trainings its time comes from
    trainings_by_dataset: Counter[str] = field(default_factory=Counter)


# --- what it costs ---


def estimate(
    jobs: Sequence[PlannedJob],
    config: Mapping[str, Any],
    rates: Sequence[Rate],
    results: Path = Path("results"),
    published: Path = PUBLISHED_SIZES,
) -> Plan:
    """The cost of the jobs of a dry run: on a GPU and on CPUs where the config's `device` is auto.

    Reads only manifests, histories and benchmark files below `results`.
    """
    plan = Plan(jobs=len(jobs))
    wanted = sorted({job.wildcards["dataset"] for job in jobs if "dataset" in job.wildcards})
    sizes = {name: dataset_size(name, entry_of(config, name), results, published) for name in wanted}
    cells = _Cells(plan, config, rates, sizes, finished_trainings(results))
    for job in jobs:
        if job.rule in COUNTED:
            plan.costs.append(cells.cost(job.rule, job.wildcards))
    used = {cost.dataset for cost in plan.costs}
    plan.sizes = {name: size.source if size else "unknown" for name, size in sizes.items() if name in used}
    return plan


class _Cells:
    """The cost of single jobs; whatever it borrows or assumes it writes into the plan."""

    def __init__(
        self,
        plan: Plan,
        config: Mapping[str, Any],
        rates: Sequence[Rate],
        sizes: Mapping[str, DatasetSize | None],
        finished: Mapping[tuple[str, str], Finished],
    ) -> None:
        self.plan, self.config, self.rates, self.sizes, self.finished = plan, config, rates, sizes, finished
        self.devices = ("cuda", "cpu") if config["device"] == "auto" else (config["device"],)
        self.speeds: dict[tuple[str, ...], float] = {}

    def cost(self, rule: str, wildcards: Mapping[str, str]) -> Cost:
        """What a job of one of the COUNTED rules needs."""
        dataset = wildcards["dataset"]
        work = work_of(rule, wildcards, self.config, self.sizes.get, self.rates)
        kind, size_bytes = self._output(rule, dataset, work)
        if rule == "train":
            self._count_training(dataset, wildcards["train_variant"])
        if rule == "unpack":
            return Cost(dataset, rule, 0.0, 0.0, kind, size_bytes)
        here = self.finished.get((dataset, work.name)) if rule == "train" and work.units else None
        if here:
            self.plan.finished_here[f"{dataset} {work.name}"] = here.trainings
            seconds = dict.fromkeys(self.devices, here.seconds_per_epoch * epochs_of(self.config, work.name))
        else:
            devices = self.devices if work.on_gpu else ("cpu",)
            seconds = {device: work.units * self._speed(work, device) for device in devices if work.units}
        return Cost(dataset, rule, seconds.get("cuda", 0.0), seconds.get("cpu", 0.0), kind, size_bytes)

    def _count_training(self, dataset: str, variant: str) -> None:
        if variant == "untrained":
            self.plan.untrained += 1
            return
        self.plan.trainings += 1
        self.plan.trainings_by_dataset[dataset] += 1

    def _output(self, rule: str, dataset: str, work: Work) -> tuple[str, float]:
        """What a job leaves below results/ and how many bytes."""
        if rule == "train":
            return "models", self._quantity("model_mb", work.name) * 1e6
        if rule == "embed":
            return "features", work.units * self._quantity("feature_dim", work.name) * FLOAT32_BYTES
        if rule in ("anonymize", "unpack"):
            return "images", self._image_bytes(dataset)
        return "", 0.0

    def _speed(self, work: Work, device: str) -> float:
        """Seconds an image. Looked up once each."""
        key = (work.stage, work.name, repr(work.parameters), device, str(work.pixels))
        if key not in self.speeds:
            speed = find_speed(self.rates, work.stage, work.method, work.parameters, device, work.pixels)
            if speed is None or not speed.exact:
                self._assume(f"{work.stage} on a {'GPU' if device == 'cuda' else 'CPU'}", work.name)
            for source in speed.sources if speed else ():
                self.plan.sources.setdefault(f"{device} {source}", set()).add(work.name)
            self.speeds[key] = speed.seconds if speed else 0.0
        return self.speeds[key]

    def _quantity(self, key: str, model: str) -> float:
        value, own = find_quantity(self.rates, "network", key, *method_of(self.config, model))
        if not own:
            self._assume({"model_mb": "size of the checkpoint", "feature_dim": "width of the features"}[key], model)
        return value

    def _assume(self, what: str, whose: str) -> None:
        self.plan.assumed.setdefault(what, set()).add(whose)

    def _image_bytes(self, dataset: str) -> float:
        entry, size = self.config["datasets"][dataset], self.sizes.get(dataset) or NO_IMAGES
        method = "render" if "render" in entry else entry["format"]
        kilobytes, own = find_quantity(self.rates, "image", "image_kb", method, {})
        if not own:
            self._assume(f"{kilobytes:.1f} kB an image", dataset)
        return size.images * kilobytes * 1e3


COUNTED = ("train", "embed", "detect", "anonymize", "render", "unpack")


# --- in words ---


def describe(plan: Plan) -> str:
    """The plan as a block of text."""
    untrained = f" (and {_count(plan.untrained, 'network')} left untrained)" if plan.untrained else ""
    lines = [f"Plan: {_count(plan.jobs, 'job')}, {_count(plan.trainings, 'training')}{untrained}"]
    lines += [_fold(line) for line in (_hours(plan), _gigabytes(plan)) if line]
    lines += _by_dataset(plan)
    lines += [_fold(line) for line in _grounds(plan)]
    return "\n".join(lines)


def describe_missing(folders: Mapping[str, str]) -> str:
    """What to do about datasets that are not there. folders: name -> configured root."""
    names = ", ".join(f"{name} ({folder})" for name, folder in sorted(folders.items()))
    return "\n".join(
        [
            _fold(f"not there yet: {names}"),
            "  A real run stops before its first job: put or link them there, or change `root:` in the config.",
            "  Layouts, and where to request the data: docs/datasets.md",
        ]
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _fold(line: str) -> str:
    return textwrap.fill(line, LINE_WIDTH, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False)


def _hours(plan: Plan) -> str:
    networks = {stage: [c for c in plan.costs if c.stage == stage] for stage in ("train", "embed")}
    gpu, cpu = ({s: sum(getattr(c, k) for c in costs) for s, costs in networks.items()} for k in ("gpu_s", "cpu_s"))
    others = sum(c.cpu_s for c in plan.costs if c.stage not in networks)
    parts = []
    if sum(gpu.values()):
        parts.append(f"about {_time(sum(gpu.values()), 'GPU')} ({_split(gpu)})")
    if sum(cpu.values()):
        parts.append(f"{'or ' if parts else ''}about {_time(sum(cpu.values()), 'core')} on CPUs ({_split(cpu)})")
    text = ", ".join(parts)
    if others:
        text += f"{'; ' if text else ''}{_time(others, 'core')} for rendering, faces and anonymizing"
    return text


def _split(seconds: Mapping[str, float]) -> str:
    return f"training {_time(seconds['train'])}, embedding {_time(seconds['embed'])}"


def _gigabytes(plan: Plan) -> str:
    """Disk, by kind."""
    kinds = {kind: sum(c.size_bytes for c in plan.costs if c.kind == kind) for kind in ("models", "features", "images")}
    if not sum(kinds.values()):
        return ""
    parts = ", ".join(f"{kind} {_gb(size)}" for kind, size in kinds.items())
    return f"about {_gb(sum(kinds.values()))} GB below results/ ({parts})"


def _by_dataset(plan: Plan) -> list[str]:
    if len(plan.sizes) < 2:
        return []
    key, unit = ("gpu_s", "GPU") if any(c.gpu_s for c in plan.costs) else ("cpu_s", "core")
    width = max(map(len, plan.sizes))
    lines = []
    for dataset in plan.sizes:
        costs = [c for c in plan.costs if c.dataset == dataset]
        seconds = sum(getattr(c, key) for c in costs if c.stage in ("train", "embed"))
        size = sum(c.size_bytes for c in costs)
        lines.append(
            f"    {dataset:{width}}  {plan.trainings_by_dataset[dataset]:3d} trainings"
            f"  {_time(seconds, unit):>16}  {_gb(size):>5} GB"
        )
    return lines


def _grounds(plan: Plan) -> list[str]:
    """What the numbers stand on."""
    lines = []
    if plan.sizes:
        by_source: dict[str, list[str]] = {}
        for dataset, source in plan.sizes.items():
            by_source.setdefault(source, []).append(dataset)
        parts = (f"{IN_WORDS.get(s, 'UNKNOWN, counted as nothing')}: {', '.join(d)}" for s, d in by_source.items())
        lines.append("images " + "; ".join(parts))
    if plan.finished_here:
        cells = ", ".join(f"{cell} ({n})" for cell, n in plan.finished_here.items())
        lines.append(f"time from {sum(plan.finished_here.values())} finished trainings here, in every total: {cells}")
    for key, methods in sorted(plan.sources.items(), reverse=True):
        where, _, source = key.partition(" ")
        lines.append(f"{'GPU' if where == 'cuda' else 'CPU'} rates {source} [{', '.join(sorted(methods))}]")
    if plan.assumed:
        parts = (f"{what} [{', '.join(sorted(names))}]" for what, names in sorted(plan.assumed.items()))
        lines.append(f"assumed, or borrowed from others: {', '.join(parts)}")
    if lines:
        lines.append("not counted: ranking, tables, figures, the start of each job")
    return lines


def _time(seconds: float, unit: str = "") -> str:
    """Hours or minutes: `44 GPU-hours`, `12 core-minutes`, `1.5 h`, `3 min`."""
    hours = seconds >= 3600
    value = seconds / (3600 if hours else 60)
    number = f"{value:,.0f}" if value >= 9.5 else f"{value:.1f}" if value >= 0.05 else "<0.1" if value else "0"
    if unit:
        return f"{number} {unit}-{'hours' if hours else 'minutes'}"
    return f"{number} {'h' if hours else 'min'}"


def _gb(size_bytes: float) -> str:
    size = size_bytes / 1e9
    return f"{size:,.0f}" if size >= 99.5 else f"{size:.1f}" if size >= 0.095 else f"{size:.2f}"
