"""Attacks: what somebody who knows the method finds out from anonymized pictures. One module an attack.

An attack is a frozen dataclass whose fields are its parameters:

    attack(probes, gallery) -> Findings

It compares feature files: of probes, which are anonymized pictures, with those of a gallery that the attacker has.
What it finds is a list of trials, one a probe, and how well the similarities tell people apart. `_outcome` says what is
written. Modules whose name starts with an underscore are helpers, here as in every registry.

An attacker is never the weakest one: he knows the method, its parameters and the detector.
"""
