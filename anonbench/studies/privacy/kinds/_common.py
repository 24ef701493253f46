"""What the kinds of tables of Study 4 do alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from anonbench.core.errors import ConfigError
from anonbench.core.structure import check_known
from anonbench.data import paths
from anonbench.data.entries import cut_from, datasets_of_people
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


class OfAttacks:
    """A kind of table that shows attacks on the variants of a dataset. It has `more` keys, each with its schema."""

    key: Sequence[str] = ("variant",)
    more: ClassVar[Mapping[str, Any]] = {}

    def check(self, config: Mapping[str, Any], entry: Entry, where: str) -> None:
        check_attacks(config, entry, where, self.more)

    def datasets(self, config: Mapping[str, Any], entry: Entry) -> list[str]:
        return [entry["dataset"]]

    def inputs(self, config: Mapping[str, Any], entry: Entry) -> dict[str, list[str]]:
        """The outcomes of every attack of the table."""
        found = plan.conditions(config, entry)
        return {"attacks": [path for condition in found for path in plan.outcomes(config, condition)]}

    def spec(self, config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
        """The entry with the risk that each attack is about."""
        return {**entry, "risks": {attack: risk_of(config["attacks"][attack]) for attack in entry["attacks"]}}

    def cells(self, config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
        return {}


def check_attacks(config: Mapping[str, Any], entry: Entry, where: str, more: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for an entry that cannot be used.

    more: schemas of further keys that it needs.
    """
    check_keys(entry, where, {**KEYS, **more}, {})
    check_known(f"{where}.dataset", [entry["dataset"]], datasets_of_people(config))
    of = [name for name in config["datasets"] if cut_from(config, name) == entry["dataset"]]
    if not of:
        raise ConfigError(f"{where}.faces: no dataset has the faces of '{entry['dataset']}' (`cut:` with `of:`)")
    check_known(f"{where}.faces", [entry["faces"]], of)
    check_known(f"{where}.attacks", entry["attacks"], config["attacks"])
    check_known(f"{where}.variants", entry["variants"], config["variants"])


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
