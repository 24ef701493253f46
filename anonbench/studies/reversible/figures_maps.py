"""Maps of features: where a network puts the raw and the protected pictures of the same people. Study 2's Figure 9.

Source: Zhang et al. 2022, appendix A and Fig. 9 (t-SNE of four networks). Deviations:
- Two numbers stand at each panel, measured between the features themselves. A map of t-SNE keeps neighbours and no
  distances, so it can suggest gaps and clusters that are not there.
- People differ in marker too, and a line joins the two pictures of a pair.
t-SNE: van der Maaten and Hinton, "Visualizing Data using t-SNE" (2008), by scikit-learn. Silhouette: Rousseeuw (1987).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score

from anonbench.core.errors import ConfigError, DataError
from anonbench.core.fields import build
from anonbench.data.seeding import derive_seed, generator
from anonbench.report.style import (
    FAINT,
    GRID,
    INK,
    LINE_HEIGHT,
    MARGIN,
    OKABE_ITO,
    TEXT_SIZE,
    Page,
    house_style,
    open_page,
    text_width,
    wrap,
)
from anonbench.tasks.reid.distance import check_features, normalized
from anonbench.tasks.reid.features import read_features, read_settings

# Seven of the eight colours of Okabe and Ito, the strongest on white first. A hollow yellow marker could not be seen.
LOOKS = (
    ("blue", "o"), ("vermillion", "X"), ("bluish green", "^"), ("black", "v"), ("reddish purple", "D"), ("orange", "s"),
    ("sky blue", "P"),
)  # fmt: skip
PERPLEXITY = 30.0  # neighbours that t-SNE looks at, its authors' upper choice of 5 to 50; fewer for few points
FEWEST = 2  # pictures of a person: one alone has no neighbour of its own
PAGE_WIDTH, PANELS_A_ROW, GAP = 7.2, 2, 0.2  # inches
LINE = TEXT_SIZE * LINE_HEIGHT / 72  # inches
FILLED, HOLLOW = 3.4, 6.0  # points, of marks
NUMBER_COLUMNS = (
    "panel", "people", "images", "silhouette", "raw_to_protected", "between_people", "raw_to_protected_rel",
)  # fmt: skip

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: a network, and the protected pictures that are set beside the raw ones.

    title: the network, such as "AGW, trained on raw pictures".
    protected: what the protected pictures are, such as "blurred".
    """

    title: str
    protected: str


@dataclass(frozen=True, eq=False)
class Pairs:
    """Features of the same pictures, raw and protected, a row a picture.

    raw, protected: (n, d) float32.
    pids: (n,) identities.
    """

    raw: NDArray[np.float32]
    protected: NDArray[np.float32]
    pids: NDArray[np.int64]

    def together(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """(2n, d) features, raw ones first, and the (2n,) identities."""
        return np.concatenate([self.raw, self.protected]), np.concatenate([self.pids, self.pids])


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the eye should see in a panel, measured between features.

    silhouette: mean silhouette of all pictures, raw and protected together, by identity: 1 for narrow clusters far
        apart, 0 for clusters that touch, below 0 where strangers are nearer than the person's own pictures.
    raw_to_protected: mean distance between the two pictures of a pair.
    between_people: mean distance between raw pictures of different people.
    """

    silhouette: float
    raw_to_protected: float
    between_people: float

    @property
    def relative(self) -> float:
        """0 where protected pictures fall on the raw ones, 1 where they are as far off as a stranger's raw picture."""
        return self.raw_to_protected / self.between_people if self.between_people else float("nan")


def read_panels(entries: Sequence[Mapping[str, Any]], raw: Sequence[Path], protected: Sequence[Path]) -> list[Panel]:
    """The panels; raises `ConfigError` for none, an unknown or missing key, or other numbers of feature files."""
    if not entries or not len(entries) == len(raw) == len(protected):
        raise ConfigError(
            f"{len(entries)} panels, {len(raw)} feature files of raw pictures and {len(protected)} of protected ones; "
            f"expected one of each for every panel, and at least one panel."
        )
    return [build(Panel, entry, f"panels[{number}]") for number, entry in enumerate(entries)]


def choose_images(features: Path, people: int, images: int, seed: int) -> dict[str, int]:
    """path -> identity of the test pictures to show: of some people, drawn at random, at most `images` each.

    People with a single picture are not drawn; junk and distractors are nobody. The order of the file changes nothing.
    Raises `ConfigError` for fewer than two people or more than colours, `DataError` when the file has no two to draw.
    """
    if not 2 <= people <= len(LOOKS):
        raise ConfigError(
            f"people is {people}; expected 2 to {len(LOOKS)}: so many colours can be told apart by everybody."
        )
    known: dict[int, list[str]] = {}
    for path, (pid, _) in sorted(_test_features(features).items()):
        if pid > 0:
            known.setdefault(pid, []).append(path)
    pids = sorted(pid for pid, paths in known.items() if len(paths) >= FEWEST)
    if len(pids) < 2:
        raise DataError(
            f"{features}: {len(pids)} people have {FEWEST} or more test pictures; expected at least 2 people, who can "
            f"be compared."
        )
    drawn = [pids[n] for n in generator(seed, "figure_maps").permutation(len(pids))[:people]]
    if len(drawn) < people:
        print(f"{features}: {people} people were to be shown; {len(drawn)} have {FEWEST} or more test pictures")
    chosen: dict[str, int] = {}
    for pid in drawn:
        order = generator(seed, "figure_maps", pid).permutation(len(known[pid]))[:images]
        chosen |= {known[pid][n]: pid for n in sorted(order)}
    return chosen


def read_pairs(raw: Path, protected: Path, chosen: Mapping[str, int], metric: str) -> Pairs:
    """The features of chosen pictures in two files of the same network.

    metric: `cosine` brings every feature to length 1, as the ranking does; `euclidean` takes them as they are.
    Raises `DataError` for a picture that a file lacks, or features that cannot be compared.
    """
    sides = []
    for file in (raw, protected):
        known = _test_features(file)
        for path in chosen:
            if path not in known:
                raise DataError(
                    f"{file}: has no features of {path}; expected the same test pictures in every file. Embed that "
                    f"variant again."
                )
        features = check_features(np.stack([known[path][1] for path in chosen]), str(file))
        sides.append(normalized(features) if metric == "cosine" else features)
    if sides[0].shape != sides[1].shape:
        raise DataError(
            f"{raw} has features of {sides[0].shape[1]} dimensions and {protected} of {sides[1].shape[1]}; expected "
            f"the same. Were both embedded by the same network?"
        )
    return Pairs(sides[0], sides[1], np.array(list(chosen.values()), np.int64))


def all_pairs(
    raw: Sequence[Path], protected: Sequence[Path], chosen: Mapping[str, int], evaluation: Mapping[str, Any]
) -> list[Pairs]:
    """`read_pairs` of every panel, by the metric of the model's `evaluation:`."""
    metric, _ = read_settings(evaluation)
    return [read_pairs(*files, chosen, metric) for files in zip(raw, protected, strict=True)]


def _test_features(file: Path) -> dict[str, tuple[int, NDArray[np.float32]]]:
    """path -> identity and (d,) features of the query and gallery pictures of a feature file."""
    found: dict[str, tuple[int, NDArray[np.float32]]] = {}
    for split in ("query", "gallery"):
        arrays = read_features(file, split)
        rows = zip(arrays["paths"], arrays["pids"], arrays["features"], strict=True)
        found |= {str(path): (int(pid), features) for path, pid, features in rows}
    return found


def measure(pairs: Pairs) -> Numbers:
    """The numbers of a panel; distances are Euclidean, between the features as `read_pairs` gives them."""
    features, pids = pairs.together()
    raw = pairs.raw.astype(np.float64)
    strangers = pairs.pids[:, None] != pairs.pids  # (n, n)
    return Numbers(
        float(silhouette_score(features.astype(np.float64), pids)),
        float(np.linalg.norm(raw - pairs.protected, axis=1).mean()),
        float(squareform(pdist(raw))[strangers].mean()),
    )


def place(pairs: Pairs, seed: int) -> Floats:
    """(2n, 2) places of all pictures on a map, raw ones first, by t-SNE.

    Exact and not approximated, since the approximation adds up in an order that depends on the threads: some seconds
    for 200 points. It starts from the principal components. In the unit of the map's longer side: the middle is 0, and
    all are within ±.5.
    """
    features, _ = pairs.together()
    settings = {"init": "pca", "method": "exact", "random_state": derive_seed(seed, "t-SNE") % 2**32, "n_jobs": 1}
    found = TSNE(perplexity=perplexity(len(features)), **settings).fit_transform(features.astype(np.float64))
    low, high = found.min(axis=0), found.max(axis=0)
    return np.asarray((found - (low + high) / 2) / max((high - low).max(), 1e-12), np.float64)


def perplexity(points: int) -> float:
    """`PERPLEXITY`, or a third of the neighbours that a point has where that is less."""
    return min(PERPLEXITY, (points - 1) / 3)


def number_rows(panels: Sequence[Panel], pairs: Sequence[Pairs], numbers: Sequence[Numbers]) -> Iterable[list[object]]:
    """The rows of the file of numbers, under `NUMBER_COLUMNS`."""
    for panel, some, found in zip(panels, pairs, numbers, strict=True):
        values = (found.silhouette, found.raw_to_protected, found.between_people, found.relative)
        yield [panel.title, len(set(some.pids.tolist())), len(some.pids), *(f"{value:.6f}" for value in values)]


@house_style()
def draw_maps(
    panels: Sequence[Panel],
    pairs: Sequence[Pairs],
    numbers: Sequence[Numbers],
    places: Sequence[Floats],
    label: str,
    seed: int,
) -> Figure:
    """A map a panel, two a row, with its numbers above it.

    pairs: of each panel, the same pictures in the same order.
    places: of each panel, (2n, 2) as `place` gives them.
    label: the data, in words.
    seed: that drew people and maps, for the notes.
    """
    pids = list(dict.fromkeys(pairs[0].pids.tolist()))
    looks = {pid: (OKABE_ITO[colour], marker) for pid, (colour, marker) in zip(pids, LOOKS, strict=False)}
    count = len(pairs[0].pids)
    notes = (
        f"The same {count} test pictures of {len(pids)} people in every panel: a colour and shape a person, filled "
        f"where raw, hollow where protected, a line between the two. t-SNE with perplexity {perplexity(2 * count):.0f} "
        f"and seed {seed}: neighbours count in it, distances and directions do not. The numbers are of the features. "
        f"Silhouette: 1 for people apart, 0 for people mixed. Raw to protected: 0 where both fall together, 1 where "
        f"they are as far apart as strangers.\nData: {label}."
    )
    side = (PAGE_WIDTH - 2 * MARGIN - (PANELS_A_ROW - 1) * GAP) / PANELS_A_ROW
    titles = [
        wrap(f"({chr(97 + n)}) {panel.title}; raw and {panel.protected}", 0.9 * side, TEXT_SIZE)
        for n, panel in enumerate(panels)
    ]
    heading = LINE * (max(map(len, titles)) + 1) + 0.06
    rows, cell = -(-len(panels) // PANELS_A_ROW), heading + side + GAP
    page, top = open_page("Where networks put raw and protected pictures", notes, PAGE_WIDTH, LINE + 0.16 + rows * cell)
    _draw_key(page, looks, top)
    for number, (lines, some, found, spots) in enumerate(zip(titles, pairs, numbers, places, strict=True)):
        x = MARGIN + number % PANELS_A_ROW * (side + GAP)
        y = top + LINE + 0.16 + number // PANELS_A_ROW * cell + heading  # of the map itself
        text = f"silhouette {_signed(found.silhouette)}   raw to protected {found.relative:.2f}"
        for above, line in enumerate([text, *reversed(lines)], start=1):
            page.text(x, y - 0.06 - above * LINE, line, fontweight="normal" if above == 1 else "bold")
        _draw_map(page.axes(x, y, side, side), some.pids, spots, looks)
    return page.figure


def _draw_map(axes: Axes, pids: NDArray[np.int64], spots: Floats, looks: Mapping[int, tuple[str, str]]) -> None:
    raw, protected = spots[: len(pids)], spots[len(pids) :]
    axes.set(xticks=[], yticks=[], xlim=(-0.54, 0.54), ylim=(-0.54, 0.54))
    for spine in axes.spines.values():
        spine.set(visible=True, color=GRID)
    for one, other in zip(raw, protected, strict=True):
        axes.plot(*zip(one, other, strict=True), color=GRID, lw=0.5, zorder=1, gid="pair")
    for pid, (colour, marker) in looks.items():
        mine = pids == pid
        common: dict[str, Any] = {"ls": "", "marker": marker, "mec": colour, "mew": 0.9}
        axes.plot(*raw[mine].T, mfc=colour, ms=FILLED, zorder=2, gid=f"raw-{pid}", **common)
        # Larger and above: where both fall together, a ring stands around the filled mark.
        axes.plot(*protected[mine].T, mfc="none", ms=HOLLOW, zorder=3, gid=f"protected-{pid}", **common)


def _draw_key(page: Page, looks: Mapping[int, tuple[str, str]], top: float) -> None:
    """A line of marks with what they mean: filled and hollow, then the people by their number in the dataset."""
    axes = page.axes(0, top, page.width, LINE)
    axes.set(xlim=(0, page.width), ylim=(0, 1))
    axes.set_axis_off()
    entries = [("o", INK, INK, FILLED, "raw"), ("o", INK, "none", HOLLOW, "protected")]
    entries += [(marker, colour, colour, FILLED, f"person {pid}") for pid, (colour, marker) in looks.items()]
    x = MARGIN + 0.04
    for number, (marker, edge, face, size, text) in enumerate(entries):
        axes.plot([x], [0.5], ls="", marker=marker, ms=size, mec=edge, mfc=face, mew=0.9)
        axes.text(x + 0.09, 0.5, text, va="center", color=INK if number < 2 else FAINT)
        x += 0.09 + text_width(text, TEXT_SIZE) + (0.3 if number == 1 else 0.16)


def _signed(value: float) -> str:
    """Two decimals with a true minus sign, and no minus before a zero."""
    return f"{value + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "\N{MINUS SIGN}")
