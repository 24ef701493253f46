"""What a job of a rule has to do, in the terms of the rates: how many images, of which size, by which method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anonbench.ops.costs.rates import Rate, find_quantity
from anonbench.ops.costs.sizes import UNKNOWN, DatasetSize

# Keys of config entries that change no speed; all others are parameters of the method.
MODEL_KEYS = ("method", "input", "pretrained", "recipe", "seeds", "evaluation", "training", "gpus")
# Neither they nor an anonymizer's strength change the speed.
DETECTOR_KEYS = ("method", "threshold", "default_box", "weights", "gpu")
DEFAULT_EPOCHS = 100
FLOAT32_BYTES = 4
EMBED_CHUNK = 4096  # images that embedding decodes at a time
ROW_MB = 0.002  # of a manifest with its boxes, in memory
WIDER_IMAGES = 12_880  # of WIDER FACE for training
NO_IMAGES = DatasetSize(0, 0, None, UNKNOWN)
# What a scheduler is asked for while nothing tells how large a dataset is: as for the largest of re-identification.
MANY_IMAGES = DatasetSize(33_000, 94_000, None, UNKNOWN)  # MSMT17


@dataclass(frozen=True)
class Work:
    """What a job has to do.

    stage, method, parameters: a row of the rates; `build` is a network that stays untrained. pixels: of an image, None
    when unknown. units: images that are worked on, an epoch of training counting each once more. data_mb: what is held
    in memory, by arithmetic. name: what the config calls the method. on_gpu: runs on one where there is one. workers:
    splits its images over processes.
    """

    stage: str
    method: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    pixels: float | None = None
    units: float = 0.0
    data_mb: float = 0.0
    name: str = ""
    on_gpu: bool = False
    workers: bool = False


def work_of(
    rule: str,
    wildcards: Mapping[str, str],
    config: Mapping[str, Any],
    size_of: Callable[[str], DatasetSize | None],
    rates: Sequence[Rate],
) -> Work:
    """The work of a job. size_of: dataset -> its size, None when nothing tells.

    A rule without images of its own (tables, statistics, figures) has none: its jobs take what they take.
    """
    if rule not in RULES:
        return Work(rule)
    size = size_of(wildcards["dataset"]) if "dataset" in wildcards else None
    return RULES[rule](wildcards, config, size or NO_IMAGES, rates)


def method_of(config: Mapping[str, Any], model: str) -> tuple[str, dict[str, Any]]:
    """The architecture of a model and its parameters."""
    entry = config["models"][model]
    return entry["method"], {k: v for k, v in entry.items() if k not in MODEL_KEYS}


def epochs_of(config: Mapping[str, Any], model: str) -> int:
    """How often a model sees the training set."""
    epochs: int = config["recipes"][config["models"][model]["recipe"]].get("epochs", DEFAULT_EPOCHS)
    return epochs


def _network(stage: str, config: Mapping[str, Any], model: str, units: float, held: float, extra_mb: float) -> Work:
    """held: decoded images in memory at a time."""
    height, width = config["models"][model]["input"]
    method, parameters = method_of(config, model)
    data_mb = held * height * width * 3 / 1e6 + extra_mb
    return Work(stage, method, parameters, float(height * width), units, data_mb, model, on_gpu=True)


def _train(wildcards: Mapping[str, str], config: Mapping[str, Any], size: DatasetSize, _: Sequence[Rate]) -> Work:
    model = wildcards["model"]
    if wildcards["train_variant"] == "untrained":
        return _network("build", config, model, 0, 0, 0)
    return _network("train", config, model, size.train * epochs_of(config, model), size.train, 0)


def _features_mb(config: Mapping[str, Any], model: str, images: int, rates: Sequence[Rate]) -> float:
    dim, _ = find_quantity(rates, "network", "feature_dim", *method_of(config, model))
    return images * dim * FLOAT32_BYTES / 1e6


def _embed(wildcards: Mapping[str, str], config: Mapping[str, Any], size: DatasetSize, rates: Sequence[Rate]) -> Work:
    model = wildcards["model"]
    features = _features_mb(config, model, size.test, rates)
    return _network("embed", config, model, size.test, min(size.test, EMBED_CHUNK), 2 * features)  # and as a file


def _evaluate(
    wildcards: Mapping[str, str], config: Mapping[str, Any], size: DatasetSize, rates: Sequence[Rate]
) -> Work:
    model = wildcards["model"]
    method = "rerank" if config["models"][model].get("evaluation", {}).get("rerank") else "rank"
    data_mb = 3 * _features_mb(config, model, size.test, rates)  # as read, normalised, in pieces
    return Work("evaluate", method, {}, None, size.test, data_mb, model)


def _detect(wildcards: Mapping[str, str], config: Mapping[str, Any], size: DatasetSize, _: Sequence[Rate]) -> Work:
    entry = config["detectors"][wildcards["detector"]]
    parameters = {k: v for k, v in entry.items() if k not in DETECTOR_KEYS}
    return _over_images("detect", entry["method"], parameters, size)


def _anonymize(wildcards: Mapping[str, str], config: Mapping[str, Any], size: DatasetSize, _: Sequence[Rate]) -> Work:
    return _over_images("anonymize", config["variants"][wildcards["variant"]]["method"], {}, size)


def _over_images(stage: str, method: str, parameters: Mapping[str, Any], size: DatasetSize) -> Work:
    return Work(
        stage, method, parameters, size.pixels, size.images, size.images * ROW_MB, method or stage, workers=True
    )


def _render_faces(wildcards: Mapping[str, str], config: Mapping[str, Any], _: DatasetSize, __: Sequence[Rate]) -> Work:
    from anonbench.stages.render_faces import read_crowd

    crowd, validation = read_crowd(config["face_images"][wildcards["face_images"]]["render"])
    images = crowd.images + validation
    return Work(
        "render_faces", "crowd", {}, float(crowd.height_px * crowd.width_px), images, 0.0, "crowd", workers=True
    )


def _train_detector(
    wildcards: Mapping[str, str], config: Mapping[str, Any], _: DatasetSize, __: Sequence[Rate]
) -> Work:
    from anonbench.detectors._tinyfaces.train import TrainingRecipe

    training = config["face_trainings"][wildcards["face_training"]]
    recipe = TrainingRecipe.from_config(training["recipe"])
    drawn = config["face_images"][training["images"]].get("render", {}).get("images", WIDER_IMAGES)
    units = recipe.epochs * (recipe.images_per_epoch or drawn)
    pixels = float(recipe.crops.side**2)
    return Work("train_detector", recipe.trunk, {}, pixels, units, 0.0, recipe.trunk)


def _plain(stage: str, method: str = "") -> Callable[..., Work]:
    return lambda wildcards, config, size, rates: _over_images(stage, method, {}, size)


RULES: dict[str, Callable[[Mapping[str, str], Mapping[str, Any], DatasetSize, Sequence[Rate]], Work]] = {
    "render": _plain("render", "render"),
    "unpack": _plain("unpack"),
    "index": _plain("index"),
    "index_faces": _plain("index"),
    "detect": _detect,
    "render_faces": _render_faces,
    "train_detector": _train_detector,
    "anonymize": _anonymize,
    "train": _train,
    "embed": _embed,
    "evaluate": _evaluate,
}
