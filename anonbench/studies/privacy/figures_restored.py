"""The same faces original, hidden and restored: those that an attack recognizes afterwards, and those that it does not.

    halves = choose(read_trials(path), faces=5, seed=0)
    pictures = read_faces([trial.path for trial in halves.shown], manifests, roots)
    figure = draw_restored(halves, pictures, "faces_restored", label, title, seed=0)

Both halves are drawn at random, so that neither shows chosen pictures.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch
from matplotlib.figure import Figure

from anonbench.attacks._outcome import Trial
from anonbench.core.errors import ConfigError, DataError
from anonbench.data.images import RGB, read_image, resize
from anonbench.data.pictures import read_manifest
from anonbench.data.seeding import generator
from anonbench.report.grid import (
    GAP,
    GROUP_LINE,
    LINE,
    NARROWEST,
    PRINT_HEIGHT,
    PRINT_WIDTH,
    SMALL_LINE,
    Column,
    Layout,
    arrange,
    draw_captions,
)
from anonbench.report.style import FAINT, MARGIN, OKABE_ITO, SMALL_SIZE, Page, house_style, open_page
from anonbench.tasks.reversible.quality import psnr

STATES = ("original", "hidden", "restored")
HEIGHTS = (1.06, 0.8, 0.64)  # inches of a picture: six columns side by side
BELOW = 0.02 + SMALL_LINE  # inches for the line below a picture
EDGE = 0.055  # inches between pictures and the frame of their half
FOUND, NOT_FOUND = (OKABE_ITO["vermillion"], "-"), (FAINT, (0, (4, 3)))  # colour and line of a half's frame


@dataclass(frozen=True)
class Halves:
    """Whom an attack recognizes, and whom it does not.

    found, missed: probes to show.
    n_found, n_missed: of how many each was drawn.
    random: expected share of probes whose first answer is right in a random order of the gallery, 0..1.
    """

    found: Sequence[Trial]
    missed: Sequence[Trial]
    n_found: int
    n_missed: int
    random: float

    @property
    def shown(self) -> list[Trial]:
        return [*self.found, *self.missed]


def choose(trials: Sequence[Trial], faces: int, seed: int) -> Halves:
    """Draw as many probes of each half at random, of different people as far as there are any.

    trials: of an attack. Those of its control, whose people are not in the gallery, are left out.
    faces: to show in each half at most.
    Raises `DataError` where none is left.
    """
    asked = [trial for trial in trials if not trial.control and trial.rank is not None]
    if not asked:
        raise DataError("the attack has ranked no probe of a person in its gallery; there is nobody to show.")
    found = [trial for trial in asked if trial.rank == 1]
    missed = [trial for trial in asked if trial.rank != 1]
    return Halves(
        _drawn(found, faces, seed, "found"),
        _drawn(missed, faces, seed, "missed"),
        len(found),
        len(missed),
        fmean(trial.matches / trial.ranked for trial in asked),
    )


def _drawn(trials: Sequence[Trial], faces: int, seed: int, half: str) -> list[Trial]:
    """One of each person first, then a second of each."""
    ordered = sorted(trials, key=lambda trial: trial.path)
    shuffled = [ordered[n] for n in generator(seed, "figure_restored", half).permutation(len(ordered))]
    seen: Counter[int] = Counter()
    turns = []
    for trial in shuffled:
        turns.append(seen[trial.pid])
        seen[trial.pid] += 1
    order = sorted(range(len(shuffled)), key=lambda n: turns[n])
    return [shuffled[n] for n in order[:faces]]


def read_faces(paths: Sequence[str], manifests: Sequence[Path], roots: Sequence[Path]) -> list[list[RGB]]:
    """The pictures of each state (`STATES`), in the order of `paths`.

    Raises `ConfigError` unless there are three manifests and folders, `DataError` for a picture that one lacks.
    """
    if not len(manifests) == len(roots) == len(STATES):
        raise ConfigError(
            f"{len(manifests)} manifests and {len(roots)} image folders; expected three of each: {', '.join(STATES)}."
        )
    found = []
    for state, manifest, root in zip(STATES, manifests, roots, strict=True):
        known = {picture.path for picture in read_manifest(manifest)}
        lost = next((path for path in paths if path not in known), None)
        if lost is not None:
            raise DataError(
                f"{manifest}: no row for {lost}, which was attacked; expected every attacked picture among the {state} "
                f"ones. Make that copy again, then attack again."
            )
        found.append([read_image(root / path) for path in paths])
    return found


def likeness(original: RGB, picture: RGB) -> float:
    """PSNR of a picture against the original, which is brought to its size; in dB, inf where they are equal."""
    height, width = picture.shape[:2]
    pair = [torch.tensor(i).permute(2, 0, 1)[None] for i in (resize(original, (height, width)), picture)]
    return float(psnr(*pair))


@house_style()
def draw_restored(
    halves: Halves,
    pictures: Sequence[Sequence[RGB]],
    attack: str,
    label: str,
    title: str,
    seed: int,
    warning: str = "",
) -> Figure:
    """Two halves side by side, a row a face: original, hidden, restored.

    pictures: of each state, (H, W, 3) uint8 RGB of any sizes, in the order of `halves.shown`.
    attack: its name.
    label: what the data is, in words.
    seed: that drew the faces, for the notes.
    warning: a line in red, such as that the people are real.
    """
    names = (f"recognized: {halves.n_found:,} faces", f"not recognized: {halves.n_missed:,} faces")
    columns = [Column(state, state, name) for name in names for state in STATES]
    rows = max(len(halves.found), len(halves.missed))
    layout = _layout(columns, rows, pictures[0][0].shape[:2])
    above = 0.04 + LINE * max(map(len, layout.captions)) + GROUP_LINE + EDGE
    pitch = layout.height + BELOW + GAP
    width = max(NARROWEST, layout.right + 2 * (MARGIN + EDGE))
    page, top = open_page(title, _notes(halves, attack, label, seed), width, above + rows * pitch + 0.2, warning)
    start, first = (width - layout.right) / 2, top + EDGE
    draw_captions(page, columns, layout, start, first, top + above)
    for half, look in enumerate((FOUND, NOT_FOUND)):
        shown = (halves.found, halves.missed)[half]
        lefts = layout.lefts[half * len(STATES) : (half + 1) * len(STATES)]
        offset = half * len(halves.found)
        for row in range(len(shown)):
            y = top + above + row * pitch
            images = [state[offset + row] for state in pictures]
            for left, image, text in zip(lefts, images, _below(shown[row], images), strict=True):
                page.image(image, start + left, y, layout.width, layout.height)
                middle, under = start + left + layout.width / 2, y + layout.height + 0.02
                page.text(middle, under, text, SMALL_SIZE, ha="center", color=FAINT)
        if not shown:
            middle = start + (lefts[0] + lefts[-1] + layout.width) / 2
            page.text(middle, top + above + layout.height / 2, "none", ha="center", va="center", color=FAINT)
        _mark(page, start + lefts[0], lefts[-1] + layout.width - lefts[0], top, above + rows * pitch, look)
    return page.figure


def _layout(columns: Sequence[Column], rows: int, shape: tuple[int, int]) -> Layout:
    """The largest pictures that leave room for a line below each row."""
    room = PRINT_WIDTH - 2 * (MARGIN + EDGE)
    heights = [height for height in HEIGHTS if rows * (height + BELOW + GAP) <= PRINT_HEIGHT] or HEIGHTS[-1:]
    return arrange(columns, rows, shape, room, heights)


def _mark(page: Page, left: float, width: float, top: float, height: float, look: tuple[str, object]) -> None:
    colour, line = look
    page.frame(left - EDGE, top, width + 2 * EDGE, height, edgecolor=colour, lw=1.2, ls=line)


def _below(trial: Trial, images: Sequence[RGB]) -> list[str]:
    """Whose face it is, and how like the original the others are."""
    original, *others = images
    values = [likeness(original, image) for image in others]
    return [f"person {trial.pid}", *("∞ dB" if math.isinf(value) else f"{value:.1f} dB" for value in values)]


def _notes(halves: Halves, attack: str, label: str, seed: int) -> str:
    asked = halves.n_found + halves.n_missed
    return (
        f"Recognized: the first answer of '{attack}' to the restored face is the right person, {halves.n_found:,} of "
        f"{asked:,} faces ({100 * halves.n_found / asked:.0f} %; by chance {100 * halves.random:.0f} %). Shown are "
        f"some of both kinds, drawn at random (seed {seed}). Below hidden and restored faces: PSNR against the "
        f"original.\n"
        f"Data: {label}."
    )
