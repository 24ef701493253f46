"""What several kinds of tables of the study do alike: the settings of an entry, what is said of its networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from anonbench.core.errors import ConfigError
from anonbench.core.structure import check_known
from anonbench.data import paths
from anonbench.data.entries import BODIES, MATCHED_FACES, built_tables, detectors_by, is_scene, is_whole
from anonbench.data.results import Metrics, read_frame
from anonbench.data.variants import UNTRAINED
from anonbench.studies.kinds import Files, Source, study_of
from anonbench.studies.reid_faces import marks
from anonbench.studies.reid_faces.settings import DESIGN, STUDY
from anonbench.studies.tables import NAME, NAMES, PUBLISHED, check_keys, metrics_of
from anonbench.tasks.reid.setting_table import runs_table
from anonbench.tasks.reid.settings import Setting


def check_settings(config: Mapping[str, Any], entry: Mapping[str, Any], where: str) -> None:
    """The check of an entry whose cells are settings: one dataset, models, variants."""
    check_keys(
        entry, where, {"dataset": NAME, "models": NAMES, "variants": NAMES, "published": PUBLISHED},
        {"published_baseline": PUBLISHED},
    )  # fmt: skip
    check_known(f"{where}.dataset", [entry["dataset"]], config["datasets"])
    refuse_scenes(config, [entry["dataset"]], f"{where}.dataset")
    check_known(f"{where}.models", entry["models"], config["models"])
    check_known(f"{where}.variants", entry["variants"], config["variants"])
    for variant in entry["variants"]:
        if is_whole(config, variant):
            raise ConfigError(
                f"{where}.variants: '{variant}' hides whole pictures, and this study is about detected faces; tables "
                f"of Study 2 show it (docs/reversible.md)"
            )
        if config["variants"][variant]["detector"] is None:
            raise ConfigError(
                f"{where}.variants: '{variant}' names no detector, and this study is about detected faces; write the "
                f"one whose faces it should hide into its entry (`detector: centerface`)"
            )
        if config["variants"][variant]["detector"] in detectors_by(config, BODIES, MATCHED_FACES):
            raise ConfigError(
                f"{where}.variants: '{variant}' hides annotated people of scenes, which pictures of single people do "
                f"not have; tables of Study 3 show it (docs/scenes.md)"
            )


def refuse_scenes(config: Mapping[str, Any], datasets: Iterable[str], where: str) -> None:
    """Raise `ConfigError` for a dataset of scenes: nobody in it has an identity."""
    for dataset in datasets:
        if is_scene(config, dataset):
            raise ConfigError(
                f"{where} names '{dataset}', whose pictures are scenes: nobody in them has an identity to find again; "
                f"tables of Study 3 show it (docs/scenes.md)"
            )


def setting_metrics(config: Mapping[str, Any], entry: Mapping[str, Any]) -> list[str]:
    """The metrics of every setting of a table: each model trained on originals and on each variant."""
    found: dict[str, None] = {}
    for model in entry["models"]:
        for variant in entry["variants"]:
            for setting in DESIGN.settings:
                condition = setting.of(entry["dataset"], model, variant=variant)
                found |= dict.fromkeys(metrics_of(config, condition))
    return list(found)


def network_inputs(config: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, list[str]]:
    """What a table's marks are made of: the published recipes, and the untrained networks that are built anyway."""
    untrained = [
        path
        for dataset, model in untrained_pairs(config)
        if dataset == entry["dataset"] and model in entry["models"]
        for path in metrics_of(config, marks.WITHOUT.of(dataset, model))
    ]
    return {"networks": [paths.published(STUDY, "networks")], **({UNTRAINED: untrained} if untrained else {})}


def untrained_pairs(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(dataset, model) of every network that a table of untrained ones shows by default."""
    entries = [config["tables"][name] for name in built_tables(config)]
    named = [name for e in entries if study_of(e) == STUDY and e["rows"] == "untrained" for name in e["tables"]]
    tables = [config["tables"][name] for name in dict.fromkeys(named)]
    return list(dict.fromkeys((table["dataset"], model) for table in tables for model in table["models"]))


def describe_networks(files: Files, spec: Mapping[str, Any]) -> pd.DataFrame | None:
    """What there is to say of a table's networks: `marks.COLUMNS` by model. None for a spec that describes none."""
    if "networks" not in spec:
        return None
    published, metrics = read_frame(files["networks"][0]), files["metrics"]
    rows = {}
    for model in spec["models"]:
        learnt = marks.learning(metrics, files.get(UNTRAINED, ()), spec["dataset"], model)
        network = spec["networks"][model]
        rows[model] = (marks.ranking(network["evaluation"]), marks.trial(network, published), str(learnt))
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(marks.COLUMNS))


def named_reranked(frame: pd.DataFrame, plain: pd.DataFrame) -> pd.DataFrame:
    """A table with a row a model for readers: the re-ranked ones are named so, and their plain order is a row below.

    plain: the rows of the re-ranked models in plain order.
    """
    below = {(row["data"], row["model"]): row for row in plain.to_dict("records")}
    rows = []
    for row in frame.to_dict("records"):
        if other := below.get((row["data"], row["model"])):
            rows.append(row | {"model": f"{row['model']} ({marks.RERANKED})"})
            rows.append(other | {"model": f"{row['model']} ({marks.PLAIN})"})
        else:
            rows.append(row)
    return pd.DataFrame(rows, columns=frame.columns)


def all_runs(results: Sequence[Metrics], dataset: str, rows: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """Every run in every setting of the study.

    rows: (model, variant) pairs.
    """
    return runs_table(results, dataset, DESIGN.columns(), rows)


def sources(dataset: str, model: str, columns: Mapping[str, tuple[str, Setting]], variant: str) -> dict[str, Source]:
    """The cells of one row by column."""
    return {
        column: Source(setting.of(dataset, model, variant=variant), metric)
        for column, (metric, setting) in columns.items()
    }
