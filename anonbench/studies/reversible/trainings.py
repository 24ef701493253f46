"""What the entries of `reversible_trainings` and of learned variants are in the paper's words, and what they need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from anonbench.data.entries import published_names, training_of

Config = Mapping[str, Any]
METHODS = {"gaussian_blur": "blurring", "mosaic": "pixelation", "gaussian_noise": "noise"}
"""The anonymizers that desensitize, as config/published/reversible names them."""
BASE, JOINT, RESTORATION = "base", "joint", "restoration"


def method_of(config: Config, variant: str) -> str:
    """How the images of a variant were desensitized first: blurring, pixelation, noise; "" for another way.

    A variant is of the method of its training, a recovered one too.
    """
    entry = config["variants"].get(variant, {})
    training = training_of(config, variant)
    if training is not None:
        return method_of_training(config, training)
    return METHODS.get(entry.get("method", ""), "")


def method_of_training(config: Config, training: str) -> str:
    """The same for a training."""
    entry = config["reversible_trainings"][training]
    return method_of(config, entry.get("desensitized") or entry["of"])


def role_of(config: Config, training: str) -> str:
    """What the paper calls a training: base, without_u or with_u (supervision upgradation); "" for a restoration."""
    entry = config["reversible_trainings"][training]
    if entry["method"] == JOINT:
        return "with_u" if entry["upgrade"] else "without_u"
    return BASE if entry["method"] == BASE else ""


def base_of(config: Config, training: str) -> str | None:
    """The training with whose rank-1 a joint one begins to upgrade its supervision; None where it never does."""
    entry = config["reversible_trainings"][training]
    return str(entry["base"]) if entry.get("upgrade") else None


def is_plain(config: Config, training: str) -> bool:
    """Whether a training is the paper's: the first of its kind, on the people of the table."""
    entry = config["reversible_trainings"][training]
    return not entry.get("seed_offset") and "dataset" not in entry


def is_protected(config: Config, variant: str, training: str | None = None) -> bool:
    """Whether a variant is what a joint training of the paper makes, stored without loss.

    training: the one that must have made it. Left out: any.
    """
    made_by, entry = training_of(config, variant), config["variants"][variant]
    if made_by is None or (training is not None and made_by != training):
        return False
    joint = config["reversible_trainings"][made_by]["method"] == JOINT
    return joint and is_plain(config, made_by) and "of" not in entry and entry.get("encoding") != "jpeg"


def is_recovered(config: Config, variant: str) -> bool:
    """Whether a variant is what the paper recovers: from a protected copy, by the key of the same training."""
    made_by, source = training_of(config, variant), config["variants"][variant].get("of")
    return made_by is not None and source is not None and is_protected(config, source, made_by)


def describe(config: Config, dataset: str, variants: Sequence[str], trainings: Iterable[str] = ()) -> dict[str, Any]:
    """What a table's `spec` says of its variants and trainings, so that it can be built without the configuration.

    data: what the paper's tables call the dataset.
    methods: variant -> how it was desensitized first.
    made_by, desensitized: learned variant -> its training, and the variant that guided it.
    protected, recovered: variants that are the paper's.
    roles: training -> what the paper calls it.
    guided: training -> the variant whose pictures it begins with; none for a restoration.
    plain: trainings that are the paper's.
    """
    learned = {v: made_by for v in variants if (made_by := training_of(config, v)) is not None}
    several = dict.fromkeys([*trainings, *learned.values()])
    guides = {v: config["reversible_trainings"][t].get("desensitized", "") for v, t in learned.items()}
    return {
        "data": published_names(config, [dataset])[dataset],
        "methods": {v: method_of(config, v) for v in variants},
        "made_by": learned,
        "desensitized": guides,
        "protected": [v for v in learned if is_protected(config, v)],
        "recovered": [v for v in learned if is_recovered(config, v)],
        "roles": {t: role_of(config, t) for t in several},
        "guided": {t: shown for t in several if (shown := config["reversible_trainings"][t].get("desensitized"))},
        "plain": [t for t in several if is_plain(config, t)],
    }


def trainings_of(config: Config, variants: Iterable[str], trainings: Iterable[str] = ()) -> list[str]:
    """Every training that must run before there are copies of these variants, and these trainings."""
    found: dict[str, None] = {}
    shown, wanted = list(variants), list(trainings)
    while shown or wanted:
        if shown:
            entry = config["variants"].get(shown.pop(), {})
            wanted += [entry["training"]] if "training" in entry else []
            shown += [entry["of"]] if "of" in entry else []
        elif (training := wanted.pop()) not in found:
            found[training] = None
            entry = config["reversible_trainings"][training]
            shown += [entry[key] for key in ("desensitized", "of") if key in entry]
            wanted += [base] if (base := base_of(config, training)) is not None else []
    return sorted(found)
