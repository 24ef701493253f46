"""Attacks: what somebody who knows the method finds out from anonymized pictures. One module an attack.

An attack is a frozen dataclass whose fields are its parameters:

    @ATTACKS.register("recognition")
    attack(probes, gallery) -> Findings

It compares features of probes, which are anonymized pictures, with those of a gallery that the attacker has
(`_search.Pictures`). What it finds is a list of trials, one a probe, and how well similarities tell people apart.
`_outcome` says what is written. Modules whose name starts with an underscore are helpers, here as in every registry.

An attacker is never the weakest one: he knows the method, its parameters and the detector.
"""

from __future__ import annotations

from anonbench.core.registry import Registry

ATTACKS = Registry("attack", __name__)
