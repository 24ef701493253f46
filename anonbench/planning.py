"""What a plan of jobs will cost: hours and gigabytes, from measured rates, before anything runs.

An estimate, not a promise: every size and rate that stands on an assumption is named in the text. Rates are rows of
`benchmarks/rates.csv`; trainings that have already been finished on this machine replace them.
"""

from __future__ import annotations

import csv
import statistics
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[1]
RATES = REPOSITORY / "benchmarks" / "rates.csv"
PUBLISHED_SIZES = REPOSITORY / "config" / "published" / "table2.csv"
MODEL_KEYS = ("method", "input", "pretrained", "recipe", "seeds", "evaluation", "training")  # no parameters
DETECTOR_KEYS = ("method", "threshold", "default_box")  # neither they nor an anonymizer's strength change the speed
FLOAT32_BYTES = 4
LINE_WIDTH = 118
MANIFEST, TABLE_2, RENDERED = "manifest", "Table II", "rendering settings"
TABLE_2_TRAIN = "Table II for training alone"
IN_WORDS = {
    MANIFEST: "counted here",
    RENDERED: "from the rendering settings",
    TABLE_2: "assumed as in Table II",
    TABLE_2_TRAIN: "assumed as in Table II for training, all others in the test set",
}


@dataclass(frozen=True)
class Rate:
    """A row of `benchmarks/rates.csv`; None where it says nothing.

    stage: train, embed, detect, anonymize, render (images_per_s of one core or one GPU), network (feature_dim,
        model_mb) or image (image_kb, by dataset format).
    parameters: the method's parameters in the config. height, width: of the images it sees, in pixels.
    device: cpu or cuda. source: where it comes from; begins with measured, published, scaled, computed or assumed.
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


@dataclass(frozen=True)
class DatasetSize:
    """Images of a dataset.

    train, test: numbers of images; test = query + gallery. pixels: mean of an image, None when unknown.
    source: MANIFEST, RENDERED, TABLE_2 or TABLE_2_TRAIN.
    """

    train: int
    test: int
    pixels: float | None
    source: str

    @property
    def images(self) -> int:
        return self.train + self.test


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


def read_rates(path: Path = RATES) -> list[Rate]:
    """The rows of a rates file."""

    def number(text: str, kind: Callable[[str], Any]) -> Any:
        return kind(text) if text else None

    with path.open(encoding="utf-8", newline="") as file:
        return [
            Rate(
                stage=row["stage"],
                method=row["method"],
                parameters=yaml.safe_load(row["parameters"]) or {},
                height=number(row["height"], int),
                width=number(row["width"], int),
                device=row["device"],
                images_per_s=number(row["images_per_s"], float),
                feature_dim=number(row["feature_dim"], int),
                model_mb=number(row["model_mb"], float),
                image_kb=number(row["image_kb"], float),
                source=row["source"],
            )
            for row in csv.DictReader(file)
        ]


# --- how many images ---


def dataset_size(
    name: str, entry: Mapping[str, Any], results: Path, published: Path = PUBLISHED_SIZES
) -> DatasetSize | None:
    """How many images a dataset has: counted in its manifest, drawn by its settings, or as Table II prints them.

    entry: the dataset's config entry. results: the folder of results, where the manifest may be.
    Table II swaps CUHK03's query and gallery, which does not matter: only their sum is used. It counts a part of
    Airport that cannot be had; without a split file all images that are not for training stand in the test set.
    None when nothing tells.
    """
    manifest = results / "manifests" / name / "original.csv"
    if manifest.is_file():
        return _size_of_manifest(manifest)
    if "render" in entry:
        return _size_of_rendering(entry["render"])
    if "published_as" in entry and published.is_file():
        from anonbench.datasets.airport import PUBLISHED_IMAGES

        with published.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["data"] == entry["published_as"]:
                    train, test = int(row["train_images"]), int(row["query_images"]) + int(row["gallery_images"])
                    if entry["format"] == "airport" and not entry.get("split_file"):
                        return DatasetSize(train, PUBLISHED_IMAGES - train, None, TABLE_2_TRAIN)
                    return DatasetSize(train, test, None, TABLE_2)
    return None


def _size_of_manifest(path: Path) -> DatasetSize:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    train = sum(row["split"] == "train" for row in rows)
    pixels = statistics.fmean(int(row["width"]) * int(row["height"]) for row in rows)
    return DatasetSize(train, len(rows) - train, pixels, MANIFEST)


def _size_of_rendering(settings: Mapping[str, Any]) -> DatasetSize:
    """A rendered dataset, of which people numbered below `train_identities` are the training half."""
    from anonbench.rendering.plan import plan_crops
    from anonbench.stages.render import read_spec

    spec = read_spec(settings)
    crops = plan_crops(spec)
    train = sum(crop.person is not None and crop.person < spec.train_identities for crop in crops)
    return DatasetSize(train, len(crops) - train, float(spec.height_px * spec.width_px), RENDERED)


# --- how fast ---


@dataclass(frozen=True)
class Speed:
    """seconds: of one core or one GPU for an image. exact: the method itself was measured, with its parameters."""

    seconds: float
    sources: tuple[str, ...]
    exact: bool


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
        return Speed(_seconds(rate, pixels), (rate.source,), exact=bool(same))
    if not known:
        return None
    return Speed(statistics.fmean(_seconds(r, pixels) for r in known), ("assumed: the mean of the known ones",), False)


def _pixels(rate: Rate) -> float:
    return float((rate.height or 0) * (rate.width or 0))


def _seconds(rate: Rate, pixels: float | None) -> float:
    scale = pixels / _pixels(rate) if pixels and _pixels(rate) else 1.0
    return scale / (rate.images_per_s or 1.0)


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
    return statistics.fmean(getattr(r, key) for r in chosen), own


@dataclass(frozen=True)
class Finished:
    """Trainings of a cell that this machine has finished: how many, and the median seconds of an epoch."""

    trainings: int
    seconds_per_epoch: float


def finished_trainings(results: Path) -> dict[tuple[str, str], Finished]:
    """(dataset, model) -> its finished trainings, from Snakemake's benchmark files and the histories beside the models.

    The median, since a training that was killed and went on shows only the seconds of its last part.
    """
    seconds: dict[tuple[str, str], list[float]] = {}
    for file in sorted((results / "benchmarks" / "train").glob("*/*/*/*.tsv")):
        dataset, model, variant, run = file.relative_to(results / "benchmarks" / "train").with_suffix("").parts
        history = results / "models" / dataset / model / variant / run / "history.csv"
        if not history.is_file():
            continue
        epochs = len(history.read_text(encoding="utf-8").splitlines()) - 1
        if epochs < 1:  # an untrained network
            continue
        with file.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
        seconds.setdefault((dataset, model), []).append(statistics.fmean(float(r["s"]) for r in rows) / epochs)
    return {cell: Finished(len(values), statistics.median(values)) for cell, values in seconds.items()}


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
    sizes = {name: dataset_size(name, config["datasets"][name], results, published) for name in wanted}
    cells = _Cells(plan, config, rates, sizes, finished_trainings(results))
    for job in jobs:
        if job.rule in COSTS:
            plan.costs.append(COSTS[job.rule](cells, job.wildcards))
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
        self.plan, self.config, self.rates, self.finished = plan, config, rates, finished
        self.sizes = {name: size or DatasetSize(0, 0, None, "unknown") for name, size in sizes.items()}
        self.devices = ("cuda", "cpu") if config["device"] == "auto" else (config["device"],)
        self.speeds: dict[tuple[str, ...], float] = {}

    def train(self, wildcards: Mapping[str, str]) -> Cost:
        dataset, model = wildcards["dataset"], wildcards["model"]
        checkpoint = self._quantity("model_mb", model) * 1e6
        if wildcards["train_variant"] == "untrained":
            self.plan.untrained += 1
            return Cost(dataset, "train", kind="models", size_bytes=checkpoint)
        self.plan.trainings += 1
        self.plan.trainings_by_dataset[dataset] += 1
        epochs = self.config["recipes"][self.config["models"][model]["recipe"]].get("epochs", 100)
        if here := self.finished.get((dataset, model)):
            self.plan.finished_here[f"{dataset} {model}"] = here.trainings
            gpu_s, cpu_s = (here.seconds_per_epoch * epochs * (device in self.devices) for device in ("cuda", "cpu"))
        else:
            gpu_s, cpu_s = self._network_seconds("train", model, self.sizes[dataset].train * epochs)
        return Cost(dataset, "train", gpu_s, cpu_s, "models", checkpoint)

    def embed(self, wildcards: Mapping[str, str]) -> Cost:
        dataset, model = wildcards["dataset"], wildcards["model"]
        images = self.sizes[dataset].test
        gpu_s, cpu_s = self._network_seconds("embed", model, images)
        features = images * self._quantity("feature_dim", model) * FLOAT32_BYTES
        return Cost(dataset, "embed", gpu_s, cpu_s, "features", features)

    def detect(self, wildcards: Mapping[str, str]) -> Cost:
        entry = self.config["detectors"][wildcards["detector"]]
        parameters = {k: v for k, v in entry.items() if k not in DETECTOR_KEYS}
        return self._on_cpu("detect", wildcards["dataset"], entry["method"], parameters)

    def anonymize(self, wildcards: Mapping[str, str]) -> Cost:
        entry = self.config["variants"][wildcards["variant"]]
        return self._on_cpu("anonymize", wildcards["dataset"], entry["method"], {}, copies=True)

    def render(self, wildcards: Mapping[str, str]) -> Cost:
        return self._on_cpu("render", wildcards["dataset"], "render", {})  # its images lie outside results/

    def unpack(self, wildcards: Mapping[str, str]) -> Cost:
        dataset = wildcards["dataset"]
        return Cost(dataset, "unpack", kind="images", size_bytes=self._image_bytes(dataset))

    def _on_cpu(
        self, stage: str, dataset: str, method: str, parameters: Mapping[str, Any], copies: bool = False
    ) -> Cost:
        size = self.sizes[dataset]
        seconds = size.images * self._speed(stage, method, parameters, "cpu", size.pixels, method)
        copied = self._image_bytes(dataset) if copies else 0.0
        return Cost(dataset, stage, 0.0, seconds, "images" if copies else "", copied)

    def _network_seconds(self, stage: str, model: str, images: int) -> tuple[float, float]:
        """Seconds on a GPU and on a CPU core; 0 for a device that the config excludes."""
        height, width = self.config["models"][model]["input"]
        method, parameters = self._network(model)
        seconds = dict.fromkeys(("cuda", "cpu"), 0.0)
        for device in self.devices:
            seconds[device] = images * self._speed(stage, method, parameters, device, float(height * width), model)
        return seconds["cuda"], seconds["cpu"]

    def _speed(
        self, stage: str, method: str, parameters: Mapping[str, Any], device: str, pixels: float | None, name: str
    ) -> float:
        """Seconds an image; `name` is what the plan calls the method. Looked up once each."""
        key = (stage, name, repr(parameters), device, str(pixels))
        if key not in self.speeds:
            speed = find_speed(self.rates, stage, method, parameters, device, pixels)
            if speed is None or not speed.exact:
                self._assume(f"{stage} on a {'GPU' if device == 'cuda' else 'CPU'}", name)
            for source in speed.sources if speed else ():
                self.plan.sources.setdefault(f"{device} {source}", set()).add(name)
            self.speeds[key] = speed.seconds if speed else 0.0
        return self.speeds[key]

    def _quantity(self, key: str, model: str) -> float:
        value, own = find_quantity(self.rates, "network", key, *self._network(model))
        if not own:
            self._assume({"model_mb": "size of the checkpoint", "feature_dim": "width of the features"}[key], model)
        return value

    def _assume(self, what: str, whose: str) -> None:
        self.plan.assumed.setdefault(what, set()).add(whose)

    def _network(self, model: str) -> tuple[str, dict[str, Any]]:
        entry = self.config["models"][model]
        return entry["method"], {k: v for k, v in entry.items() if k not in MODEL_KEYS}

    def _image_bytes(self, dataset: str) -> float:
        entry, size = self.config["datasets"][dataset], self.sizes[dataset]
        method = "render" if "render" in entry else entry["format"]
        kilobytes, own = find_quantity(self.rates, "image", "image_kb", method, {})
        if not own:
            self._assume(f"{kilobytes:.1f} kB an image", dataset)
        return size.images * kilobytes * 1e3


COSTS: dict[str, Callable[[_Cells, Mapping[str, str]], Cost]] = {
    "train": _Cells.train,
    "embed": _Cells.embed,
    "detect": _Cells.detect,
    "anonymize": _Cells.anonymize,
    "render": _Cells.render,
    "unpack": _Cells.unpack,
}


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
