"""The study's name, what its cells are (an attack on a variant), and which risk an attack is about.

The three risks are those of the Article 29 Working Party, Opinion 05/2014 on Anonymisation Techniques (WP 216):
singling out, linkability, inference. Which attack measures which of them is our reading:

- singling out: a face of a copy is recognized in a gallery of clear faces, as it is or after restoration.
- linkability: pictures of one person are brought together: a copy's with each other, or with their originals.
- inference: something about a person is concluded that the pictures do not say: that a model was trained on him.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anonbench.data.variants import ORIGINAL

STUDY = "privacy"
CLEAR, ANONYMIZED = "clear", "anonymized"
SINGLING_OUT, LINKABILITY, INFERENCE = "singling_out", "linkability", "inference"
RISKS = (SINGLING_OUT, LINKABILITY, INFERENCE)
LINKAGE, MEMBERSHIP = "linkage", "membership"  # methods of attacks
FACES, PEOPLE = "faces", "people"  # what an attack looks at: faces cut out of pictures, or whole pictures
RESTORING = "faces_restored"
"""The attack of a figure of restored faces that names none."""
OWN_KEYS = ("sees", "recognizer", "model", "gallery", "trained", "restored")
"""Keys of an attack's entry that are not parameters of its method."""


@dataclass(frozen=True, slots=True, order=True)
class AttackCondition:
    """An attack on a variant of a dataset.

    attack: name of its entry in `attacks`.
    """

    dataset: str
    attack: str
    variant: str

    @property
    def model(self) -> str:
        """What the attacker uses: the attack's own name, which says it."""
        return self.attack

    @property
    def train(self) -> str:
        return f"as {self.attack} says"

    @property
    def tested(self) -> str:
        return self.variant

    @property
    def labels(self) -> dict[str, str]:
        """What its outcomes are labelled with."""
        return {"dataset": self.dataset, "attack": self.attack, "variant": self.variant}


def risk_of(attack: Mapping[str, Any]) -> str:
    """The risk that an attack is about.

    attack: its config entry.

    >>> risk_of({"method": "recognition"}), risk_of({"method": "recognition", "gallery": "anonymized"})
    ('singling_out', 'linkability')
    """
    if attack["method"] == MEMBERSHIP:
        return INFERENCE
    together = attack["method"] == LINKAGE or attack.get("gallery") == ANONYMIZED
    return LINKABILITY if together else SINGLING_OUT


def applies(attack: Mapping[str, Any], variant: str) -> bool:
    """Whether an attack can be made on a variant: on original pictures there is nothing to undo and nothing to imitate.

    attack: its config entry.
    """
    if "restored" in attack:
        return variant in attack["restored"]
    return variant != ORIGINAL or ANONYMIZED not in (attack.get("trained"), attack.get("gallery"))
