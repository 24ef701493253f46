"""Draw the figures that show metrics and statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anonbench.core.errors import ConfigError, nearest
from anonbench.data.results import read_frame, read_metrics
from anonbench.report.style import write_figure
from anonbench.studies.reid_faces.face_groups import CONTRAST, SLOPE
from anonbench.studies.reid_faces.figures_cmc import draw_cmc
from anonbench.studies.reid_faces.figures_dose import Family, draw_dose_response
from anonbench.studies.reid_faces.figures_faces import draw_faces_cost, read_face_groups
from anonbench.studies.reid_faces.figures_settings import draw_differences, draw_settings, read_differences
from anonbench.studies.reid_faces.runs import Case

CASE_KEYS = ("dataset", "model", "variant")
FAMILY_KEYS = ("title", "axis", "values", "more_hides")


def settings(metrics: Sequence[Path], cases: Sequence[Mapping[str, str]], label: str, svg: Path, png: Path) -> None:
    """Write mAP and rank-1 of every case in the three settings.

    metrics: metrics files, every run of the three settings of every case. cases: `{dataset, model, variant}` each, in
    the order to show. label: the data, in words.
    """
    write_figure(draw_settings([read_metrics(path) for path in metrics], read_cases(cases), label), svg, png)


def differences(cells: Path, metric: str, label: str, svg: Path, png: Path, margin: float | None = None) -> None:
    """Write the differences of every (dataset, model) to original → original with their intervals.

    cells: the table of the statistics stage (columns `figures_settings.DIFFERENCE_COLUMNS`). metric: map, rank1.
    margin: of equivalence, in percentage points; by default the one in the table's column `margin`, if it has one.
    """
    table = read_frame(cells)
    if margin is None and "margin" in table.columns and table["margin"].nunique() == 1:
        margin = float(table["margin"].iloc[0])
    figure = draw_differences(
        read_differences(table, str(cells), metric), margin, label, metric, "bootstrap over identities"
    )
    write_figure(figure, svg, png)


def cmc(
    metrics: Sequence[Path], cases: Sequence[Mapping[str, str]], max_rank: int, label: str, svg: Path, png: Path
) -> None:
    """Write CMC curves at ranks 1 to `max_rank`, a panel a case, the three settings as lines.

    metrics, cases, label: as for `settings`; the cases of one dataset, one for each model.
    """
    write_figure(draw_cmc([read_metrics(path) for path in metrics], read_cases(cases), max_rank, label), svg, png)


def dose_response(
    metrics: Sequence[Path],
    dataset: str,
    model: str,
    families: Sequence[Mapping[str, Any]],
    label: str,
    svg: Path,
    png: Path,
) -> None:
    """Write mAP of one model over the strength of its anonymizers, a panel a family.

    metrics: metrics files, every run of original → original, of the model trained on originals and tested on every
    variant of the families, and, where there are any, of the model trained on the variant.
    families: `{title, axis, values: {variant: parameter}, more_hides}` each; more_hides (true by default) says
    whether a larger parameter hides more, and the axis runs so that hiding increases to the right.
    """
    drawn = [Family(**_known(family, FAMILY_KEYS, FAMILY_KEYS[:3], "family")) for family in families]
    if not drawn:
        raise ConfigError("dose_response: families is empty; expected at least one.")
    write_figure(draw_dose_response([read_metrics(path) for path in metrics], dataset, model, drawn, label), svg, png)


def faces_cost(faces: Path, dataset: str, variant: str, label: str, svg: Path, png: Path) -> None:
    """Write the change of average precision by the face of the query, a panel a model.

    faces: the table of the statistics stage (columns `figures_faces.COLUMNS`).
    """
    groups = read_face_groups(read_frame(faces), str(faces), dataset, variant, leave_out=(CONTRAST, SLOPE))
    write_figure(draw_faces_cost(groups, variant, label), svg, png)


def read_cases(entries: Sequence[Mapping[str, str]]) -> list[Case]:
    """The cases that a figure shows; raises `ConfigError` for none, an unknown or a missing key."""
    if not entries:
        raise ConfigError("cases is empty; expected at least one {dataset, model, variant}.")
    return [Case(**_known(entry, CASE_KEYS, CASE_KEYS, "case")) for entry in entries]


def _known(entry: Mapping[str, Any], known: Sequence[str], needed: Sequence[str], what: str) -> dict[str, Any]:
    for key in entry:
        if key not in known:
            raise ConfigError(f"{what} has no key '{key}': {nearest(key, known)}")
    for key in needed:
        if key not in entry:
            raise ConfigError(f"{what} {dict(entry)} lacks the key '{key}'; expected {', '.join(needed)}.")
    return dict(entry)
