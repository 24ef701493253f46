"""Settings as a config file gives them: a mapping becomes a dataclass, and what does not fit is named with its place.

>>> @dataclasses.dataclass
... class Reranking:
...     k1: int = 20
...     k2: int = 6
>>> build(Reranking, {"k1": 7}, "evaluation.rerank")
Reranking(k1=7, k2=6)
>>> build(Reranking, {"k": 7}, "evaluation.rerank")
Traceback (most recent call last):
    ...
anonbench.core.errors.ConfigError: evaluation.rerank has no key 'k': did you mean 'k2'? Known: k1, k2
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar

from anonbench.core.errors import ConfigError, nearest

T = TypeVar("T")
IN_WORDS = {int: "an integer", float: "a number", bool: "true or false", str: "a text", type(None): "null"}


def build(cls: Callable[..., T], entry: object, where: str, what: str = "key", also: Iterable[str] = ()) -> T:
    """The dataclass that a config entry describes; what it leaves out keeps its default, and lists become tuples.

    where: the entry's place, for messages.
    what: what a key is called in messages.
    also: keys to name among the known ones.
    Raises `ConfigError` for an unknown key, a value of the wrong type, and whatever the class itself refuses.
    """
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{where} is {entry!r}; expected keys with values below it")
    names = [field.name for field in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []
    refuse_unknown(entry, names, where, what, also)
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    check_types(cls, values, where)
    try:
        return cls(**values)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where}: {error}") from error


def check_types(taker: Callable[..., Any], values: Mapping[str, Any], where: str) -> None:
    """Raise `ConfigError` for the first value that is not of the type that a class or a function declares for its key.

    Types that are not plain ones are left to the class. So `true` is no number, and a text no number either.
    """
    types_ = _types(taker)
    for key, value in values.items():
        if (expected := types_.get(key, Any)) is not Any and not fits(value, expected):
            raise ConfigError(f"{where}: {key} is {found_in_words(value, expected)}; expected {in_words(expected)}")


class Given(dict[str, Any]):
    """Settings whose missing keys are the user's mistake: `[]` raises `ConfigError` for one."""

    def __missing__(self, key: str) -> Any:
        raise ConfigError(f"key '{key}' is missing; given: {', '.join(self) or 'nothing'}")


def refuse_unknown(
    keys: Iterable[object], known: Iterable[str], where: str, what: str = "key", also: Iterable[str] = ()
) -> None:
    """Raise `ConfigError` for the first key that is not known, with the nearest that is."""
    known = list(known)
    for key in keys:
        if key not in known:
            raise ConfigError(f"{where} has no {what} '{key}': {nearest(key, [*known, *also])}")


def in_words(expected: Any) -> str:
    """A type for people: `int | None` is "an integer or null"."""
    parts = typing.get_args(expected)
    if typing.get_origin(expected) in (typing.Union, types.UnionType):
        return " or ".join(map(in_words, parts))
    if typing.get_origin(expected) is Literal:
        return f"one of {', '.join(map(str, parts))}"
    if typing.get_origin(expected) is tuple:
        alike = f", each {in_words(parts[0])}" if len(set(parts) - {...}) == 1 else ""
        return f"a list{alike}" if parts[1:] == (...,) else f"a list of {len(parts)}{alike}"
    return IN_WORDS.get(expected, getattr(expected, "__name__", str(expected)))


def _types(cls: Any) -> dict[str, Any]:
    with contextlib.suppress(NameError, TypeError):  # of a plug-in that imports its types for checkers alone
        return typing.get_type_hints(cls)
    return {}


def fits(value: object, expected: Any) -> bool:
    """Whether a value is of a type: `true` is no number, nor is what is not finite. Types of classes fit everything."""
    parts, origin = typing.get_args(expected), typing.get_origin(expected)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, part) for part in parts)
    if origin is Literal:
        return any(type(part) is type(value) and part == value for part in parts)
    if origin is tuple:
        wanted = [parts[0]] * len(value) if isinstance(value, tuple | list) and parts[1:] == (...,) else parts
        return isinstance(value, tuple | list) and len(value) == len(wanted) and all(map(fits, value, wanted))
    if expected in (int, float):
        return isinstance(value, int | expected) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, expected) if expected in IN_WORDS else True


def found_in_words(value: object, *expected: Any) -> str:
    """A value that is of none of some types, for people, with what to write in its place where that can be known.

    >>> found_in_words("3e-4", float)
    "the text '3e-4' (YAML reads 3e-4 as text: write 0.0003)"
    """
    wanted = {part for kind in expected for part in typing.get_args(kind) or (kind,)}
    if isinstance(value, str) and wanted & {int, float} and (number := _number(value)):
        why = f"YAML reads {value} as text" if "e" in value.lower() else "what is in quotes is a text"
        return f"the text '{value}' ({why}: write {number})"
    if isinstance(value, str) and bool in wanted and value.lower() in ("true", "false"):
        return f"the text '{value}' (what is in quotes is a text: write {value.lower()})"
    if isinstance(value, bool) and str in wanted:
        return f"{_yaml(value)} (YAML reads yes, no, on, off as true and false: put the text in quotes)"
    if isinstance(value, int | float | datetime.date) and str in wanted and not isinstance(value, bool):
        return f"{value} (no text: put it in quotes, as it is to be read)"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value}, not finite"
    return _yaml(value)


def _number(text: str) -> str | None:
    """How YAML 1.1 wants the number written that a text means; None where it means none."""
    with contextlib.suppress(ValueError):
        value = float(text)
        if math.isfinite(value):
            mantissa, mark, exponent = repr(value).partition("e")  # 1e-07 is a text again, 1.0e-07 a number
            dotted = f"{mantissa}{'' if '.' in mantissa else '.0'}{mark}{exponent}"
            return str(int(value)) if value.is_integer() and not mark else dotted
    return None


def _yaml(value: object) -> str:
    """A value as it is written in a config."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(list(value) if isinstance(value, tuple) else value)
