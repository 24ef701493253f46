"""The same people under several variants, and how like the raw pictures those shown are: Study 2's Figures 6, 7, 8, 10.

Source: Zhang et al. 2022, Fig. 6 (raw, desensitized, protected), Fig. 7 (raw, recovered), Fig. 8 (raw, pixelated,
protected without and with upgradation), Fig. 10 (all of it). Deviation: PSNR and SSIM stand below the pictures that
they were computed from.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from anonbench.core.errors import ConfigError, DataError
from anonbench.core.fields import build
from anonbench.data.images import RGB, read_image
from anonbench.data.pictures import Picture
from anonbench.data.seeding import generator
from anonbench.report.grid import (
    GAP,
    GROUP_LINE,
    LINE,
    NARROWEST,
    PRINT_WIDTH,
    SMALL_LINE,
    Column,
    arrange,
    draw_captions,
)
from anonbench.report.style import (
    FAINT,
    MARGIN,
    SMALL_SIZE,
    house_style,
    open_page,
    text_width,
)
from anonbench.tasks.reid.people import read_people
from anonbench.tasks.reversible.quality import WINDOW, psnr, ssim
from anonbench.training.loading import resize

PSNR = "PSNR, dB"


@dataclass(frozen=True, slots=True)
class Quality:
    """How like the raw pictures those of a column are.

    psnr: mean of the pictures that differ from the raw ones, in dB; inf where none does.
    ssim: mean of all, at most 1.
    identical: pictures that do not differ.
    """

    psnr: float
    ssim: float
    identical: int


def read_columns(
    entries: Sequence[Mapping[str, Any]], manifests: Sequence[Path], roots: Sequence[Path]
) -> list[Column]:
    """The columns, raw pictures first.

    Raises `ConfigError` for fewer than two, an unknown or missing key, and for more or fewer manifests or folders.
    """
    if len(entries) < 2:
        raise ConfigError(
            f"variants has {len(entries)} entries; expected the raw pictures and at least one more, each as "
            f"{{variant, title, group}} (group may be left out)."
        )
    if not len(entries) == len(manifests) == len(roots):
        raise ConfigError(
            f"{len(entries)} variants, {len(manifests)} manifests and {len(roots)} image folders; expected one of each "
            f"for every column."
        )
    return [build(Column, entry, f"variants[{number}]") for number, entry in enumerate(entries)]


def choose_people(pictures: Sequence[Picture], people: int, seed: int) -> list[Picture]:
    """A query picture of each of some identities, both drawn at random; junk and distractors are nobody.

    The order of the manifest changes nothing, and more people are the same ones and others behind them. Fewer than
    `people` where the dataset has no more.
    """
    queries: dict[int, list[Picture]] = {}
    for picture in sorted(pictures, key=lambda p: p.path):
        if picture.split == "query" and picture.labels["pid"] > 0:
            queries.setdefault(picture.labels["pid"], []).append(picture)
    pids = sorted(queries)
    drawn = [pids[n] for n in generator(seed, "figure_grid").permutation(len(pids))[:people]]
    return [queries[pid][generator(seed, "figure_grid", pid).integers(len(queries[pid]))] for pid in drawn]


def chosen_people(manifest: Path, splits: Path | None, split: int | None, people: int, seed: int) -> list[Picture]:
    """`choose_people` of a manifest; raises `DataError` when nobody can be shown."""
    chosen = choose_people(read_people(manifest, splits, split), people, seed)
    if not chosen:
        raise DataError(f"{manifest}: no query picture of a person (split 'query', pid >= 1); there is nobody to show.")
    if len(chosen) < people:
        print(f"{manifest}: {people} people were to be shown; {len(chosen)} have a query picture")
    return chosen


def read_pictures(column: Column, manifest: Path, root: Path, paths: Sequence[str], raw: Path) -> list[RGB]:
    """The pictures of a variant, in the order of `paths`.

    raw: the manifest that the paths are from, for the message.
    Raises `DataError` for one that the variant does not have.
    """
    known = {picture.path for picture in read_people(manifest)}
    for path in paths:
        if path not in known:
            raise DataError(
                f"{manifest}: no row for {path}, which {raw} has; expected every raw picture in the "
                f"variant '{column.variant}'. Make that copy again."
            )
    return [read_image(root / path) for path in paths]


def measure(raw: Sequence[RGB], shown: Sequence[RGB]) -> Quality:
    """PSNR and SSIM of pictures against the raw ones, which are resized to their size where it differs."""
    noise, likeness = [], []
    for reference, picture in zip(raw, shown, strict=True):
        height, width = picture.shape[:2]
        if min(height, width) < WINDOW:
            raise DataError(
                f"a picture of {width} x {height} pixels is too small for SSIM; expected sides of at least "
                f"{WINDOW} pixels. Raise `resize:` of the variant."
            )
        pair = [
            torch.from_numpy(image.copy()).permute(2, 0, 1)[None]
            for image in (resize(reference, (height, width)), picture)
        ]
        noise.append(float(psnr(*pair)))
        likeness.append(float(ssim(*pair)))
    finite = [value for value in noise if math.isfinite(value)]
    return Quality(float(np.mean(finite)) if finite else math.inf, float(np.mean(likeness)), len(noise) - len(finite))


@house_style()
def draw_grid(
    columns: Sequence[Column],
    people: Sequence[Picture],
    pictures: Sequence[Sequence[RGB]],
    qualities: Sequence[Quality],
    label: str,
    title: str,
    seed: int,
    warning: str = "",
) -> Figure:
    """A row a person, a column a variant; PSNR and SSIM below all columns but that of the raw pictures.

    columns: raw pictures first.
    people: who is shown, in order.
    pictures: of each column, (H, W, 3) uint8 RGB of any sizes, in the order of `people`. All are shown at one size,
        every pixel as a sharp rectangle.
    qualities: of each column but the first.
    label: what the data is, in words.
    title: of the page.
    seed: that drew the people, for the notes.
    warning: a line in red, such as that the people are real.
    """
    shapes = Counter(image.shape[:2] for column in pictures for image in column)
    stretched = len({high / wide for high, wide in shapes}) > 1
    names = [f"person {person.labels['pid']}\ncamera {person.labels['camid']}" for person in people]
    gutter = 0.1 + max(text_width(line, SMALL_SIZE) for name in [*names, PSNR] for line in name.split("\n"))
    layout = arrange(columns, len(people), shapes.most_common(1)[0][0], PRINT_WIDTH - 2 * MARGIN - gutter)
    above = 0.04 + LINE * max(map(len, layout.captions)) + (GROUP_LINE if any(c.group for c in columns) else 0)
    rows = len(people) * (layout.height + GAP) - GAP
    width = max(NARROWEST, gutter + layout.right + 2 * MARGIN)
    notes = _notes(columns[0].title, len(people), qualities, stretched, label, seed)
    page, top = open_page(title, notes, width, above + rows + 0.06 + 2 * SMALL_LINE + MARGIN, warning)
    start = (width - gutter - layout.right) / 2 + gutter
    draw_captions(page, columns, layout, start, top, top + above)
    for row, name in enumerate(names):
        y = top + above + row * (layout.height + GAP)
        page.text(start - 0.1, y + layout.height / 2, name, SMALL_SIZE, ha="right", va="center", color=FAINT)
        for left, images in zip(layout.lefts, pictures, strict=True):
            page.image(images[row], start + left, y, layout.width, layout.height)
    for number, (text, values) in enumerate(_below(qualities).items()):
        y = top + above + rows + 0.06 + number * SMALL_LINE
        page.text(start - 0.1, y, text, SMALL_SIZE, ha="right", color=FAINT)
        for left, value in zip(layout.lefts[1:], values, strict=True):
            page.text(start + left + layout.width / 2, y, value, SMALL_SIZE, ha="center")
    return page.figure


def _below(qualities: Sequence[Quality]) -> dict[str, list[str]]:
    """What stands below the columns, by the name of its row."""
    return {
        PSNR: ["∞" if math.isinf(quality.psnr) else f"{quality.psnr:.1f}" for quality in qualities],
        "SSIM": [f"{quality.ssim:.2f}" for quality in qualities],
    }


def _notes(raw: str, people: int, qualities: Sequence[Quality], stretched: bool, label: str, seed: int) -> str:
    notes = (
        f"{'One person' if people == 1 else f'{people} people'}, a row each: query pictures drawn at random (seed "
        f"{seed}). Below each column: mean PSNR and SSIM of the pictures shown, against '{raw}' at their size; the "
        f"higher, the more alike."
    )
    if stretched:
        notes += " All are shown at one size, those of other proportions stretched to it."
    if any(quality.identical and math.isfinite(quality.psnr) for quality in qualities):
        notes += f" Pictures identical to '{raw}' are left out of the PSNR, which is infinite for them."
    return f"{notes}\nData: {label}."
