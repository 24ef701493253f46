"""Describe faces by a recognizer that is already trained (Study 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anonbench.attacks.recognizers import RECOGNIZERS
from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.errors import DataError
from anonbench.core.parallel import parallel_map
from anonbench.core.registry import load_plugins
from anonbench.data.images import read_image
from anonbench.tasks.reid.features import write_features
from anonbench.tasks.reid.people import read_people


@command("evaluate", plugin="anonbench.attacks.recognizers:RECOGNIZERS")
def recognize(
    manifest: Input,
    root: Input,
    spec: Spec,
    output: Output,
    threads: int = 1,
    plugins: Sequence[str] = (),
) -> None:
    """Describe the query and gallery faces of one manifest by a recognizer that is already trained.

    The file is like that of `embed`: features (N, D) float32, paths, pids, camids, splits.

    manifest: the faces (CSV of `cut_faces`).
    root: folder that their paths are relative to.
    spec: the recognizer's config entry, `{method, **parameters}`.
    output: features (.npz).
    """
    load_plugins(plugins)
    faces = [face for face in read_people(manifest) if face.split in ("query", "gallery")]
    if not faces:
        raise DataError(f"{manifest}: no face has split 'query' or 'gallery'; there is nothing to recognize.")
    RECOGNIZERS.create(spec).open()  # what is missing is said here, and not by every process
    paths = [face.path for face in faces]
    features = parallel_map(_open_recognizer, (root, spec, tuple(plugins)), paths, threads, "recognize")
    write_features(output, np.stack(features), faces)


def _open_recognizer(
    root: Path, spec: dict[str, object], plugins: Sequence[str]
) -> Callable[[str], NDArray[np.float32]]:
    load_plugins(plugins)
    features = RECOGNIZERS.create(spec).open()

    def describe(path: str) -> NDArray[np.float32]:
        found: NDArray[np.float32] = features(read_image(root / path)[None])[0]
        return found

    return describe
