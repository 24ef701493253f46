"""`rows: instances`: a row a variant that a network was trained on, a column an average precision (Tables 1 to 4).

    scenes_table1:
      study: scenes
      rows: instances
      dataset: cityscapes-rendered
      model: mask_rcnn
      metrics: [ap, ap50, ap_person]       # box_ap, keypoint_ap, ap50_person, ap_car, ap_small, ...
      variants: [face_blur, body_blur]     # below the network that was trained on original pictures
      published: table1

Every network is tested on the original validation pictures. Numbers in parentheses are differences to the original row.

Source: Hukkelås and Lindseth 2023, Tables 1 to 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from anonbench.core.errors import ConfigError, DataError
from anonbench.core.structure import check_at, check_known
from anonbench.data.entries import is_scene, picture_size
from anonbench.data.results import Metrics
from anonbench.data.variants import ORIGINAL
from anonbench.datasets import DATASETS
from anonbench.datasets._listing import DatasetInfo
from anonbench.report.cells import RUN, Cell, cell_of, summary
from anonbench.report.compare import AGREES, DIFFERS, NO_EFFECT, compare_number, comparison, known
from anonbench.report.layout import CHANGE, STANDARD_ERROR
from anonbench.report.tables import Table
from anonbench.studies.kinds import Entry, Files, Source
from anonbench.studies.scenes import headings
from anonbench.studies.scenes.kinds import KINDS
from anonbench.studies.scenes.settings import GROUPS, LEARNT, OWN_KEYS, PLACE, Metric, SceneCondition
from anonbench.studies.tables import (
    NAME,
    NAMES,
    PUBLISHED,
    check_keys,
    metrics_of,
    note_on,
    published_inputs,
    read_published,
    read_results,
)

CHANGES = "In parentheses: the difference to the network that was trained on original pictures."


@KINDS.register("instances")
class Instances:
    key, whole = ("variant",), ""

    def check(self, config: Mapping[str, Any], entry: Entry, where: str) -> None:
        check_keys(
            entry,
            where,
            {"dataset": NAME, "model": NAME, "metrics": NAMES, "variants": NAMES, "published": PUBLISHED},
            {},
        )
        check_known(f"{where}.dataset", [entry["dataset"]], [d for d in config["datasets"] if is_scene(config, d)])
        check_known(f"{where}.model", [entry["model"]], config["instance_models"])
        check_known(f"{where}.variants", entry["variants"], config["variants"])
        for variant in entry["variants"]:
            if picture_size(config, variant) is not None:
                raise ConfigError(
                    f"{where}.variants: the pictures of '{variant}' have a size of their own, which masks, boxes and "
                    f"key points of scenes do not fit; tables of Study 2 show it (docs/reversible.md)"
                )
        initial = config["instance_models"][entry["model"]].get("initial")
        if initial and initial["dataset"] == entry["dataset"]:
            raise ConfigError(
                f"{where}.model: '{entry['model']}' starts from a network that was trained on the original pictures "
                f"of '{entry['dataset']}', so that every row has seen them; name another model, or another "
                f"`initial.dataset`"
            )
        for column in entry["metrics"]:
            check_at(f"{where}.metrics", partial(_check_metric, config, entry, column))

    def datasets(self, config: Mapping[str, Any], entry: Entry) -> list[str]:
        return [entry["dataset"]]

    def inputs(self, config: Mapping[str, Any], entry: Entry) -> dict[str, list[str]]:
        scores = [path for c in conditions(entry).values() for path in metrics_of(config, c, PLACE)]
        return {"metrics": scores, **published_inputs(entry, "published")}

    def spec(self, config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
        return dict(entry)

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        results, columns = read_results(files), spec["metrics"]
        rows = row_cells(results, spec)
        frame = instance_table(rows, spec["dataset"])
        compared = compare_variants(frame, read_published(files), columns)
        return Table(
            frame,
            f"{name}: {spec['model']} on {spec['dataset']}, trained on anonymized pictures, tested on original ones",
            [note_on(results, label), CHANGES, *direction_notes(compared), *learnt_notes(frame, columns)],
            self.key,
            shown=shown_variants(frame, columns),
            compared=compared,
            runs=runs_table(rows, spec["dataset"]),
        )

    def cells(self, config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
        return {
            variant: {c: Source(condition, Metric.of(c).place, headings.metric(c), PLACE) for c in entry["metrics"]}
            for variant, condition in conditions(entry).items()
        }


def _check_metric(config: Mapping[str, Any], entry: Entry, column: str) -> None:
    """Raise `ConfigError` for a column that the network or the dataset cannot have."""
    from anonbench.tasks.instances.models._rcnn import create_model  # torch takes a second to load

    model = config["instance_models"][entry["model"]]
    found = create_model({key: value for key, value in model.items() if key not in OWN_KEYS}).finds
    metric = Metric.of(column)
    if metric.kind not in found:
        raise ConfigError(f"'{column}' is of {metric.kind}, but '{entry['model']}' finds {' and '.join(found)} alone")
    info: DatasetInfo = DATASETS.get(config["datasets"][entry["dataset"]]["format"]).info  # type: ignore[attr-defined]
    if info.categories and metric.group not in ("", *GROUPS):
        check_known(f"'{column}'", [metric.group], info.categories)


def conditions(entry: Entry) -> dict[str, SceneCondition]:
    """The rows of a table: the variant that a network was trained on -> what was trained and tested."""
    names = dict.fromkeys([ORIGINAL, *entry["variants"]])
    return {variant: SceneCondition(entry["dataset"], entry["model"], variant) for variant in names}


def row_cells(results: Sequence[Metrics], entry: Entry) -> dict[str, dict[str, Cell]]:
    """variant -> column -> cell.

    Raises `DataError` where rows were not trained with the same seeds: their differences would compare seeds.
    """
    rows = {
        variant: {column: cell_of(results, Metric.of(column).place, condition) for column in entry["metrics"]}
        for variant, condition in conditions(entry).items()
    }
    expected = _runs(rows[ORIGINAL])
    for variant, cells in rows.items():
        if _runs(cells) != expected:
            raise DataError(
                f"{entry['dataset']}, {entry['model']}: trained on {variant} with the runs {sorted(_runs(cells))}, on "
                f"{ORIGINAL} with {sorted(expected)}. Evaluate all variants for all seeds."
            )
    return rows


def instance_table(rows: Mapping[str, Mapping[str, Cell]], dataset: str) -> pd.DataFrame:
    """A row a variant: data, variant, means in percent, number of runs, standard errors, changes to the original."""
    lines = []
    for variant, cells in rows.items():
        changes = {
            f"{column}{CHANGE}": None if variant == ORIGINAL else round(cell.mean - rows[ORIGINAL][column].mean, 2)
            for column, cell in cells.items()
        }
        lines.append({"data": dataset, "variant": variant, **summary(cells), **changes})
    return pd.DataFrame(lines)


def runs_table(rows: Mapping[str, Mapping[str, Cell]], dataset: str) -> pd.DataFrame:
    """What the means stand for: data, variant, split, seed and the columns in percent; a line a run."""
    lines = []
    for variant, cells in rows.items():
        for run in sorted(_runs(cells), key=str):
            values = {column: round(cell.runs[run], 4) for column, cell in cells.items()}
            lines.append({"data": dataset, "variant": variant, **dict(zip(RUN, run, strict=True)), **values})
    return pd.DataFrame(lines).astype({"split": "Int64"})


def compare_variants(frame: pd.DataFrame, printed: pd.DataFrame | None, columns: Sequence[str]) -> pd.DataFrame:
    """Compare a table with the printed one, a line for every cell. Effects are differences to the original row.

    printed: rows by `variant`; None: nothing is published. What it does not have keeps empty published fields.
    """
    rebuilt = frame.set_index("variant")
    lines = []
    for variant in rebuilt.index:
        for column in columns:
            before = (None, None) if variant == ORIGINAL else (
                _printed(printed, ORIGINAL, column), float(rebuilt.loc[ORIGINAL, column])
            )  # fmt: skip
            pair = _printed(printed, variant, column), float(rebuilt.loc[variant, column])
            lines.append(compare_number(str(rebuilt.loc[variant, "data"]), variant, column, pair, before))
    return comparison(lines)


def direction_notes(compared: pd.DataFrame) -> list[str]:
    """In how many cells a change has the published sign; none where nothing is published."""
    told = compared["direction"]
    cells = int(told.isin([AGREES, DIFFERS, NO_EFFECT]).sum())
    return [f"The change has the published sign in {int((told == AGREES).sum())} of {cells} cells."] if cells else []


def learnt_notes(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """What must be said of columns in which the network that was trained on original pictures has learnt nothing."""
    first = frame.iloc[0]
    low = ", ".join(headings.metric(column) for column in columns if first[column] < LEARNT)
    told = f"Trained on original pictures, {low} is below {LEARNT:g} %: nothing was learnt, nothing follows."
    return [told] if low else []


def shown_variants(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The table for readers: what is hidden and how, metrics by their names; the number of runs is left to the CSV."""
    names = [headings.variant(variant) for variant in frame["variant"]]
    shown = pd.DataFrame(names, columns=["hidden", "method"], index=frame.index)
    for column in columns:
        for end in ("", STANDARD_ERROR, CHANGE):
            shown[f"{headings.metric(column)}{end}"] = frame[f"{column}{end}"]
    return shown


def _runs(cells: Mapping[str, Cell]) -> set[tuple[int | None, int]]:
    return set(next(iter(cells.values())).runs)


def _printed(printed: pd.DataFrame | None, variant: str, column: str) -> float | None:
    if printed is None or column not in printed.columns:
        return None
    rows = printed[printed["variant"] == variant]
    value = known(rows.iloc[0][column]) if len(rows) == 1 else None
    return None if value is None else float(value)
