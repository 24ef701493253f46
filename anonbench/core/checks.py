"""Checks of recipe values. They raise `ValueError`. `Recipe.from_config` adds where in the config the value is."""

from __future__ import annotations

import math
from collections.abc import Collection

from anonbench.core.fields import found_in_words


def number(name: str, value: object, low: float, high: float = math.inf, *, above: bool = False) -> None:
    """Demand a finite number with low <= value <= high (low < value with `above`)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {found_in_words(value, float)}; expected a number")
    if not math.isfinite(value) or value < low or value > high or (above and value == low):
        least = f"{'>' if above else '>='} {low:g}"
        raise ValueError(f"{name} is {value!r}; expected {least}{'' if high == math.inf else f' and <= {high:g}'}")


def integer(name: str, value: object, low: int) -> None:
    """Demand an integer >= low."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ValueError(f"{name} is {found_in_words(value, int)}; expected an integer >= {low}")


def choice(name: str, value: object, known: Collection[object]) -> None:
    """Demand one of the known values."""
    if not any(type(k) is type(value) and k == value for k in known):  # 1 == True in Python
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(_yaml(k) for k in known)}")


def names(name: str, value: object) -> None:
    """Demand a list of texts, at least one; lists of a config are tuples here."""
    if not (isinstance(value, tuple) and value and all(isinstance(text, str) and text for text in value)):
        raise ValueError(f"{name} is {value!r}; expected a list of names, at least one")


def pair(name: str, value: object, low: float, high: float = math.inf, *, above: bool = False) -> None:
    """Demand two ascending numbers within bounds."""
    if not isinstance(value, tuple) or len(value) != 2:
        raise ValueError(f"{name} is {value!r}; expected two numbers, e.g. [{low:g}, {low + 0.5:g}]")
    for part in value:
        number(name, part, low, high, above=above)
    if value[0] > value[1]:
        raise ValueError(f"{name} is {list(value)}; expected the smaller number first")


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
