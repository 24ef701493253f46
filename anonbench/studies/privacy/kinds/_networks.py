"""What those kinds of tables do alike that show how networks score on copies, and no attack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonbench.core.errors import ConfigError
from anonbench.core.structure import check_known
from anonbench.data.entries import BODIES, MATCHED_FACES, datasets_of_people, detectors_by
from anonbench.data.variants import ORIGINAL
from anonbench.report.layout import Headings
from anonbench.studies.kinds import Entry
from anonbench.studies.tables import NAME, NAMES, check_keys
from anonbench.tasks.reid.settings import Setting

KEYS = {"dataset": NAME, "variants": NAMES}
TESTED = Setting("tested", train=ORIGINAL, query="{variant}", gallery="{variant}")
"""Trained on originals. `variant` may be the original."""
CROSSED = Setting("crossed", train="{train}", query="{variant}", gallery="{variant}")
HEADINGS = Headings(metrics={"map": "mAP", "rank1": "Rank-1"})


def check_networks(config: Mapping[str, Any], entry: Entry, where: str, more: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for an entry that cannot be used.

    more: schemas of further keys that it needs: `model` or `models` among them.
    """
    check_keys(entry, where, {**KEYS, **more}, {})
    check_known(f"{where}.dataset", [entry["dataset"]], datasets_of_people(config))
    for key in ("model", "models"):
        named = entry.get(key, [])
        check_known(f"{where}.{key}", [named] if isinstance(named, str) else named, config["models"])
    if ORIGINAL in entry["variants"]:
        raise ConfigError(f"{where}.variants: '{ORIGINAL}' is in every table; take it out")
    check_known(f"{where}.variants", entry["variants"], config["variants"])
    for variant in entry["variants"]:
        if config["variants"][variant]["detector"] in detectors_by(config, BODIES, MATCHED_FACES):
            raise ConfigError(
                f"{where}.variants: '{variant}' hides annotated people of scenes, which pictures of single people do "
                f"not have; tables of Study 3 show it (docs/scenes.md)"
            )
