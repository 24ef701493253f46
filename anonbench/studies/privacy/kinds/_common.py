"""What the kinds of tables of Study 4 do alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anonbench.core.errors import ConfigError
from anonbench.core.structure import check_known
from anonbench.data import paths
from anonbench.data.entries import cut_from, is_scene
from anonbench.data.variants import ORIGINAL
from anonbench.studies.kinds import Entry, Source
from anonbench.studies.privacy import plan
from anonbench.studies.privacy.settings import risk_of
from anonbench.studies.tables import NAME, NAMES, check_keys

KEYS = {"dataset": NAME, "faces": NAME, "attacks": NAMES, "variants": NAMES}
NOTE = (
    "Rank-1 is the share of hidden pictures whose first answer in the attacker's gallery is right. Risk is how much "
    "that is above people whom the attacker cannot know, (attack - control) / (1 - control), with its interval. "
    "Void: the attack does no better than a guess. Where the same attack succeeds on clear pictures, the upper end of "
    "its interval counts; where it does not, a low risk is no sign of safety. Data: {label}."
)


def check_attacks(config: Mapping[str, Any], entry: Entry, where: str, more: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for an entry that cannot be used.

    more: schemas of further keys that it needs.
    """
    check_keys(entry, where, {**KEYS, **more}, {})
    people = [n for n in config["datasets"] if not is_scene(config, n) and cut_from(config, n) is None]
    check_known(f"{where}.dataset", [entry["dataset"]], people)
    of = [name for name in config["datasets"] if cut_from(config, name) == entry["dataset"]]
    if not of:
        raise ConfigError(f"{where}.faces: no dataset has the faces of '{entry['dataset']}' (`cut:` with `of:`)")
    check_known(f"{where}.faces", [entry["faces"]], of)
    check_known(f"{where}.attacks", entry["attacks"], config["attacks"])
    check_known(f"{where}.variants", entry["variants"], config["variants"])


def attack_inputs(config: Mapping[str, Any], entry: Entry) -> list[str]:
    """The outcomes of every attack of a table."""
    return [path for found in plan.conditions(config, entry) for path in plan.outcomes(config, found)]


def described(config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
    """An entry with what `build` must know: which risk each attack is about."""
    return {
        **entry,
        "risks": {attack: risk_of(config["attacks"][attack]) for attack in entry["attacks"]},
    }


def sources(config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
    """row -> column -> what the cell is the mean of: the risk of an attack, or how often it succeeds."""
    found: dict[str, dict[str, Source]] = {}
    for condition in plan.conditions(config, entry):
        row = found.setdefault(condition.variant, {})
        row[f"risk_{condition.attack}"] = Source(condition, "risk.value", "risk", paths.attack)
        if not plan.is_membership(config, condition.attack):
            row[f"rank1_{condition.attack}"] = Source(condition, "identification.rank1", "rank-1", paths.attack)
    return found


def rows_of(spec: Entry) -> Sequence[str]:
    """The variants of a table, the original first."""
    return list(dict.fromkeys([ORIGINAL, *spec["variants"]]))


def in_percent(value: float | None, digits: int = 1) -> float | None:
    return None if value is None else round(100 * value, digits)
