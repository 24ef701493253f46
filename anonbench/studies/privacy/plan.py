"""What an attack is made of, from the configuration. The rules of the study and its tables ask this.

files = inputs(config, "market1501-faces", "faces_parrot", "blur", "seed0")
files.probes, files.gallery
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anonbench.data import paths
from anonbench.data.entries import attack_runs, built_tables, cut_from, is_rendered, people_warning, stored
from anonbench.data.variants import ORIGINAL
from anonbench.studies.privacy.settings import (
    ANONYMIZED,
    FACES,
    MEMBERSHIP,
    OWN_KEYS,
    RESTORING,
    STUDY,
    AttackCondition,
    applies,
)

SHIPPED = "shipped"
"""In paths, what a recognizer was trained on that is not trained here."""


@dataclass(frozen=True, slots=True)
class AttackFiles:
    """What one run of an attack reads.

    probes, gallery: features.
    manifest: of the probes' pictures.
    people: manifest of the pictures that they were cut out of.
    shown: variants whose pictures are probes and gallery.
    trained: what the recognizer was trained on.
    """

    probes: str
    gallery: str
    manifest: str
    people: str
    shown: tuple[str, str]
    trained: str


@dataclass(frozen=True, slots=True)
class RestoredPlan:
    """A figure of faces that were restored: of the first run of an attack.

    trials: of the attack.
    stored: the names below which original, hidden and restored faces lie.
    faces: to show of each kind.
    title: of the figure.
    warning: what the figure must say where people are not drawn; "" where they are.
    """

    dataset: str
    attack: str
    variant: str
    trials: str
    stored: list[str]
    faces: int
    title: str
    warning: str

    @property
    def manifests(self) -> list[str]:
        return [paths.manifest(self.dataset, name) for name in self.stored]


def spec_of(attack: Mapping[str, Any]) -> dict[str, Any]:
    """The method of an attack with its parameters.

    >>> spec_of({"method": "recognition", "sees": "faces", "model": "face_net", "seed": 1})
    {'method': 'recognition', 'seed': 1}
    """
    return {key: value for key, value in attack.items() if key not in OWN_KEYS}


def inputs(config: Mapping[str, Any], dataset: str, attack: str, variant: str, run: str) -> AttackFiles:
    """What one run of an attack reads."""
    entry = config["attacks"][attack]
    probes = entry.get("restored", {}).get(variant, variant)
    gallery = variant if entry.get("gallery") == ANONYMIZED else ORIGINAL
    if "recognizer" in entry:
        name, trained = entry["recognizer"], SHIPPED
    else:
        name, trained = entry["model"], variant if entry.get("trained") == ANONYMIZED else ORIGINAL
    return AttackFiles(
        probes=paths.features(dataset, name, trained, run, probes),
        gallery=paths.features(dataset, name, trained, run, gallery),
        manifest=paths.manifest(dataset, stored(config, probes, run)),
        people=paths.manifest(cut_from(config, dataset) or dataset),
        shown=(probes, gallery),
        trained=trained,
    )


def condition(config: Mapping[str, Any], table: Mapping[str, Any], attack: str, variant: str) -> AttackCondition:
    """An attack of a table on a variant: on the table's dataset, or on the faces cut out of it."""
    of_faces = config["attacks"][attack].get("sees") == FACES
    return AttackCondition(table["faces"] if of_faces else table["dataset"], attack, variant)


def conditions(config: Mapping[str, Any], table: Mapping[str, Any]) -> list[AttackCondition]:
    """All attacks of a table on all its variants, the original first, where they apply."""
    variants = dict.fromkeys([ORIGINAL, *table["variants"]])
    return [
        condition(config, table, attack, variant)
        for variant in variants
        for attack in table["attacks"]
        if applies(config["attacks"][attack], variant)
    ]


def outcomes(config: Mapping[str, Any], found: AttackCondition) -> list[str]:
    """The outcomes of all runs of an attack on a variant."""
    return [paths.attack(run=run, **found.labels) for run in attack_runs(config, found.dataset, found.attack)]


def is_membership(config: Mapping[str, Any], attack: str) -> bool:
    """Whether an attack asks whom a network was trained on."""
    return bool(config["attacks"][attack]["method"] == MEMBERSHIP)


def tables(config: Mapping[str, Any], rows: str) -> list[str]:
    """The tables of the study of one kind."""
    entries = config["tables"]
    return [name for name, entry in entries.items() if entry.get("study") == STUDY and entry["rows"] == rows]


def restored_figure(config: Mapping[str, Any], name: str) -> RestoredPlan:
    """What a figure of restored faces is made of.

    name: in `privacy_figures.restored`.
    """
    entry = config["privacy_figures"]["restored"][name]
    dataset, attack, variant = entry["dataset"], entry.get("attack", RESTORING), entry["variant"]
    run = attack_runs(config, dataset, attack)[0]
    shown = [ORIGINAL, variant, config["attacks"][attack]["restored"][variant]]
    return RestoredPlan(
        dataset,
        attack,
        variant,
        paths.attack(dataset, attack, variant, run, ".trials.csv"),
        [stored(config, state, run) for state in shown],
        entry["faces"],
        entry.get("title", f"Faces hidden by '{variant}', and what an attacker makes of them"),
        people_warning(config, dataset),
    )


def restored_path(name: str, suffix: str = ".svg") -> str:
    """Where a figure of restored faces is."""
    return paths.figure(f"{STUDY}_restored_{name}", suffix)


def restored_figures(config: Mapping[str, Any]) -> list[str]:
    """The figures of restored faces that are drawn by default: of attacks that a built table makes anyway.

    Real people are drawn by default only where the config says so. A figure that is named as a target is drawn in any
    case.
    """
    built = [config["tables"][name] for name in built_tables(config)]
    made = {
        (found.dataset, found.attack, found.variant)
        for entry in built
        if entry.get("study") == STUDY and "attacks" in entry
        for found in conditions(config, entry)
    }
    figures = config["privacy_figures"]
    plans = {name: restored_figure(config, name) for name in figures["restored"]}
    return [
        name
        for name, plan in plans.items()
        if (plan.dataset, plan.attack, plan.variant) in made
        and (figures["real_people"] or is_rendered(config, plan.dataset))
    ]


def reports(config: Mapping[str, Any]) -> list[str]:
    """What is made by default beside the built tables: their figures, and the page."""
    built = built_tables(config)
    figures = [paths.figure(f"{STUDY}_{name}", ".png") for name in tables(config, "tradeoff") if name in built]
    figures += [restored_path(name, ".png") for name in restored_figures(config)]
    return figures + [paths.statistics(STUDY, ".md")] * (page_table(config) in built)


def page_table(config: Mapping[str, Any]) -> str:
    """The table of risks that the page is about: the first that is built, or the first; "none" without any."""
    every = tables(config, "risks")
    return next((name for name in every if name in built_tables(config)), every[0] if every else "none")
