"""`rows: attacks`: a row a way of hiding, a column an attack: how often it succeeds, and the risk.

    privacy_attacks:
      study: privacy
      rows: attacks
      dataset: market1501-rendered
      faces: market1501-faces        # its faces (datasets: cut)
      attacks: [faces_naive, faces_parrot, people_naive]
      variants: [blur, zero]         # below the original pictures

Beside it lies `.runs.csv`, with rank-1, rank-5 and mAP, EER and TPR, control, baseline and the person who is found
most often.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from anonbench.report.layout import DASH
from anonbench.report.tables import Table
from anonbench.studies.kinds import Entry, Files, Source
from anonbench.studies.privacy.kinds import KINDS
from anonbench.studies.privacy.kinds._common import NOTE, OfAttacks, in_percent, rows_of, sources
from anonbench.studies.privacy.results import Measured, long_table, measured, read_outcomes

CELL = "A cell: rank-1 in percent, then the risk in percent with its interval."


@KINDS.register("attacks")
class Attacks(OfAttacks):
    whole = ""

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        outcomes = read_outcomes(files)
        found = {v: {a: measured(outcomes, a, v) for a in spec["attacks"]} for v in rows_of(spec)}
        shown = [{"variant": v, **{a: _shown(m) for a, m in cells.items()}} for v, cells in found.items()]
        return Table(
            pd.DataFrame([_row(variant, cells) for variant, cells in found.items()]),
            f"{name}: what attackers find out from {spec['dataset']}",
            [CELL, NOTE.format(label=label)],
            self.key,
            shown=pd.DataFrame(shown),
            runs=long_table(outcomes),
        )

    def cells(self, config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
        return sources(config, entry)


def _row(variant: str, cells: Mapping[str, Measured | None]) -> dict[str, Any]:
    row: dict[str, Any] = {"variant": variant}
    for attack, found in cells.items():
        row |= {
            f"rank1_{attack}": in_percent(found.rank1) if found else None,
            f"risk_{attack}": in_percent(found.risk) if found else None,
            f"low_{attack}": in_percent(found.low) if found else None,
            f"high_{attack}": in_percent(found.high) if found else None,
            f"void_{attack}": found.void if found else None,
        }
    return row


def _shown(found: Measured | None) -> str:
    if found is None:
        return DASH
    rank = f"{100 * found.rank1:.0f}; " if found.rank1 is not None else ""
    return rank + ("void" if found.void else str(found))
