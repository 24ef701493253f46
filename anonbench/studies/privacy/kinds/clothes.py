"""`rows: clothes`: what hiding faces costs where people have changed clothes.

    clothes:
      study: privacy
      rows: clothes
      datasets: {0: clothes-0, 50: clothes-50, 100: clothes-100}   # percent of queries in other clothes
      model: bot
      variants: [blur, zero]

Study 1 finds that hiding faces costs little: networks go by clothes. Here the drawn people of a share of the queries
wear something else than in the gallery (`render: other_clothes`). The cost is that of `tradeoff`: points of mAP that a
network, trained on originals of the same dataset, loses where queries and gallery are hidden.

Source: Arkushin et al., "GEFF: Improving Any Clothes-Changing Person ReID Model using Gallery Enrichment with Face
Features", WACVW 2024, find that faces add most where clothes change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from anonbench.core.errors import ConfigError
from anonbench.core.structure import check_known
from anonbench.data import paths
from anonbench.data.entries import is_scene, runs_of
from anonbench.data.results import read_frame
from anonbench.data.variants import ORIGINAL
from anonbench.report.tables import Table
from anonbench.studies.kinds import Entry, Files, Source
from anonbench.studies.privacy.kinds import KINDS
from anonbench.studies.privacy.kinds._common import in_percent
from anonbench.studies.privacy.kinds.tradeoff import QUERY, loss
from anonbench.studies.tables import NAME, NAMES, check_keys

ABOUT = (
    "mAP of {model}, trained on originals, and how many points it loses where queries and gallery are hidden, with an "
    "interval at {level:.0%} by a bootstrap over people. Data: {label}."
)


@KINDS.register("clothes")
class Clothes:
    key, whole = ("other_clothes", "variant"), "compares datasets of different people in clothes"

    def check(self, config: Mapping[str, Any], entry: Entry, where: str) -> None:
        shares = {"type": "object", "minProperties": 2, "additionalProperties": NAME}
        check_keys(entry, where, {"datasets": shares, "model": NAME, "variants": NAMES}, {})
        people = [name for name in config["datasets"] if not is_scene(config, name)]
        check_known(f"{where}.datasets", list(entry["datasets"].values()), people)
        check_known(f"{where}.model", [entry["model"]], config["models"])
        check_known(f"{where}.variants", entry["variants"], config["variants"])
        for share in entry["datasets"]:
            if not share.isdecimal() or int(share) > 100:
                raise ConfigError(f"{where}.datasets: '{share}' is no percentage; expected whole numbers from 0 to 100")

    def datasets(self, config: Mapping[str, Any], entry: Entry) -> list[str]:
        return list(entry["datasets"].values())

    def inputs(self, config: Mapping[str, Any], entry: Entry) -> dict[str, list[str]]:
        return {
            f"{share} {variant}": [
                paths.queries(paths.metrics(dataset, entry["model"], ORIGINAL, run, variant))
                for run in runs_of(config, dataset, entry["model"])
            ]
            for share, dataset in entry["datasets"].items()
            for variant in dict.fromkeys([ORIGINAL, *entry["variants"]])
        }

    def spec(self, config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
        return {**entry, "statistics": config["privacy_statistics"]}

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        chosen, rows = spec["statistics"], []
        for share in sorted(spec["datasets"], key=int):
            before = files[f"{share} {ORIGINAL}"]
            score = pd.concat([read_frame(path, QUERY) for path in before])["ap"].mean()
            for variant in spec["variants"]:
                cost = loss(before, files[f"{share} {variant}"], chosen["confidence"], chosen["resamples"])
                value, low, high = (in_percent(number, 2) for number in cost)
                row = {"other_clothes": int(share), "variant": variant, "map_original": in_percent(float(score), 2)}
                rows.append({**row, "cost": value, "cost_low": low, "cost_high": high})
        frame = pd.DataFrame(rows)
        shown = frame[["other_clothes", "variant", "map_original"]].rename(
            columns={"other_clothes": "queries in other clothes (%)", "map_original": "mAP original"}
        )
        costs = zip(frame["cost"], frame["cost_low"], frame["cost_high"], strict=True)
        shown["cost in mAP"] = [f"{value:.1f} [{low:.1f}, {high:.1f}]" for value, low, high in costs]
        return Table(
            frame,
            f"{name}: what hiding faces costs where people have changed clothes",
            [ABOUT.format(model=spec["model"], level=chosen["confidence"], label=label)],
            self.key,
            shown=shown,
        )

    def cells(self, config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
        return {}
