"""The study's name, and what its cells are: a network trained on a variant, tested on the original pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from anonbench.core.errors import ConfigError
from anonbench.data import paths
from anonbench.data.variants import ORIGINAL

STUDY = "scenes"
PLACE: Callable[..., str] = paths.scores
"""Where the scores of a condition are."""
GROUPS = ("person", "small", "medium", "large")  # of which the evaluator writes a score of their own
METRIC = re.compile(r"(box_|keypoint_)?(ap(?:50|75)?)(?:_(.+))?")
OWN_KEYS = ("recipe", "seeds", "initial")  # of an entry of `instance_models`; the others are the network's
LEARNT = 1.0  # percent; a network that scores less on original pictures has learnt nothing that could be lost
KINDS = {"": "masks", "box_": "boxes", "keypoint_": "keypoints"}


@dataclass(frozen=True, slots=True, order=True)
class SceneCondition:
    """A network of instances on one dataset.

    model: name of its entry in `instance_models`.
    train: the variant that it was trained on.
    tested: the variant whose validation pictures it was tested on.
    """

    dataset: str
    model: str
    train: str
    tested: str = ORIGINAL

    @property
    def labels(self) -> dict[str, str]:
        """What its scores are labelled with."""
        return {"dataset": self.dataset, "model": self.model, "train": self.train, "tested": self.tested}


@dataclass(frozen=True, slots=True)
class Metric:
    """A column of a table: an average precision.

    column: its name, such as ap, ap50_person, box_ap, ap_car.
    prefix: "" for masks, `box_`, `keypoint_`.
    measure: AP, AP50 or AP75.
    group: person, small, medium, large, or another category; "" for the mean over all.
    """

    column: str
    prefix: str
    measure: str
    group: str

    @classmethod
    def of(cls, column: str) -> Metric:
        """
        >>> Metric.of("ap50_person").place, Metric.of("box_ap").place, Metric.of("ap_car").place
        ('AP50_person', 'box_AP', 'categories.car.AP')
        """
        found = METRIC.fullmatch(column)
        if not found:
            raise ConfigError(
                f"there is no metric '{column}': expected ap, ap50 or ap75, with box_ or keypoint_ in front and "
                f"_person, _small, _medium, _large or a category behind, such as ap_person, box_ap, ap_car"
            )
        prefix, measure, group = found.groups(default="")
        return cls(column, prefix, measure.upper(), group)

    @property
    def place(self) -> str:
        """Where it is in a file of scores, names with points between them."""
        if self.group and self.group not in GROUPS:
            return f"{self.prefix}categories.{self.group}.{self.measure}"
        return f"{self.prefix}{self.measure}" + (f"_{self.group}" if self.group else "")

    @property
    def kind(self) -> str:
        """What overlaps are measured on: masks, boxes or keypoints."""
        return KINDS[self.prefix]
