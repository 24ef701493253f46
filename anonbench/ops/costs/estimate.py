"""Time and memory of single jobs, and what to ask a scheduler for.

A job is known by its rule's name and its wildcards. A rule that nobody listed anywhere gets `UNLISTED`, or `NO_IMAGES`
where no dataset is among its wildcards; a row in `benchmarks/rates.csv` makes its estimate better.
"""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from anonbench.core.errors import DataError
from anonbench.data.entries import of_stored, picture_size
from anonbench.ops.costs.rates import RATES, Rate, find_rate, read_rates
from anonbench.ops.costs.sizes import UNKNOWN, DatasetSize, dataset_size
from anonbench.ops.provenance import read_stamp
from anonbench.stages.cut_faces import Cut

UNLISTED = Rate("", images_per_s=5, start_s=60, memory_mb=2000, source="assumed: nobody measured this rule")
NO_IMAGES = Rate("", start_s=3, memory_mb=340, source="measured: the most of 20 rules that write tables and figures")
METHOD_OF = {"model": "models", "variant": "variants", "detector": "detectors"}  # wildcard -> where its method is
DEFAULT_EPOCHS = 100
# Of Study 2's generators. Rates are of width 16; at 64 a step takes 5.2 times as long (measured, 128 x 64, ResNet-18).
GENERATOR_EPOCHS, GENERATOR_WIDTH, RATED_WIDTH, WIDTH_POWER = 120, 64, 16, 1.2
HELD_OUT, HEAD_START_SAVES = (
    0.2,
    2 / 3,
)  # of the training identities; of the time of an epoch in which generators learn alone
# Of Study 3's inpainters: their recipe's defaults, the people of a picture, and the bytes of a crop's pixel in memory.
INPAINTER_SIZE, INPAINTER_WIDTH, CROPS_PER_EPOCH, MOST_CROPS, PEOPLE, CROP_BYTES = (
    (288, 160),
    64,
    500_000,
    200_000,
    3,
    5,
)
INSTANCE_BATCH, INSTANCE_STEPS = 8, 24_000  # of a network of instances, where its recipe does not say
HELD_MOST_MB = 4000.0  # decoded scenes are kept only where memory has room for twice as much
EMBED_CHUNK = 4096  # images that embedding decodes at a time
ROW_MB = 0.002  # of a manifest with its boxes, in memory
# A stage of pictures holds one at a time: decoded, with a mask, changed. Measured at 6 and 24 megapixels: index 10
# bytes a pixel, anonymize 16, detect 31; transparent pixels take more. Rates are of crops, which take next to nothing.
PICTURE_BYTES = 40
# CenterFace enlarges twice and looks through parts of 1024 pixels a side: 480 MB at 6 megapixels, 750 at 24.
SEEN_BYTES, SEEN_PIXELS, ENLARGED = 400, 1024**2, 4
# Memory of the machine: of a process on a GPU, and of one that reads images for it.
CUDA_MEMORY_MB, LOADER_MB = 4000.0, 500.0

# What a scheduler is asked for, so that a job that takes a third more than expected is not killed.
MEMORY_MARGIN, TIME_MARGIN = 1.3, 2.0
GPU_TIME_MARGIN = 4.0  # rates of GPUs are scaled from one published figure
NESTED_MB = 300  # the Snakemake processes around the command on a cluster
MEMORY_FLOOR_MB = 1000
START_MINUTES = 5  # imports from a cold network disk
MEMORY_GROWTH = 1.6  # at each retry


@dataclass(frozen=True)
class JobEstimate:
    """What a job takes.

    seconds: by the clock, on an otherwise idle machine.
    memory_mb: peak of all processes, MB of 10^6 bytes.
    """

    seconds: float
    memory_mb: float


@dataclass(frozen=True)
class Work:
    """What a job has to do.

    rule, method: its rows in the rates.
    name: what the config calls the method.
    images: that it works on; every epoch of a training counts each once more.
    pixels: of an image as it is worked on; None when unknown.
    held_mb: data in memory, by arithmetic.
    shared: whether its threads are processes that share the images.
    picture_mb: what each of its processes holds of the largest image.
    """

    rule: str
    method: str = ""
    name: str = ""
    images: float = 0.0
    pixels: float | None = None
    held_mb: float = 0.0
    shared: bool = False
    picture_mb: float = 0.0


class Estimator:
    """Estimates jobs of a configuration; reads manifests, stamps and rates once.

    A training takes what earlier ones of the same model and dataset took (their stamps below `results`). All else takes
    what the rates say.
    """

    def __init__(self, config: Mapping[str, Any], results: Path = Path("results"), rates: Path = RATES) -> None:
        self.config, self.results, self.rates_file = config, results, rates
        self._sizes: dict[str, DatasetSize] = {}

    @cached_property
    def rates(self) -> list[Rate]:
        """None where there is no such file: a missing estimate must not stop a run."""
        return read_rates(self.rates_file) if self.rates_file.is_file() else []

    @cached_property
    def finished(self) -> dict[tuple[str, str], list[float]]:
        """(dataset, model) -> seconds an epoch of each training that this machine has finished."""
        return finished_trainings(self.results)

    def size(self, dataset: str) -> DatasetSize:
        """How many images a dataset has, as far as that is known: a run may make its manifest at any time."""
        if self._sizes.get(dataset, UNKNOWN) is UNKNOWN:
            entry = self.config["datasets"].get(dataset) or self.config["face_images"][dataset]
            found = dataset_size(dataset, entry, self.results)
            if "cut" in entry and found is UNKNOWN:  # before anything is cut: a face in every picture
                height, width = Cut.of_entry(entry["cut"]).size
                whole = self.size(entry["cut"]["of"])
                found = replace(whole, pixels=float(height * width), largest=float(height * width))
            self._sizes[dataset] = found
        return self._sizes[dataset]

    def work(self, rule: str, wildcards: Mapping[str, str]) -> Work:
        """What a job has to do."""
        if "face_training" in wildcards or "face_images" in wildcards:
            return self._of_pictures(rule, wildcards)
        if "training" in wildcards:
            return self._of_generators(rule, wildcards)
        if "inpainter" in wildcards:
            return self._of_inpainter(rule, wildcards)
        if "stored" in wildcards:
            return self._of_whole_pictures(rule, wildcards)
        if "instance_model" in wildcards:
            return self._of_instances(rule, wildcards)
        key = next((key for key in METHOD_OF if key in wildcards), None)
        name = wildcards[key] if key else ""
        method = self.config[METHOD_OF[key]][name]["method"] if key else ""
        if "dataset" not in wildcards:
            return Work(rule, method, name)
        size = self.size(wildcards["dataset"])
        if key != "model":
            held_mb, picture_mb = size.images * ROW_MB, picture_memory_mb(rule, size.largest or 0)
            return Work(rule, method, name, size.images, size.pixels, held_mb, True, picture_mb)
        height, width = self.config["models"][name]["input"]
        pixels = float(height * width)
        if rule == "train" and wildcards.get("train_variant") == "untrained":
            return Work("build", method, name, 0, pixels)
        if rule == "train":
            return Work(rule, method, name, size.train * self.epochs(name), pixels, size.train * pixels * 3 / 1e6)
        features_mb = size.test * self.output_kb(Work("embed", method, name, pixels=pixels)) / 1e3
        held_mb = min(size.test, EMBED_CHUNK) * pixels * 3 / 1e6 + 3 * features_mb  # as read, normalised, in pieces
        return Work(rule, method, name, size.test, pixels, held_mb)

    def _of_pictures(self, rule: str, wildcards: Mapping[str, str]) -> Work:
        """Pictures for face detectors are drawn, or learnt from."""
        training = self.config["face_trainings"].get(wildcards.get("face_training"), {})
        name = wildcards.get("face_images") or training["images"]
        drawn = self.config["face_images"][name].get("render", {"images": 12_880})  # WIDER FACE's
        images = drawn.get("images", 100)
        if not training:
            pixels = float(drawn.get("height_px", 384) * drawn.get("width_px", 384))
            return Work(rule, "", rule, images + drawn.get("validation", 0), pixels, shared=True)
        recipe, trunk = training["recipe"], training["recipe"].get("trunk", "resnet101")
        units = recipe.get("epochs", 50) * (recipe.get("images_per_epoch") or images)
        return Work(rule, trunk, trunk, units, float(recipe.get("crops", {}).get("side", 500) ** 2))

    def _of_generators(self, rule: str, wildcards: Mapping[str, str]) -> Work:
        """Trainings of networks that hide people or show them again."""
        training, size = wildcards["training"], self.size(wildcards["dataset"])
        entry = self.config["reversible_trainings"][training]
        recipe = self.config["reversible_recipes"][entry["recipe"]]
        sides = picture_size(self.config, entry.get("desensitized") or entry["of"])
        pixels = math.prod(sides) if sides else size.pixels
        if pixels and rule != "train_base":
            pixels *= (recipe.get("generator", {}).get("width", GENERATOR_WIDTH) / RATED_WIDTH) ** WIDTH_POWER
        epochs, alone = recipe.get("epochs", GENERATOR_EPOCHS), recipe.get("head_start", 0)
        images = size.train * (1 - recipe.get("validation", {}).get("share", HELD_OUT))
        if rule == "train_restoration":
            images, passes = size.train, epochs
        else:
            passes = epochs - alone * (HEAD_START_SAVES if rule == "train_anonymizer" else 1)
        return Work(rule, "", training, images * passes, pixels, size.train * math.prod(sides or (0,)) * 6 / 1e6)

    def _of_inpainter(self, rule: str, wildcards: Mapping[str, str]) -> Work:
        """Crops of people, as many in an epoch as the recipe says, whatever there are."""
        name = wildcards["inpainter"]
        recipe = self.config["inpainters"][name]["recipe"]
        network = recipe.get("network", {})
        pixels = float(math.prod(network.get("size", INPAINTER_SIZE)))
        people = min(recipe.get("most_crops", MOST_CROPS), PEOPLE * self.size(wildcards["dataset"]).train)
        held_mb = pixels * CROP_BYTES * people / 1e6
        pixels *= (network.get("width", INPAINTER_WIDTH) / RATED_WIDTH) ** WIDTH_POWER
        crops = recipe.get("epochs", DEFAULT_EPOCHS) * recipe.get("crops_per_epoch", CROPS_PER_EPOCH)
        return Work(rule, "", name, crops, pixels, held_mb)

    def _of_whole_pictures(self, rule: str, wildcards: Mapping[str, str]) -> Work:
        """Pictures hidden, or compared with the originals, as a whole."""
        variant, _ = of_stored(self.config, wildcards["stored"])
        method, size = self.config["variants"][variant]["method"], self.size(wildcards["dataset"])
        images = size.test if rule == "picture_quality" else size.images
        picture_mb = picture_memory_mb(rule, size.largest or 0)
        return Work(rule, method, variant, images, size.pixels, size.images * ROW_MB, True, picture_mb)

    def _of_instances(self, rule: str, wildcards: Mapping[str, str]) -> Work:
        """Networks that find instances in scenes: trained, asked, scored. A picture is as large as it is resized."""
        entry = self.config["instance_models"][wildcards["instance_model"]]
        recipe = self.config["instance_recipes"][entry["recipe"]]
        size = self.size(wildcards["dataset"])
        pixels = float(entry.get("short_side", 800) * entry.get("long_side", 1333))
        images: float = size.test
        if rule == "train_instances":
            epochs, batch = recipe.get("epochs"), recipe.get("batch_size", INSTANCE_BATCH)
            images = size.train * epochs if epochs else recipe.get("iterations", INSTANCE_STEPS) * batch
        held_mb = size.train * (size.pixels or 0) * 3 / 1e6 if rule == "train_instances" else 0.0
        return Work(rule, entry["method"], wildcards["instance_model"], images, pixels, min(held_mb, HELD_MOST_MB))

    def epochs(self, model: str) -> int:
        """How often a model sees the training set."""
        epochs: int = self.config["recipes"][self.config["models"][model]["recipe"]].get("epochs", DEFAULT_EPOCHS)
        return epochs

    def rate(self, work: Work, quantity: str) -> Rate | None:
        """The row of the rates that says a quantity for a job; None where none does."""
        return find_rate(self.rates, work.rule, work.method, quantity, work.pixels)

    def is_listed(self, work: Work) -> bool:
        """Whether the rates have a row of the job's rule."""
        return any(rate.rule == work.rule for rate in self.rates)

    def image_seconds(self, work: Work, gpu: bool = False) -> float | None:
        """Of one GPU or one core for all images of a job, without its start. None where it is unknown."""
        quantity = "gpu_images_per_s" if gpu else "images_per_s"
        rate = self.rate(work, quantity) or (None if gpu or self.is_listed(work) else UNLISTED)
        return work.images * rate.scale(work.pixels) / getattr(rate, quantity) if rate else None

    def output_kb(self, work: Work) -> float:
        """Of a checkpoint, or of what is written for an image."""
        rate = self.rate(work, "output_kb")
        return rate.output_kb or 0.0 if rate else 0.0

    def estimate(self, rule: str, wildcards: Mapping[str, str], gpus: int = 0, threads: int = 1) -> JobEstimate:
        """What a job takes with so many threads, and GPUs if any."""
        work = self.work(rule, wildcards)
        here = self.finished.get((wildcards.get("dataset", ""), work.name)) if work.rule == "train" else None
        if here:
            seconds = statistics.median(here) * self.epochs(work.name)
        else:
            on_gpu = self.image_seconds(work, gpu=True) if gpus else None
            seconds = (self.image_seconds(work) or 0.0) / max(1, threads) if on_gpu is None else on_gpu
            seconds += self._amount(work, "start_s")
        if gpus:
            held = CUDA_MEMORY_MB + work.held_mb
            return JobEstimate(seconds, gpus * held + threads * (LOADER_MB + work.picture_mb))
        processes = threads + 1 if work.shared and threads > 1 else 1
        return JobEstimate(seconds, (self._amount(work, "memory_mb") + work.picture_mb) * processes + work.held_mb)

    def _amount(self, work: Work, quantity: str) -> float:
        """Start or memory of a job beside its images; a network's memory grows with their size."""
        rate = self.rate(work, quantity) or (UNLISTED if work.images else NO_IMAGES)
        growth = max(1.0, rate.scale(work.pixels)) if quantity == "memory_mb" and not work.shared else 1.0
        return float(getattr(rate, quantity)) * growth


def picture_memory_mb(rule: str, pixels: float) -> float:
    """What a process of a stage holds of its largest image, MB of 10^6 bytes.

    >>> [round(picture_memory_mb("detect", megapixels * 1e6)) for megapixels in (0.01, 6, 24)]
    [16, 659, 1379]
    """
    seen = min(pixels * ENLARGED, SEEN_PIXELS) * SEEN_BYTES if rule == "detect" else 0.0
    return (pixels * PICTURE_BYTES + seen) / 1e6


def finished_trainings(results: Path) -> dict[tuple[str, str], list[float]]:
    """(dataset, model) -> seconds an epoch of each training that was finished here, from stamps and histories.

    A stamp is about the process that came to the end, the history about every epoch, whichever process trained it.
    """
    found: dict[tuple[str, str], list[float]] = {}
    stamps = results / "stamps" / "train"
    for file in sorted(stamps.glob("*/*/*/*.json")):
        cell = file.relative_to(stamps).with_suffix("")
        try:
            with (results / "models" / cell / "history.csv").open(encoding="utf-8", newline="") as stream:
                epochs = [float(row["seconds"]) for row in csv.DictReader(stream)]
            if epochs:  # else a network that stays untrained
                seconds = max(read_stamp(file).seconds, sum(epochs)) / len(epochs)
                found.setdefault((cell.parts[0], cell.parts[1]), []).append(seconds)
        except (OSError, DataError, KeyError, ValueError):
            continue
    return found


def request_memory_mb(estimate: JobEstimate, attempt: int = 1) -> int:
    """Memory to ask a scheduler for, more at every further attempt."""
    wanted = estimate.memory_mb * MEMORY_MARGIN + NESTED_MB
    return math.ceil(max(MEMORY_FLOOR_MB, wanted) * MEMORY_GROWTH ** (attempt - 1))


def request_minutes(estimate: JobEstimate, attempt: int = 1, gpus: int = 0) -> int:
    """Time limit to ask a scheduler for, longer at every further attempt."""
    margin = GPU_TIME_MARGIN if gpus else TIME_MARGIN
    return math.ceil((estimate.seconds * margin / 60 + START_MINUTES) * attempt)
