"""What the statistics and figures of Study 3 are made of, from the configuration. The rules of the study ask this.

study = Plan(config)
study.scores, study.reports
study.roots("figure2")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anonbench.data import paths
from anonbench.data.entries import FILES, built_tables, is_rendered, members, people_warning, runs_of
from anonbench.data.variants import ORIGINAL
from anonbench.studies.kinds import kind_of, study_of
from anonbench.studies.scenes.settings import PLACE, STUDY, SceneCondition
from anonbench.studies.tables import metrics_of

ROWS = "instances"
KINDS = ("methods", "predictions", "sizes", "depths")
"""Of figures: what methods make of people (Figure 2), what networks find, sizes of people (7), depths (8)."""
PICTURES = ("methods", "predictions")  # that show people


@dataclass(frozen=True)
class Plan:
    """The study's reports under one configuration."""

    config: Mapping[str, Any]

    @property
    def tables(self) -> dict[str, Mapping[str, Any]]:
        """The tables that are compared: those built by default; where none of the study is, all that it has."""
        entries = self.config["tables"]
        every = {n: e for n, e in entries.items() if study_of(e) == STUDY and e["rows"] == ROWS}
        built = {n: e for n, e in every.items() if n in built_tables(self.config)}
        return built or every

    @property
    def scores(self) -> list[str]:
        """The scores of every network of these tables."""
        files = (kind_of(e).inputs(self.config, e)["metrics"] for e in self.tables.values())
        return sorted({path for listed in files for path in listed})

    @property
    def datasets(self) -> list[str]:
        """The datasets of these tables."""
        return sorted({entry["dataset"] for entry in self.tables.values()})

    @property
    def compared(self) -> list[dict[str, Any]]:
        """For `scene_effects`: what each table compares."""
        keys = ("dataset", "model", "metrics", "variants")
        return [{key: entry[key] for key in keys} for entry in self.tables.values()]

    @property
    def costed(self) -> tuple[str, list[str]]:
        """The dataset of the table with most variants, and its variants that are made here, to measure their costs."""
        table = max(self.tables.values(), key=lambda entry: len(entry["variants"]), default=None)
        if table is None:
            return "", []
        made = [v for v in table["variants"] if self.config["variants"][v]["method"] != FILES]
        return table["dataset"], made

    @property
    def alpha(self) -> float:
        """Level of the tests."""
        return round(1 - self.config["scene_statistics"]["confidence"], 10)

    @property
    def reports(self) -> list[str]:
        """What is made by default beside the tables; nothing where no table of the study is built.

        Of figures those that need no copy and no network which no built table needs. Real people are drawn by default
        only where the config says so; a figure that is named as a target is made in any case.
        """
        if not set(self.tables) & set(built_tables(self.config)):
            return []
        drawn = [
            name
            for kind in KINDS
            for name, entry in self.figures(kind).items()
            if self._needs(kind, entry) <= self._made and self._may_show(kind, entry)
        ]
        return [paths.statistics(STUDY, ".md"), *(figure(name, ".png") for name in drawn)]

    @property
    def visibility(self) -> list[str]:
        """Who is left visible in the variants of the built tables, and in drawn scenes which faces are missed."""
        if not set(self.tables) & set(built_tables(self.config)):
            return []
        used: dict[tuple[str, str], None] = {}
        for entry in self.tables.values():
            detectors = (self.config["variants"][variant]["detector"] for variant in entry["variants"])
            used |= dict.fromkeys((entry["dataset"], detector) for detector in detectors if detector)
        found = [paths.left_visible(*pair) for pair in used]
        faces = (
            (dataset, member)
            for dataset, detector in used
            if is_rendered(self.config, dataset)
            for member in members(self.config, detector)
        )
        return found + [paths.detection_metrics(*pair) for pair in dict.fromkeys(faces)]

    def figures(self, kind: str) -> Mapping[str, Any]:
        """The figures of a kind (`KINDS`): name -> entry."""
        found: Mapping[str, Any] = self.config["scene_figures"][kind]
        return found

    def columns(self, kind: str, name: str) -> list[dict[str, str]]:
        """Of a figure of pictures: `{variant, title, group}`."""
        return [dict(column) for column in self.figures(kind)[name]["columns"]]

    def predictions(self, name: str) -> list[str]:
        """What the first run of each network of a figure of predictions finds."""
        entry = self.figures("predictions")[name]
        dataset, model = entry["dataset"], entry["model"]
        run = runs_of(self.config, dataset, model)[0]
        return [paths.predictions(dataset, model, c["variant"], run, ORIGINAL) for c in entry["columns"]]

    def depth_scores(self, name: str) -> list[str]:
        """The scores of every network of a figure of depths."""
        lines = self.figures("depths")[name]["lines"]
        conditions = sorted({c for line in lines for c in _conditions(line)})
        return [path for condition in conditions for path in metrics_of(self.config, condition, PLACE)]

    def datasets_of(self, kind: str, name: str) -> list[str]:
        """The datasets that a figure shows."""
        return _datasets(kind, self.figures(kind)[name])

    def warning(self, kind: str, name: str) -> str:
        """What a figure of pictures must say of its people."""
        return people_warning(self.config, self.figures(kind)[name]["dataset"])

    @property
    def _made(self) -> set[tuple[str, ...]]:
        """(dataset,), (dataset, variant) and (dataset, model, variant) of all that the built tables need."""
        found: set[tuple[str, ...]] = set()
        for entry in self.tables.values():
            dataset, model = entry["dataset"], entry["model"]
            variants = [ORIGINAL, *entry["variants"]]
            found |= {(dataset,), *((dataset, v) for v in variants), *((dataset, model, v) for v in variants)}
        return found

    def _needs(self, kind: str, entry: Mapping[str, Any]) -> set[tuple[str, ...]]:
        if kind == "sizes":
            return {(dataset,) for dataset in entry["datasets"]}
        if kind == "depths":
            return {(c.dataset, c.model, c.train) for line in entry["lines"] for c in _conditions(line)}
        model = (entry["model"],) if kind == "predictions" else ()
        return {(entry["dataset"], *model, column["variant"]) for column in entry["columns"]}

    def _may_show(self, kind: str, entry: Mapping[str, Any]) -> bool:
        if kind not in PICTURES or self.config["scene_figures"]["real_people"]:
            return True
        return is_rendered(self.config, entry["dataset"])


def figure(name: str, suffix: str = ".svg") -> str:
    """Where a figure of the study is: its entry's name with the study's before it."""
    return paths.figure(f"{STUDY}_{name}", suffix)


def _conditions(line: Mapping[str, Any]) -> list[SceneCondition]:
    """The networks of a line of Figure 8."""
    return [
        SceneCondition(line["dataset"], model, train)
        for model in line["models"].values()
        for train in (ORIGINAL, line["variant"])
    ]


def _datasets(kind: str, entry: Mapping[str, Any]) -> list[str]:
    if kind == "sizes":
        return list(entry["datasets"])
    if kind == "depths":
        return sorted({line["dataset"] for line in entry["lines"]})
    return [entry["dataset"]]
