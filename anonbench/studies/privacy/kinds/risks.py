"""`rows: risks`: a row a way of hiding, the strongest attack for each of three risks, and a line of plain words.

    privacy_risks:
      study: privacy
      rows: risks
      dataset: market1501-rendered
      faces: market1501-faces
      attacks: [faces_parrot, faces_restored, people_naive, membership]
      variants: [blur, zero]

The risks are those of the Article 29 Working Party's Opinion 05/2014 (`settings`). An attack that no attacker of the
table makes is no risk that is absent: the cell says "not tried".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from anonbench.report.tables import Table
from anonbench.studies.kinds import Entry, Files
from anonbench.studies.privacy.kinds import KINDS
from anonbench.studies.privacy.kinds._common import NOTE, OfAttacks, in_percent, rows_of
from anonbench.studies.privacy.results import Measured, long_table, read_outcomes, strongest
from anonbench.studies.privacy.settings import INFERENCE, LINKABILITY, RISKS, SINGLING_OUT

NOT_TRIED = "not tried"
TITLES = {
    SINGLING_OUT: "a face is recognized",
    LINKABILITY: "pictures of a person are brought together",
    INFERENCE: "who a network was trained on",
}


@KINDS.register("risks")
class Risks(OfAttacks):
    whole = "shows the strongest of several attacks"

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        outcomes = read_outcomes(files)
        by_risk = {risk: [a for a in spec["attacks"] if spec["risks"][a] == risk] for risk in RISKS}
        found = {v: {risk: strongest(outcomes, by_risk[risk], v) for risk in RISKS} for v in rows_of(spec)}
        frame = pd.DataFrame([_row(variant, cells) for variant, cells in found.items()])
        shown = [
            {"variant": v, **{TITLES[risk]: _shown(m) for risk, m in cells.items()}, "in words": _words(cells)}
            for v, cells in found.items()
        ]
        by = "Of several attacks the one with the highest risk; its name stands behind it."
        return Table(
            frame,
            f"{name}: three risks of {spec['dataset']}",
            [by, NOTE.format(label=label)],
            self.key,
            shown=pd.DataFrame(shown),
            runs=long_table(outcomes),
        )


def _row(variant: str, cells: Mapping[str, Measured | None]) -> dict[str, Any]:
    row: dict[str, Any] = {"variant": variant}
    for risk, found in cells.items():
        row |= {
            risk: in_percent(found.risk) if found else None,
            f"{risk}_low": in_percent(found.low) if found else None,
            f"{risk}_high": in_percent(found.high) if found else None,
            f"{risk}_by": found.attack if found else None,
            f"{risk}_void": found.silent if found else None,
        }
    return row | {"words": _words(cells)}


def _shown(found: Measured | None) -> str:
    if found is None:
        return NOT_TRIED
    if found.silent:
        return f"void ({found.attack})"
    return f"{found} ({found.attack})"


def _words(cells: Mapping[str, Measured | None]) -> str:
    """One line that needs no other: what happened to how many of a hundred."""
    said = []
    for risk, happens in (
        (SINGLING_OUT, "is recognized by the face"),
        (LINKABILITY, "is brought together with other pictures"),
        (INFERENCE, "is told from people whom the network has never seen"),
    ):
        found = cells[risk]
        if found is None:
            continue
        if found.silent:
            said.append(f"whether a person {happens}: our attack was too weak to say")
        elif found.void:
            said.append(
                f"that a person {happens} was no better than a guess, though the same attacker succeeds on clear "
                f"pictures; up to {round(100 * found.high)} of 100 times cannot be ruled out"
            )
        else:
            said.append(
                f"{round(100 * found.low)} to {round(100 * found.high)} of 100 times a person {happens} beyond chance"
            )
    text = "; ".join(said) or "nothing was tried"
    return text[0].upper() + text[1:] + "."
