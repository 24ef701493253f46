"""Train TinyFaces on images with face boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anonbench.core.command import Input, Output, Spec, command
from anonbench.data.wider_face import FaceImage, read_wider_face
from anonbench.detectors._tinyfaces.face_images import read_face_csv
from anonbench.detectors._tinyfaces.train import TinyFacesTask, TrainingRecipe, train_tinyfaces
from anonbench.detectors._tinyfaces.weights import save_network
from anonbench.training.checkpoint import Resume, key_of
from anonbench.training.device import select_device
from anonbench.training.progress import write_history


@command("train", gpu=True)
def train_detector(
    data: Input,
    spec: Spec,
    seed: int,
    output: Output,
    history: Output,
    resume_dir: Path,
    device: str = "auto",
    threads: int = 1,
    code: str = "",
) -> None:
    """Train TinyFaces on images with face boxes.

    data: a folder in WIDER FACE's layout, of which the training split is used, or a CSV (docs/detectors.md).
    spec: the training recipe, keys of `TrainingRecipe`.
    seed: of the weights and of every random choice, >= 0.
    output: weights (.pt).
    history: losses, learning rate and speed of every epoch (CSV).
    resume_dir: where the state of an unfinished training is kept. Removed on success. A state that other code has kept
        is not used.
    """
    recipe = TrainingRecipe.from_config(spec)
    images = read_face_csv(data) if data.is_file() else read_wider_face(data)
    ignored = sum(int(image.ignore.sum()) for image in images)
    faces = sum(len(image.boxes) for image in images) - ignored
    print(f"train-detector: {len(images)} images, {faces} faces, {ignored} ignored")
    where = select_device(device, threads)
    workers = threads if where.type == "cuda" else 0  # on a CPU the network needs the threads
    resume = Resume(resume_dir, _key(spec, seed, images, code))
    network, rows = train_tinyfaces(images, recipe, seed, where, resume, workers)
    save_network(output, network)
    write_history(history, TinyFacesTask.values, rows)
    resume.remove()


def _key(spec: Mapping[str, Any], seed: int, images: Sequence[FaceImage], code: str) -> str:
    """What a saved state must have in common with this training: recipe, seed, data, code."""
    data = [
        (image.path.name, image.path.stat().st_size, image.boxes.tolist(), image.ignore.tolist()) for image in images
    ]
    return key_of(dict(spec), seed, data, code)
