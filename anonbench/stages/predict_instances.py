"""Let a trained network find the instances in the test pictures of one variant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from anonbench.core.command import Input, Output, command
from anonbench.core.errors import DataError
from anonbench.core.progress import ProgressBar
from anonbench.core.registry import load_plugins
from anonbench.data.pictures import Picture, read_manifest
from anonbench.stages.evaluate_instances import SPLIT
from anonbench.tasks.instances.checkpoint import Trained, load_network
from anonbench.tasks.instances.models._rcnn import place_network
from anonbench.tasks.instances.prediction import predict
from anonbench.tasks.instances.predictions import write_predictions
from anonbench.tasks.instances.scenes import read_picture
from anonbench.training.device import autocast, select_device
from anonbench.training.loading import Prefetched

AHEAD = 4  # pictures that are read while others are looked at


@command("evaluate", gpu=True, plugin="anonbench.tasks.instances.models:INSTANCE_MODELS")
def predict_instances(
    checkpoint: Input,
    manifest: Input,
    root: Input,
    output: Output,
    device: str = "auto",
    threads: int = 1,
    plugins: Sequence[str] = (),
    code: str = "",
) -> None:
    """Let a trained network find the instances in the pictures of the split `val`.

    checkpoint: the network (.pt of `train-instances`).
    manifest: the pictures of the variant that is tested on (CSV).
    root: folder that their paths are relative to.
    output: COCO's results with the names of pictures and categories (JSON).
    """
    load_plugins(plugins)
    trained = load_network(checkpoint)
    where = select_device(device, threads)
    pictures = [picture for picture in read_manifest(manifest) if picture.split == SPLIT]
    if not pictures:
        raise DataError(f"{manifest}: lists no picture of the split '{SPLIT}'.")
    place_network(trained.network, where, partial(autocast, "auto", where))
    found = _results(trained, root, pictures, threads)
    count = write_predictions(output, trained.categories, trained.finds, found)
    print(f"predict_instances: {count} instances in {len(pictures)} pictures")


def _results(trained: Trained, root: Path, pictures: Sequence[Picture], threads: int) -> Iterator[dict[str, Any]]:
    paths = [picture.path for picture in pictures]
    with ProgressBar(len(paths), "predict", "pictures") as bar:
        reading = Prefetched([root / path for path in paths], read_picture, threads, AHEAD)
        for path, picture in zip(paths, reading, strict=True):
            yield from predict(trained.network, path, picture, trained.categories)
            bar.update()
