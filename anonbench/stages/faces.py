"""Compare queries with and without a visible face."""

from __future__ import annotations

from pathlib import Path

from anonbench.core.command import Count, Input, Output, Rows, command
from anonbench.core.errors import ConfigError
from anonbench.data.regions import read_regions
from anonbench.data.results import write_frame
from anonbench.studies.reid_faces.face_differences import KEY, face_differences
from anonbench.studies.reid_faces.face_groups import face_height
from anonbench.tasks.reid.scores import read_scores


@command("study", beside={"metrics": (".queries.csv",)}, needs={"cases": ("dataset", "variant")})
def faces(
    metrics: list[Input],
    detections: list[Input],
    cases: Rows,
    output: Output,
    bins: list[float],
    alpha: float = 0.05,
    resamples: Count = 10_000,
    threads: int = 1,
) -> None:
    """Compute every cell's difference by the face of the query: with and without one, and by its height.

    metrics: files of `evaluate`; the results of every query lie beside them.
    detections: faces of the original images (CSV of `detect`), one for each of the cases.
    cases: `[{dataset, variant}]` in the same order: the cells that those detections are for.
    output: the differences (CSV).
    bins: bounds of the classes of face height, pixels of the original image, rising.
    alpha: level of the tests, 0..1.
    resamples: bootstrap draws of query identities.
    """
    if len(detections) != len(cases):
        raise ConfigError(f"faces: {len(detections)} detections for {len(cases)} cases; expected one for each.")
    heights = {path: _heights(path) for path in sorted(set(detections))}
    by_case = {(c["dataset"], c["variant"]): heights[path] for c, path in zip(cases, detections, strict=True)}
    table = face_differences(read_scores(metrics), by_case, bins, alpha, resamples)
    write_frame(output, table)
    print(f"faces: {len(table)} rows of {len(table[list(KEY)].drop_duplicates())} cells")


def _heights(path: Path) -> dict[str, float]:
    return {image: face_height(boxes) for image, boxes in read_regions(path).items()}
