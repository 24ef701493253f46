"""What every detector promises."""

from __future__ import annotations

import functools
import math
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from anonbench.core.contract import BrokenPromiseError, Contract, expect, expect_frozen
from anonbench.core.errors import ConfigError
from anonbench.data.annotations import ANNOTATION_COLUMNS, FILE
from anonbench.data.images import RGB, encode_image
from anonbench.data.regions import Kind, Region
from anonbench.detectors import DETECTORS, Detect, Detector
from anonbench.rendered import CropPlan, RenderSpec, Studio

PEOPLE = 3


@dataclass(frozen=True)
class DetectorSubject:
    """A detector, a dataset folder and images of it by their path (`Detect`'s second argument).

    people: the paths of images that show a face from the front.
    """

    name: str
    parameters: Mapping[str, Any]
    root: Path
    images: Mapping[str, RGB]
    people: tuple[str, ...] = ()

    def create(self, **more: Any) -> Any:
        return DETECTORS.create({"method": self.name, **self.parameters, **more})

    @functools.cached_property
    def detector(self) -> Detector:
        plugin: Detector = self.create()
        return plugin

    @functools.cached_property
    def detect(self) -> Detect:
        return self.detector.open(self.root)

    def find(self, path: str) -> list[Region]:
        """What is found in one image; the detector gets a copy."""
        return self.detect(self.images[path].copy(), path)


CONTRACT: Contract[DetectorSubject] = Contract("detector")


@functools.cache
def sample_images() -> dict[str, RGB]:
    """Rendered people seen from the front, and the images on which detectors tend to fail."""
    spec = RenderSpec(seed=11, height_px=256, width_px=128, occluder_share=0.0, bystander_share=0.0)
    studio = Studio(spec)
    people = {
        f"person{n}.png": studio.draw(CropPlan(f"query/{n}.jpg", 1, 1 + n, n), view="front").image
        for n in range(PEOPLE)
    }
    grey = people["person0.png"].mean(axis=2, keepdims=True).astype(np.uint8)
    texture = np.random.default_rng(7).integers(0, 256, (4, 8, 3), dtype=np.uint8)
    return {
        **people,
        "grey_person.png": np.repeat(grey, 3, axis=2),
        "nothing.png": np.full((128, 64, 3), 127, np.uint8),
        "black.png": np.zeros((96, 48, 3), np.uint8),
        "tiny_8x4.png": texture,
        "one_pixel.png": texture[:1, :1],
        "wide_400x30.png": np.full((30, 400, 3), 200, np.uint8),
        "high_30x400.png": np.full((400, 30, 3), 90, np.uint8),
    }


def write_samples(root: Path) -> tuple[dict[str, RGB], tuple[str, ...]]:
    """Write the sample images below `root`, with annotations for detectors that read some.

    Returns the images and the paths of those with a face from the front.
    """
    images = sample_images()
    people = tuple(path for path in images if path.startswith("person"))
    rows = [",".join(ANNOTATION_COLUMNS), *(f"{p},50,20,80,60" if p in people else f"{p},,,," for p in images)]
    (root / FILE).parent.mkdir(parents=True)
    (root / FILE).write_text("\n".join(rows) + "\n", encoding="utf-8")
    for path, image in images.items():
        (root / path).write_bytes(encode_image(image, ".png", 95))
    return images, people


@CONTRACT.promise("is a frozen dataclass, equal by its parameters, and can be sent to other processes")
def is_a_value(subject: DetectorSubject) -> None:
    plugin = subject.detector
    expect_frozen(plugin)
    expect(subject.create() == plugin, "Two with the same parameters differ.")
    expect(pickle.loads(pickle.dumps(plugin)) == plugin, "A pickled copy differs.")


@CONTRACT.promise("refuses parameters that it does not have")
def refuses_unknown_parameters(subject: DetectorSubject) -> None:
    try:
        subject.create(no_such_thing=1)
    except ConfigError:
        return
    raise BrokenPromiseError("no_such_thing=1 is accepted; a misspelt parameter must stop the run, not be ignored.")


@CONTRACT.promise("opens with a dataset's folder and returns a function")
def opens(subject: DetectorSubject) -> None:
    expect(callable(subject.detect), f"open(root) returned {type(subject.detect).__name__}; expected (image, path) ->")


@CONTRACT.promise("returns a list of Region with finite floats, boxes that are not empty, scores 0..1, best first")
def returns_detections(subject: DetectorSubject) -> str:
    """Also that tiny, wide, grey and empty images are no reason to fail."""
    with_faces = 0
    for path, image in subject.images.items():
        found = subject.find(path)
        size = f"{image.shape[1]} x {image.shape[0]}"
        _check_regions(found, image.shape[:2], f"{path} ({size} pixels)")
        with_faces += bool(found)
    people = sum(bool(subject.find(path)) for path in subject.people)
    remark = f"boxes in {with_faces} of {len(subject.images)} images"
    return f"{remark}, in {people} of {len(subject.people)} rendered people" if subject.people else remark


@CONTRACT.promise("gives the same boxes again, whatever image came before")
def is_repeatable(subject: DetectorSubject) -> None:
    first = {path: list(subject.find(path)) for path in subject.images}
    for path in reversed(list(subject.images)):
        again = subject.find(path)
        expect(again == first[path], f"{path}: found {first[path]} first, {again} after other images.")
    opened = subject.create().open(subject.root)
    for path, image in subject.images.items():
        expect(opened(image.copy(), path) == first[path], f"{path}: opened a second time it finds other boxes.")


@CONTRACT.promise("leaves the image as it is, and reads images that it may not write to")
def leaves_the_image_alone(subject: DetectorSubject) -> None:
    for path, image in subject.images.items():
        copy = image.copy()
        subject.detect(copy, path)
        expect(np.array_equal(copy, image), f"{path}: its pixels change; work on a copy.")
        copy.flags.writeable = False
        subject.detect(copy, path)


def _check_regions(found: object, shape: tuple[int, ...], where: str) -> None:
    expect(isinstance(found, list), f"{where}: found {type(found).__name__}; expected a list, empty without a face.")
    assert isinstance(found, list)
    for d in found:
        expect(isinstance(d, Region), f"{where}: found {d!r} in the list; expected Region((x0, y0, x1, y1), score=…)")
        expect(isinstance(d.box, tuple) and len(d.box) == 4, f"{where}: the box is {d.box!r}; expected a tuple of four")
        for key, value in zip(("x0", "y0", "x1", "y1", "score"), (*d.box, d.score), strict=True):
            expect(
                type(value) is float and math.isfinite(value),
                f"{where}: {key} is {value!r} ({type(value).__name__}); expected a finite Python float: float({key}).",
            )
        expect(d.x0 < d.x1 and d.y0 < d.y1, f"{where}: {d} is empty; expected x0 < x1 and y0 < y1, in pixels.")
        expect(0 <= d.score <= 1, f"{where}: the score is {d.score}; expected 0..1.")
        expect(d.kind in get_args(Kind), f"{where}: the kind is {d.kind!r}; expected {' or '.join(get_args(Kind))}.")
        expect(
            d.source in ("found", "annotated"),
            f"{where}: the source is {d.source!r}; expected found, or annotated for boxes that come with the data.",
        )
        size = None if d.mask is None else (d.mask.height, d.mask.width)
        expect(size in (None, shape), f"{where}: a mask of {size} (height, width) in an image of {shape}.")
    scores = [d.score for d in found]
    expect(scores == sorted(scores, reverse=True), f"{where}: the scores are {scores}; expected the best first.")
