"""The runs behind a mark of a figure: every training that was evaluated in one setting, one value each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anonbench.core.errors import ConfigError, DataError
from anonbench.core.fields import refuse_unknown
from anonbench.data.results import Metrics
from anonbench.report.cells import Runs, of_condition
from anonbench.studies.reid_faces.settings import DESIGN
from anonbench.tasks.reid.settings import Condition

CASE_KEYS = ("dataset", "model", "variant")


@dataclass(frozen=True, slots=True)
class Case:
    """What a row of a figure stands for: one model on one dataset, and the variant that "anonymized" means."""

    dataset: str
    model: str
    variant: str

    def condition(self, setting: str) -> Condition:
        """The case in a setting of the study."""
        return DESIGN[setting].of(self.dataset, self.model, variant=self.variant)


def find_runs(metrics: Sequence[Metrics], case: Case, setting: str) -> list[Metrics]:
    """The metrics of every run (seed, split) of a setting of the study, in the order given.

    Raises `DataError` when there is none.
    """
    wanted = case.condition(setting)
    found = of_condition(metrics, wanted)
    if not found:
        raise DataError(
            f"no metrics for {case.dataset}, {case.model}, trained on {wanted.train}, tested on {wanted.tested}; "
            f"the figure needs that setting among its inputs."
        )
    return found


def has_runs(metrics: Sequence[Metrics], case: Case, setting: str) -> bool:
    """Whether a setting has been evaluated in any run."""
    return bool(of_condition(metrics, case.condition(setting)))


def runs_of(metrics: Sequence[Metrics], case: Case, setting: str, metric: str) -> Runs:
    """One metric (`map`, `rank1`, …) of every run of a setting. Raises `DataError` when there is none."""
    return Runs(tuple(100 * float(m[metric]) for m in find_runs(metrics, case, setting)))


def describe_runs(counts: Sequence[int]) -> str:
    """What marks and bars mean, given how many runs stand behind each of them."""
    fewest, most = min(counts), max(counts)
    if most == 1:
        return "One run a mark: the spread between runs is not known."
    many = str(most) if fewest == most else f"{fewest} to {most}"
    return f"Marks: means of {many} runs; bars: ± 1 standard error; ticks: single runs."


def read_cases(entries: Sequence[Mapping[str, str]]) -> list[Case]:
    """The cases that a figure shows; raises `ConfigError` for none, an unknown or a missing key."""
    if not entries:
        raise ConfigError("cases is empty; expected at least one {dataset, model, variant}.")
    return [Case(**known_keys(entry, CASE_KEYS, CASE_KEYS, "case")) for entry in entries]


def known_keys(entry: Mapping[str, Any], known: Sequence[str], needed: Sequence[str], what: str) -> dict[str, Any]:
    """An entry with no other keys than the known ones and all that are needed; raises `ConfigError` else."""
    refuse_unknown(entry, known, what)
    for key in needed:
        if key not in entry:
            raise ConfigError(f"{what} {dict(entry)} lacks the key '{key}'; expected {', '.join(needed)}.")
    return dict(entry)
