"""One family of user-facing errors: what is wrong, where, what was found, what was expected, what to do next.

Raise one of these for what the user can fix. The command line prints the message without a traceback and exits with
status 2. Every other exception is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AnonbenchError(Exception):
    """Base class: something the user can fix."""


class ConfigError(AnonbenchError):
    """A configuration key or value that cannot be used."""


class DataError(AnonbenchError):
    """A dataset, image or table on disk that is not as its layout promises."""


class MissingDependencyError(AnonbenchError):
    """An optional package or a file of weights that the requested plug-in needs."""


class TrainingError(AnonbenchError):
    """A training that cannot go on (diverged, empty batches, wrong checkpoint)."""


def nearest(word: object, known: Iterable[str]) -> str:
    """Describe the known names for an error message, the nearest first.

    >>> nearest("blurr", ["blur", "zero"])
    "did you mean 'blur'? Known: blur, zero"
    """
    names = sorted(map(str, known))
    match = difflib.get_close_matches(str(word), names, n=1, cutoff=0.5)
    guess = f"did you mean '{match[0]}'? " if match else ""
    return f"{guess}Known: {', '.join(names) or '(none)'}"
