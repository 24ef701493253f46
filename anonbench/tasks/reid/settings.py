"""Settings as data: what a network was trained on, and from which variants its queries and gallery are.

A study lists its settings once and compares them with one of them:

    DESIGN = Design(
        settings=(
            Setting("orig_orig", train="original", query="original", gallery="original"),
            Setting("orig_anon", train="original", query="{variant}", gallery="{variant}"),
            Setting("crossed", train="original", query="original", gallery="{variant}"),
        ),
        baseline="orig_orig",
        metrics=("map", "rank1"),
    )

`{variant}` is filled per row of a table (`DESIGN["crossed"].of("market1501", "bot", variant="blur")`). A setting may
have several such names (`train="{recipe}"`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anonbench.core.errors import ConfigError, nearest
from anonbench.data.results import Metrics
from anonbench.data.variants import RESERVED


@dataclass(frozen=True, slots=True, order=True)
class Condition:
    """One model on one dataset in one setting, with the names of real variants."""

    dataset: str
    model: str
    train: str
    query: str
    gallery: str

    def __str__(self) -> str:
        return f"{self.dataset}, {self.model}, {self.train} → {self.tested}"

    @property
    def tested(self) -> str:
        """What it was tested on, in words."""
        crossed = f"{self.query} queries, {self.gallery} gallery"
        return self.query if self.query == self.gallery else crossed

    @property
    def labels(self) -> dict[str, str]:
        """What its metrics are labelled with."""
        return {
            "dataset": self.dataset, "model": self.model, "train": self.train, "query": self.query,
            "gallery": self.gallery,
        }  # fmt: skip

    @property
    def same_variant(self) -> bool:
        """Whether it was tested on the variant that it was trained on, queries and gallery both."""
        return self.train == self.query == self.gallery


def condition_of(metrics: Metrics) -> Condition:
    """The condition that a metrics file is labelled with."""
    return Condition(*(str(metrics[key]) for key in ("dataset", "model", "train", "query", "gallery")))


@dataclass(frozen=True, slots=True)
class Setting:
    """A triple: variants for training, queries and gallery. Each is a variant's name, or `{name}` to be filled in.

    name: the suffix of its columns, such as `map_orig_anon`.
    """

    name: str
    train: str
    query: str
    gallery: str

    def of(self, dataset: str, model: str, **names: str) -> Condition:
        """The condition where each `{name}` has its value. Raises `ConfigError` for one without a value."""
        try:
            return Condition(dataset, model, *(text.format(**names) for text in self._triple()))
        except KeyError as error:
            raise ConfigError(f"setting '{self.name}': {error.args[0]} has no value; given {sorted(names)}") from None

    def match(self, condition: Condition) -> dict[str, str] | None:
        """The values of its names that make a condition of it, None where there are none.

        Original images and untrained networks are no values: a setting names them where it means them.

        >>> Setting("orig_anon", "original", "{variant}", "{variant}").match(
        ...     Condition("toy", "bot", "original", "blur", "blur"))
        {'variant': 'blur'}
        """
        names: dict[str, str] = {}
        for text, value in zip(self._triple(), (condition.train, condition.query, condition.gallery), strict=True):
            if text.startswith("{"):
                if value in RESERVED or names.setdefault(text[1:-1], value) != value:
                    return None
            elif text != value:
                return None
        return names

    def _triple(self) -> tuple[str, str, str]:
        return self.train, self.query, self.gallery


@dataclass(frozen=True, slots=True)
class Contrast:
    """A setting that is compared with the baseline.

    names: what it was filled with, such as {"variant": "blur"}.
    """

    setting: str
    baseline: Condition
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Design:
    """The settings of a study, the one that the others are compared with, and the metrics that are shown of each."""

    settings: tuple[Setting, ...]
    baseline: str
    metrics: tuple[str, ...]

    def __getitem__(self, name: str) -> Setting:
        found = next((setting for setting in self.settings if setting.name == name), None)
        if found is None:
            raise ConfigError(f"there is no setting '{name}': {nearest(name, self.names)}")
        return found

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(setting.name for setting in self.settings)

    @property
    def contrasts(self) -> tuple[str, ...]:
        """The settings that are compared with the baseline."""
        return tuple(name for name in self.names if name != self.baseline)

    def columns(self, names: Sequence[str] = ()) -> dict[str, tuple[str, Setting]]:
        """Column of a table -> (metric, setting), the metrics of a setting together. By default of all settings."""
        return {f"{metric}_{name}": (metric, self[name]) for name in names or self.names for metric in self.metrics}

    def contrast_of(self, condition: Condition) -> Contrast | None:
        """The contrast that a condition is the `after` of, None for what is no contrast."""
        for name in self.contrasts:
            values = self[name].match(condition)
            if values is not None:
                return Contrast(name, self[self.baseline].of(condition.dataset, condition.model, **values), values)
        return None
