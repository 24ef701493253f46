"""Feature files, and how features are compared."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonbench.core.errors import ConfigError, DataError, nearest
from anonbench.core.fields import build, refuse_unknown
from anonbench.core.files import atomic_file
from anonbench.data.pictures import Picture
from anonbench.tasks.reid.reranking import Reranking

METRICS = ("euclidean", "cosine")


def read_features(path: Path, split: str) -> dict[str, NDArray[Any]]:
    """The arrays of a feature file, cut down to one split."""
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in ("features", "paths", "pids", "camids", "splits")}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a complete feature file ({error}). Delete it and embed again.") from error
    rows = arrays.pop("splits") == split
    if not rows.any():
        raise DataError(f"{path}: holds no image of split '{split}'. Does the dataset's listing have one?")
    return {name: array[rows] for name, array in arrays.items()}


def write_features(path: Path, features: NDArray[np.float32], pictures: Sequence[Picture]) -> None:
    """Write what `read_features` reads: a row a picture, in their order.

    features: (N, D) float32.
    pictures: labelled pid and camid.
    """
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            features=features,
            paths=np.array([picture.path for picture in pictures]),
            pids=np.array([picture.labels["pid"] for picture in pictures], np.int64),
            camids=np.array([picture.labels["camid"] for picture in pictures], np.int64),
            splits=np.array([picture.split for picture in pictures]),
        )


def read_settings(evaluation: Mapping[str, Any]) -> tuple[str, Reranking | None]:
    """The metric and the re-ranking that a model's `evaluation:` entry asks for.

    Raises `ConfigError` for an unknown key, metric or value.
    """
    refuse_unknown(evaluation, ("metric", "rerank"), "evaluation")
    metric = evaluation.get("metric", "euclidean")
    if metric not in METRICS:
        raise ConfigError(f"evaluation.metric is '{metric}': {nearest(str(metric), METRICS)}")
    rerank = evaluation.get("rerank")
    if rerank is None:
        return metric, None
    if not isinstance(rerank, Mapping):
        raise ConfigError(f"evaluation.rerank is {rerank!r}; expected null or {{k1: 20, k2: 6, lambda_value: 0.3}}")
    return metric, build(Reranking, rerank, "evaluation.rerank")
