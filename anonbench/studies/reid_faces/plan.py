"""What each report of Study 1 is made of: paths and settings, from the configuration. The rules of the study ask this.

study = Plan(config)
study.table_metrics("table3")
study.dose_families()
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anonbench.data import paths
from anonbench.data.entries import built_tables, detections_of, is_rendered, runs_of
from anonbench.data.variants import ORIGINAL
from anonbench.studies.kinds import kind_of, study_of
from anonbench.studies.reid_faces.settings import BASELINE, CONTRASTS, DESIGN, STUDY, TESTED
from anonbench.studies.tables import metrics_of

SETTING_KINDS = ("models", "anonymizers")
"""The tables whose metrics enter the statistics."""
DETAILS = {"sigma_rel": "standard deviation / width of the box", "n": "cells a side"}
"""What figures say of an anonymizer's main parameter."""


@dataclass(frozen=True)
class Plan:
    """The study's reports under one configuration. Statistics and figures show the tables named under `build`."""

    config: Mapping[str, Any]

    # --- tables ---

    @property
    def tables(self) -> Mapping[str, Any]:
        return self.config["tables"]

    def built(self, *kinds: str) -> list[str]:
        """The tables of these kinds that are built by default."""
        names = [name for name in built_tables(self.config) if study_of(self.tables[name]) == STUDY]
        return [name for name in names if self.tables[name]["rows"] in kinds]

    def table_metrics(self, name: str) -> list[str]:
        """The metrics files that a table is made of."""
        entry = self.tables[name]
        return kind_of(entry).inputs(self.config, entry).get("metrics", [])

    def datasets(self, *names: str) -> list[str]:
        """The datasets of tables. None named: of all tables whose metrics enter the statistics."""
        several = [self.tables[name] for name in names or self.setting_tables]
        return [dataset for entry in several for dataset in kind_of(entry).datasets(self.config, entry)]

    # --- statistics ---

    @property
    def setting_tables(self) -> list[str]:
        return self.built(*SETTING_KINDS)

    @property
    def metrics(self) -> list[str]:
        """The metrics of every setting of every such table."""
        return sorted({path for name in self.setting_tables for path in self.table_metrics(name)})

    @property
    def pairs(self) -> list[dict[str, str]]:
        """dataset and variant of every cell."""
        several = [self.tables[name] for name in self.setting_tables]
        pairs = dict.fromkeys((entry["dataset"], variant) for entry in several for variant in entry["variants"])
        return [{"dataset": dataset, "variant": variant} for dataset, variant in pairs]

    @property
    def pair_detections(self) -> list[str]:
        """The detections for each of `pairs`."""
        return [detections_of(self.config, **pair) for pair in self.pairs]

    @property
    def alpha(self) -> float:
        """Level of the tests."""
        return round(1 - self.config["statistics"]["confidence"], 10)

    @property
    def pages(self) -> list[str]:
        """The pages that are written by default: that on the paper's numbers where a table shows them."""
        quoted = any(self.tables[name].get("published") for name in built_tables(self.config))
        return [paths.statistics(name, ".md") for name in ("statistics", *(["published"] if quoted else []))]

    # --- figures ---

    @property
    def figures(self) -> list[str]:
        """The figures that are drawn by default."""
        shown = self.config["figures"]
        names = ["settings", *(f"differences_{m}" for m in DESIGN.metrics)]
        if self.may_show(self.sampled["dataset"]):
            names = ["figure1", "figure2", "variants", *names]
        names += [f"{kind}_{table}" for table in self.built("models") for kind in ("cmc", "faces")]
        names += [name for name in ("ranked", "dose_response") if shown[name]["table"] in self.setting_tables]
        if "ranked" in names and not self.may_show(self.ranked.dataset):
            names.remove("ranked")
        return [paths.figure(name, ".png") for name in names]

    def may_show(self, dataset: str) -> bool:
        """Whether figures with the people of a dataset are drawn by default: real ones only where the config says so.

        A figure that is named as a target is made in any case.
        """
        return is_rendered(self.config, dataset) or bool(self.config["figures"]["real_people"])

    @property
    def sampled(self) -> Mapping[str, Any]:
        """The table whose people are shown: the one with the most anonymizers."""
        return max((self.tables[name] for name in self.setting_tables), key=lambda entry: len(entry["variants"]))

    def details(self) -> dict[str, str]:
        """What a figure says of each variant that is shown: its method's main parameter."""
        found: dict[str, str] = {}
        for variant in self.sampled["variants"]:
            entry = self.config["variants"][variant]
            text = ", ".join(f"{name} = {entry[name]:.3g}" for name in DETAILS if name in entry)
            found |= {variant: text} if text else {}
        return found

    def cases(self, *names: str) -> list[dict[str, str]]:
        """dataset, model and variant of every row of tables with a row a model."""
        several = [self.tables[name] for name in names or self.built("models")]
        return [
            {"dataset": entry["dataset"], "model": model, "variant": entry["variants"][0]}
            for entry in several
            for model in entry["models"]
        ]

    @property
    def dose(self) -> dict[str, Any]:
        """dataset, model and families of the figure of doses."""
        asked = self.config["figures"]["dose_response"]
        variants = self.config["variants"]
        families = [
            {
                "title": variants[names[0]]["method"].replace("_", " "),
                "axis": f"{parameter}: {DETAILS[parameter]}" if parameter in DETAILS else parameter,
                "values": {name: variants[name][parameter] for name in names},
                "more_hides": parameter not in asked["less_hides"],
            }
            for parameter, names in asked["parameters"].items()
        ]
        return {"dataset": self.tables[asked["table"]]["dataset"], "model": asked["model"], "families": families}

    @property
    def dose_metrics(self) -> list[str]:
        """The doses tested on the model trained on originals, and trained on where the table trains on them anyway."""
        table, dose = self.tables[self.config["figures"]["dose_response"]["table"]], self.dose
        variants = dict.fromkeys(variant for family in dose["families"] for variant in family["values"])
        settings = [(BASELINE, ORIGINAL), *((TESTED, variant) for variant in variants)]
        settings += [(name, v) for name in CONTRASTS[1:] for v in variants if v in table["variants"]]
        conditions = [DESIGN[name].of(dose["dataset"], dose["model"], variant=v) for name, v in settings]
        return [path for condition in conditions for path in metrics_of(self.config, condition)]

    @property
    def ranked(self) -> RankedPlan:
        """The first run of a model, tested on originals and on the variant of its table."""
        asked = self.config["figures"]["ranked"]
        table, model = self.tables[asked["table"]], asked["model"]
        dataset, tested = table["dataset"], (ORIGINAL, table["variants"][0])
        run = runs_of(self.config, dataset, model)[0]
        return RankedPlan(
            dataset,
            tested,
            [f"original → {test}" for test in tested],
            [paths.features(dataset, model, ORIGINAL, run, test) for test in tested],
            [paths.metrics(dataset, model, ORIGINAL, run, test, suffix=".queries.csv") for test in tested],
        )


@dataclass(frozen=True)
class RankedPlan:
    """What the figure of ranked lists shows: a dataset, and the variant, name and files of each of its settings."""

    dataset: str
    variants: tuple[str, str]
    settings: list[str]
    features: list[str]
    queries: list[str]
