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
    try:
        built, refused = cls(**values), None
    except ValueError as error:  # what the class checks itself it says best
        raise ConfigError(f"{where}: {error}") from error
    except TypeError as error:
        built, refused = None, error
    for key, value in values.items():
        if (expected := _types(cls).get(key, Any)) is not Any and not _fits(value, expected):
            raise ConfigError(
                f"{where}: {key} is {_found(value, expected)}; expected {in_words(expected)}"
            ) from refused
    if refused is not None:
        raise ConfigError(f"{where}: {refused}") from refused
    return typing.cast(T, built)


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
        return f"a list, each {in_words(parts[0])}" if parts[1:] == (...,) else f"a list of {len(parts)}"
    return IN_WORDS.get(expected, getattr(expected, "__name__", str(expected)))


def _types(cls: Any) -> dict[str, Any]:
    with contextlib.suppress(NameError, TypeError):  # of a plug-in that imports its types for checkers alone
        return typing.get_type_hints(cls)
    return {}


def _fits(value: object, expected: Any) -> bool:
    """Whether a value is of a type; types that are not plain ones are left to the class."""
    parts, origin = typing.get_args(expected), typing.get_origin(expected)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is Literal:
        return any(type(part) is type(value) and part == value for part in parts)
    if origin is tuple:
        wanted = [parts[0]] * len(value) if isinstance(value, tuple | list) and parts[1:] == (...,) else parts
        return isinstance(value, tuple | list) and len(value) == len(wanted) and all(map(_fits, value, wanted))
    if expected in (int, float):
        return isinstance(value, int | expected) and not isinstance(value, bool)
    return isinstance(value, expected) if expected in IN_WORDS else True


def _found(value: object, expected: Any) -> str:
    if isinstance(value, str) and expected in (int, float):
        with contextlib.suppress(ValueError):
            return f"the text '{value}' (YAML reads 3e-4 as text: write {float(value)!r})"
    return repr(list(value) if isinstance(value, tuple) else value)
