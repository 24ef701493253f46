"""What an attack is made of, from the configuration. The rules of the study and its tables ask this.

files = inputs(config, "market1501-faces", "faces_parrot", "blur", "seed0")
files.probes, files.gallery
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anonbench.data import paths
from anonbench.data.entries import attack_runs, built_tables, cut_from, stored
from anonbench.data.variants import ORIGINAL
from anonbench.studies.privacy.settings import ANONYMIZED, FACES, MEMBERSHIP, OWN_KEYS, STUDY, AttackCondition, applies

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


def reports(config: Mapping[str, Any]) -> list[str]:
    """What is made by default beside the built tables: the figure of each trade-off, and the page."""
    built = built_tables(config)
    figures = [paths.figure(f"{STUDY}_{name}", ".png") for name in tables(config, "tradeoff") if name in built]
    return figures + [paths.statistics(STUDY, ".md")] * (page_table(config) in built)


def page_table(config: Mapping[str, Any]) -> str:
    """The table of risks that the page is about: the first that is built, or the first; "none" without any."""
    every = tables(config, "risks")
    return next((name for name in every if name in built_tables(config)), every[0] if every else "none")
