"""What every anonymizer promises, of either form."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from anonbench.anonymizers import ANONYMIZERS
from anonbench.anonymizers._apply import hide, in_order, is_learned
from anonbench.core.contract import BrokenPromiseError, Contract, expect, expect_frozen
from anonbench.core.errors import ConfigError
from anonbench.data.images import RGB
from anonbench.data.masks import Mask
from anonbench.data.regions import Box, Region, covered

HEIGHT, WIDTH = 48, 40
WHOLE = "over the whole image"
# Inside, at each border, in corners, everything: where boxes fall in real crops.
BOXES: dict[str, Box] = {
    "inside": (9, 7, 24, 27),
    "in the upper left corner": (0, 0, 14, 18),
    "in the lower right corner": (26, 30, 40, 48),
    "at the left edge": (0, 10, 13, 26),
    "at the right edge": (27, 10, 40, 26),
    "at the upper edge": (10, 0, 24, 17),
    "at the lower edge": (10, 31, 24, 48),
    "over the full width": (0, 12, 40, 30),
    "over the full height": (12, 0, 30, 48),
    WHOLE: (0, 0, 40, 48),
    "of 6 x 5 pixels": (11, 13, 17, 18),
}
TOUCHING: list[list[Box]] = [  # side by side, one above the other, at a border, with a hole between them
    [(6, 10, 20, 28), (20, 10, 34, 28)],
    [(6, 4, 20, 22), (8, 22, 24, 40)],
    [(0, 0, 14, 18), (14, 6, 40, 20)],
    [(4, 4, 30, 10), (4, 10, 10, 30), (24, 10, 30, 30), (4, 30, 30, 36)],
]
THIN: list[Box] = [(5, 5, 6, 30), (5, 5, 30, 6), (0, 0, 1, HEIGHT), (0, HEIGHT - 1, WIDTH, HEIGHT)]
SINGLE: list[Box] = [(0, 0, 1, 1), (17, 20, 18, 21), (WIDTH - 1, HEIGHT - 1, WIDTH, HEIGHT)]
OVERLAPPING: list[Box] = [(4, 4, 20, 24), (12, 10, 26, 30), (6, 6, 12, 12), (0, 20, 30, 34)]
LAST_DIGITS = 2  # grey levels by which a picture may differ alone and in a batch: sums are rounded in another order
PARTS_ONLY = "it hides whole pictures alone"
LIKENESS = 0.9  # correlation of a box's pixels before and after; the paper's blur on noise: 0.35, a copy: 1


@dataclass(frozen=True)
class AnonymizerSubject:
    """An anonymizer's key and parameters. Building it raises `ConfigError` when the registry refuses them."""

    name: str
    parameters: Mapping[str, Any]

    @cached_property
    def anonymizer(self) -> Any:
        """An `Anonymizer` or a `LearnedAnonymizer`."""
        return self.create()

    @property
    def is_learned(self) -> bool:
        return is_learned(self.anonymizer)

    @property
    def is_whole(self) -> bool:
        """Whether it takes whole pictures alone, and no parts of them."""
        return bool(getattr(self.anonymizer, "whole_picture", False))

    @property
    def step(self) -> int:
        """What the height and width of its pictures must be multiples of."""
        return int(getattr(self.anonymizer, "multiple_px", 1))

    @cached_property
    def image(self) -> RGB:
        """Texture everywhere, of the least size from (HEIGHT, WIDTH) on that it takes; read-only."""
        image = noise(_round_up(HEIGHT, self.step), _round_up(WIDTH, self.step))
        image.flags.writeable = False
        return image

    @property
    def boxes(self) -> dict[str, Box]:
        """Boxes in `image` that it can hide, with where they are."""
        height, width = self.image.shape[:2]
        return {WHOLE: (0, 0, width, height)} if self.is_whole else BOXES

    def create(self, **more: Any) -> Any:
        return ANONYMIZERS.create({"method": self.name, **self.parameters, **more})

    def hide(self, image: RGB, boxes: Sequence[Box]) -> RGB:
        return self.hide_regions(image, [Region(box) for box in boxes])

    def hide_regions(self, image: RGB, regions: Sequence[Region]) -> RGB:
        return hide([image], [regions], self.anonymizer, [np.random.default_rng(11)])[0]


CONTRACT: Contract[AnonymizerSubject] = Contract("anonymizer")


def noise(height: int = HEIGHT, width: int = WIDTH) -> RGB:
    """Texture everywhere, never 0, so that no method leaves a whole line as it was by luck."""
    return np.random.default_rng(3).integers(1, 256, (height, width, 3), dtype=np.uint8)


@CONTRACT.promise("is a frozen dataclass, equal by its parameters, and can be sent to other processes")
def is_a_value(subject: AnonymizerSubject) -> None:
    plugin = subject.anonymizer
    expect_frozen(plugin)
    other = subject.create()
    expect(plugin == other and hash(plugin) == hash(other), "Two with the same parameters differ.")
    expect(pickle.loads(pickle.dumps(plugin)) == plugin, "A pickled copy differs.")


@CONTRACT.promise("refuses parameters that it does not have")
def refuses_unknown_parameters(subject: AnonymizerSubject) -> None:
    try:
        subject.create(no_such_thing=1)
    except ConfigError:
        return
    raise BrokenPromiseError("no_such_thing=1 is accepted; a misspelt parameter must stop the run, not be ignored.")


@CONTRACT.promise("returns patches of the box's size, (h, w, 3) uint8, that share no memory with the image")
def returns_patches(subject: AnonymizerSubject) -> str | None:
    if subject.is_learned:
        return "it returns whole images"
    image = subject.image
    for where, box in subject.boxes.items():
        x0, y0, x1, y1 = box
        patch = subject.anonymizer.redact(image, Region(box), np.random.default_rng(11))
        found = f"{patch.dtype} of shape {patch.shape}" if isinstance(patch, np.ndarray) else type(patch).__name__
        wanted = (y1 - y0, x1 - x0, 3)
        expect(
            isinstance(patch, np.ndarray) and patch.dtype == np.uint8 and patch.shape == wanted,
            f"A box {where} {box}: found {found}; expected uint8 of shape {wanted}.",
        )
        expect(not np.shares_memory(patch, image), f"A box {where} {box}: it is a view; return a copy.")
    return None


@CONTRACT.promise("if it takes several images at once: says how many, and returns as many, (H, W, 3) uint8 each")
def returns_images(subject: AnonymizerSubject) -> str | None:
    """Images of different sizes, read-only; what comes back shares no memory with them."""
    plugin = subject.anonymizer
    if not subject.is_learned:
        return "it takes one region at a time"
    batch = getattr(plugin, "batch", None)
    expect(type(batch) is int and batch >= 1, f"Its field `batch` is {batch!r}; expected a whole number >= 1.")
    images, regions = different_pictures(subject)
    for image in images:
        image.flags.writeable = False
    made = plugin.anonymize_batch(images, regions, [np.random.default_rng(n) for n in range(len(images))])
    expect(len(made) == len(images), f"It returned {len(made)} images for {len(images)}.")
    for image, found, picture in zip(images, regions, made, strict=True):
        is_array = isinstance(picture, np.ndarray)
        what = f"{picture.dtype} of shape {picture.shape}" if is_array else type(picture).__name__
        expect(
            is_array and picture.dtype == np.uint8 and picture.shape == image.shape,
            f"It returned {what}; expected uint8 of shape {image.shape}.",
        )
        expect(not np.shares_memory(picture, image), "It returned a view of the image; return a copy.")
        outside = ~covered(found, *image.shape[:2])
        expect(not (picture != image).any(axis=2)[outside].any(), "Pixels outside the regions change.")
    return f"{batch} at once"


@CONTRACT.promise("if it takes several images at once: hides an image alone as it does in a batch")
def is_the_same_in_a_batch(subject: AnonymizerSubject) -> str | None:
    """But for the last digits (`LAST_DIGITS`)."""
    if not subject.is_learned:
        return "it takes one region at a time"
    images, regions = different_pictures(subject)
    seeds = range(len(images))
    together = hide(images, regions, subject.anonymizer, [np.random.default_rng(n) for n in seeds])
    largest = 0
    for n in seeds:
        alone = hide([images[n]], [regions[n]], subject.anonymizer, [np.random.default_rng(n)])[0]
        largest = max(largest, int(np.abs(alone.astype(int) - together[n]).max()))
    expect(
        largest <= LAST_DIGITS,
        f"An image differs by {largest} grey levels when others are hidden with it; expected {LAST_DIGITS} at most. "
        f"Use the network's running statistics (`eval()`), and the random numbers of each image for it alone.",
    )
    return f"to {largest} grey levels"


@CONTRACT.promise("changes every row and column of the box, and nothing else")
def hides_every_line(subject: AnonymizerSubject) -> None:
    image = subject.image
    for where, box in subject.boxes.items():
        _all_hidden(image, subject.hide(image, [box]), [box], where)


@CONTRACT.promise("hides all of several boxes that overlap")
def hides_overlapping_boxes(subject: AnonymizerSubject) -> str | None:
    if subject.is_whole:
        return PARTS_ONLY
    image = noise()
    _all_hidden(image, subject.hide(image, OVERLAPPING), OVERLAPPING, "among overlapping ones")
    return None


@CONTRACT.promise("hides all of a mask, and nothing outside it")
def hides_masks(subject: AnonymizerSubject) -> str | None:
    """The masked pixels of every row and column change, some of them at least; pixels outside the mask never do."""
    if subject.is_whole:
        return PARTS_ONLY
    image = noise()
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    for cx, cy, radius in ((20, 22, 12), (4, 5, 9), (36, 44, 10)):
        disc = (rows - cy) ** 2 + (columns - cx) ** 2 <= radius**2
        ys, xs = np.nonzero(disc)
        box = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
        changed = (subject.hide_regions(image, [Region(box, "body", mask=Mask.pack(disc))]) != image).any(axis=2)
        at = f"A disc in the box {box}"
        expect(not changed[~disc].any(), f"{at}: pixels outside the mask change.")
        expect(changed[disc].mean() > 0.5, f"{at}: only {changed[disc].mean():.0%} of the masked pixels change.")
    return None


@CONTRACT.promise("leaves too little of what the box showed to pass for it")
def leaves_no_likeness(subject: AnonymizerSubject) -> str:
    image = subject.image
    largest = 0.0
    for where, (x0, y0, x1, y1) in subject.boxes.items():
        before = image[y0:y1, x0:x1].astype(float).ravel()
        after = subject.hide(image, [(x0, y0, x1, y1)])[y0:y1, x0:x1].astype(float).ravel()
        likeness = 0.0 if after.std() == 0 else abs(float(np.corrcoef(before, after)[0, 1]))
        expect(
            likeness < LIKENESS,
            f"A box {where} {(x0, y0, x1, y1)}: on noise the pixels before and after correlate by {likeness:.2f}; "
            f"expected less than {LIKENESS}. An inversion, a tint or a slight blur hides nobody.",
        )
        largest = max(largest, likeness)
    return f"on noise they correlate by at most {largest:.2f}"


@CONTRACT.promise("if it says that it depends on nothing hidden: no pixel of any box changes the result")
def depends_on_nothing_hidden(subject: AnonymizerSubject) -> str | None:
    """Boxes alone, touching, overlapping, and over the whole image; what one hides must not show through another."""
    if getattr(subject.anonymizer, "depends_on_hidden", True):
        return "it makes no such claim"
    image = subject.image
    for boxes in [[box] for box in subject.boxes.values()] + ([] if subject.is_whole else [*TOUCHING, OVERLAPPING]):
        hidden = covered(map(Region, boxes), *image.shape[:2])
        other = image.copy()
        other[hidden] = np.random.default_rng(5).integers(0, 256, (int(hidden.sum()), 3), dtype=np.uint8)
        differ = np.abs(subject.hide(image, boxes).astype(int) - subject.hide(other, boxes))
        expect(
            not differ.any(),
            f"Boxes {boxes}: {int(differ.any(axis=2).sum())} pixels of the result depend on what the boxes hide, by up "
            f"to {differ.max()} grey levels. Fill all boxes of a picture at once (`fill`), or leave out the claim "
            f"`depends_on_hidden = False`.",
        )
    return None


@CONTRACT.promise("copes with boxes of one pixel, one pixel wide, one pixel high, and with an image of one pixel")
def copes_with_tiny_boxes(subject: AnonymizerSubject) -> str | None:
    if subject.is_whole:
        return PARTS_ONLY
    image = noise()
    for box in [*THIN, *SINGLE]:
        changed = (subject.hide(image, [box]) != image).any(axis=2)
        expect(not changed[~covered([Region(box)], HEIGHT, WIDTH)].any(), f"The box {box} changes pixels outside.")
    subject.hide(np.full((1, 1, 3), 77, dtype=np.uint8), [(0, 0, 1, 1)])
    return None


@CONTRACT.promise("if it says that it hides whole pictures alone: refuses a part of one with a ValueError")
def refuses_parts(subject: AnonymizerSubject) -> str | None:
    """What it would make of a part is no patch of the picture, and what it leaves out would stay visible."""
    if not subject.is_whole:
        return "it hides parts"
    height, width = subject.image.shape[:2]
    mask = np.ones((height, width), bool)
    mask[0, 0] = False
    for region in (Region((0, 0, width, height - 1)), Region((0, 0, width, height), "body", mask=Mask.pack(mask))):
        try:
            subject.hide_regions(subject.image, [region])
        except ValueError:
            continue
        what = "a mask" if region.mask else f"the box {region.pixels}"
        raise BrokenPromiseError(
            f"It takes {what} of a picture of {width} x {height} pixels; raise ValueError, or leave out the claim "
            f"`whole_picture = True`."
        )
    return None


@CONTRACT.promise("gives the same result for the same image and random seed, in whatever order the boxes come")
def is_repeatable(subject: AnonymizerSubject) -> None:
    image, boxes = subject.image, list(subject.boxes.values()) if subject.is_whole else OVERLAPPING
    expected = subject.hide(image, boxes)
    advice = "Draw from `rng` only and keep no state between calls."
    for order in (boxes, *itertools.permutations(boxes), boxes * 2):
        expect(np.array_equal(subject.hide(image, list(order)), expected), f"Two runs differ. {advice}")
    expect(np.array_equal(AnonymizerSubject(subject.name, subject.parameters).hide(image, boxes), expected),
           f"A second instance gives another result. {advice}")  # fmt: skip


def different_pictures(subject: AnonymizerSubject) -> tuple[list[RGB], list[list[Region]]]:
    """Three pictures of different sizes, and regions in each as an anonymizer gets them."""
    if subject.is_whole:
        height, width = subject.image.shape[:2]
        images = [
            noise(height + more * subject.step, width + most * subject.step) for more, most in ((0, 0), (1, 0), (0, 1))
        ]
        return images, [[Region((0, 0, image.shape[1], image.shape[0]))] for image in images]
    images = [np.ascontiguousarray(noise()[:h, :w]) for h, w in ((HEIGHT, WIDTH), (30, WIDTH), (HEIGHT, 26))]
    boxes: list[list[Box]] = [[(4, 4, 20, 24), (12, 10, 26, 30)], [(0, 0, 14, 18)], [(5, 25, 26, 48)]]
    return images, [in_order(map(Region, found)) for found in boxes]


def _all_hidden(image: RGB, result: RGB, boxes: Sequence[Box], where: str) -> None:
    changed = (result != image).any(axis=2)
    for x0, y0, x1, y1 in boxes:
        box = changed[y0:y1, x0:x1]
        rows, columns = box.any(axis=1), box.any(axis=0)
        at = f"A box {where} {(x0, y0, x1, y1)}"
        expect(rows.all(), f"{at}: row {y0 + int(np.argmin(rows))} is left as it was.")
        expect(columns.all(), f"{at}: column {x0 + int(np.argmin(columns))} is left as it was.")
    expect(not changed[~covered(map(Region, boxes), *changed.shape)].any(), f"A box {where}: pixels outside change.")


def _round_up(side: int, step: int) -> int:
    """The least multiple of a step that is not less than a side."""
    return -(-side // step) * step
