"""What the figures of Study 2 are made of, from the configuration. The rules of the study ask this.

study = Plan(config)
study.figures
study.grid("figure6").columns
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from anonbench.data import paths
from anonbench.data.entries import built_tables, is_rendered, people_warning, runs_of, stored
from anonbench.data.variants import ORIGINAL
from anonbench.studies.kinds import kind_of, study_of
from anonbench.studies.reversible.settings import STUDY
from anonbench.studies.reversible.trainings import trainings_of


@dataclass(frozen=True)
class Plan:
    """The study's figures under one configuration."""

    config: Mapping[str, Any]

    @property
    def built(self) -> list[str]:
        """The tables of the study that are built by default."""
        return [name for name in built_tables(self.config) if study_of(self.config["tables"][name]) == STUDY]

    @property
    def trained(self) -> set[tuple[str, str]]:
        """(dataset, training) of all that the tables built by default train anyway."""
        found = set()
        for name in self.built:
            entry = self.config["tables"][name]
            for dataset in kind_of(entry).datasets(self.config, entry):
                found |= {(dataset, t) for t in trainings_of(self.config, *_named(entry))}
        return found

    @property
    def raw_networks(self) -> set[tuple[str, str]]:
        """(dataset, model) of the networks that those tables show trained on raw images alone."""
        entries = [self.config["tables"][name] for name in self.built]
        rows = [row for entry in entries for row in kind_of(entry).cells(self.config, entry).values()]
        conditions = [source.condition for row in rows for source in row.values()]
        return {(found.dataset, found.model) for found in conditions if found.train == ORIGINAL}

    @property
    def datasets(self) -> set[str]:
        """The datasets of the tables built by default."""
        entries = [self.config["tables"][name] for name in self.built]
        return {dataset for entry in entries for dataset in kind_of(entry).datasets(self.config, entry)}

    @property
    def figures(self) -> list[str]:
        """The figures that are drawn by default: those that need no network which no built table needs.

        Grids with real people are drawn by default only where the config says so.
        """
        grids = [
            name
            for name, entry in self.entries("grids").items()
            if self._is_at_hand(entry["dataset"], [column["variant"] for column in entry["columns"]])
            and self.may_show(entry["dataset"])
        ]
        maps = [
            name
            for name, entry in self.entries("maps").items()
            if self._is_at_hand(
                entry["dataset"],
                [panel["variant"] for panel in entry["panels"]],
                [panel["training"] for panel in entry["panels"] if panel["training"] != ORIGINAL],
            )
            and (
                (entry["dataset"], entry["model"]) in self.raw_networks
                or ORIGINAL not in [panel["training"] for panel in entry["panels"]]
            )
        ]
        return [figure(name, ".png") for name in (*grids, *maps)]

    def entries(self, kind: str) -> Mapping[str, Any]:
        """The figures of a kind.

        kind: grids or maps.
        """
        found: Mapping[str, Any] = self.config["reversible_figures"][kind]
        return found

    def may_show(self, dataset: str) -> bool:
        """Whether a dataset's people are drawn by default. A figure that is named as a target is made in any case."""
        return is_rendered(self.config, dataset) or bool(self.config["reversible_figures"]["real_people"])

    def grid(self, name: str) -> GridPlan:
        """What a figure with people as rows and variants as columns shows."""
        entry = self.entries("grids")[name]
        dataset, columns = entry["dataset"], [dict(column) for column in entry["columns"]]
        run = runs_of(self.config, dataset, entry["model"])[0]
        return GridPlan(
            dataset,
            run,
            columns,
            [stored(self.config, column["variant"], run) for column in columns],
            entry["people"],
            entry["title"],
            people_warning(self.config, dataset),
        )

    def map(self, name: str) -> MapPlan:
        """What a figure of features shows: the same test images, raw and protected, by several networks."""
        entry = self.entries("maps")[name]
        dataset, model = entry["dataset"], entry["model"]
        run = runs_of(self.config, dataset, model)[0]
        panels = entry["panels"]
        return MapPlan(
            dataset,
            model,
            run,
            [{"title": panel["title"], "protected": panel.get("protected", panel["variant"])} for panel in panels],
            [paths.features(dataset, model, panel["training"], run, ORIGINAL) for panel in panels],
            [paths.features(dataset, model, panel["training"], run, panel["variant"]) for panel in panels],
            entry["people"],
            entry["images"],
        )

    @property
    def human_eval(self) -> HumanEvalPlan:
        """What the kit of a human evaluation shows: the copies of one run."""
        entry = self.config["reversible_human_eval"]
        dataset, run = entry["dataset"], runs_of(self.config, entry["dataset"], entry["model"])[0]
        shown = [variant for group in entry["groups"] for variant in (group["left"], group["right"])]
        variants = list(dict.fromkeys([entry.get("raw", ORIGINAL), *shown]))
        spec = {key: value for key, value in entry.items() if key not in ("dataset", "model")}
        people = "rendered" if is_rendered(self.config, dataset) else "real"
        return HumanEvalPlan(dataset, variants, [stored(self.config, v, run) for v in variants], spec, people)

    def _is_at_hand(self, dataset: str, variants: Iterable[str], trainings: Iterable[str] = ()) -> bool:
        if dataset not in self.datasets:
            return False
        return {(dataset, t) for t in trainings_of(self.config, variants, trainings)} <= self.trained


@dataclass(frozen=True)
class GridPlan:
    """A figure with people as rows and variants as columns.

    run: whose copies of learned variants are shown.
    columns: `{variant, title, group}`; the first are the raw pictures.
    stored: the name below which the copy of each column lies.
    title: of the figure.
    warning: what the figure must say where people are not drawn; "" where they are.
    """

    dataset: str
    run: str
    columns: list[dict[str, str]]
    stored: list[str]
    people: int
    title: str
    warning: str

    @property
    def manifests(self) -> list[str]:
        return [paths.manifest(self.dataset, name) for name in self.stored]


@dataclass(frozen=True)
class HumanEvalPlan:
    """The kit of a human evaluation.

    variants: whose pictures are shown.
    stored: the name below which the copy of each lies.
    spec: groups and numbers of pairs, as `human_eval_kit` takes them.
    people: real or rendered.
    """

    dataset: str
    variants: list[str]
    stored: list[str]
    spec: dict[str, Any]
    people: str

    @property
    def manifests(self) -> list[str]:
        return [paths.manifest(self.dataset, name) for name in self.stored]


@dataclass(frozen=True)
class MapPlan:
    """A figure of features in the plane, a panel a network.

    model: of every panel; its `evaluation:` says how features are compared.
    panels: `{title, protected}`: the network, and what its protected pictures are, in words.
    raw, protected: files of features, one a panel.
    people: to show.
    images: of each of them at most.
    """

    dataset: str
    model: str
    run: str
    panels: list[dict[str, str]]
    raw: list[str]
    protected: list[str]
    people: int
    images: int


def figure(name: str, suffix: str = ".svg") -> str:
    """Where a figure of the study is: its entry's name with the study's before it."""
    return paths.figure(f"{STUDY}_{name}", suffix)


def _named(entry: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The variants and trainings that a table of the study names."""
    rows = entry.get("trainings", ())
    variants = [variant for key in ("variants", "desensitized", "protected") for variant in entry.get(key, ())]
    return [*variants, *(row["variant"] for row in rows)], [row["training"] for row in rows]
