"""A JSON file whose long lists are read an element at a time: COCO's annotations as Python objects fill gigabytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from anonbench.core.errors import DataError
from anonbench.data.text import read_user_text

SPACE = re.compile(r"[ \t\n]*")
AGAIN = "Is the file complete? Unpack the annotations again."


class JsonLists:
    """The elements of the lists of a JSON file, with their places, at which they can be read again.

    lists = JsonLists(Path("instances_val2017.json"))
    for key, place, element in lists.elements(): ...     # "images", 1234, {...}
    lists.at(1234)                                       # {...}

    The text of the file is in memory, its elements are not. A file may be an object, or itself a list (key "").
    Raises `DataError` for a missing file, one that is cut off, or NaN and infinity, which are no JSON.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def _text(self) -> str:
        return read_user_text(self.path, AGAIN)

    def where(self, place: int) -> str:
        """The file and the character, for messages."""
        return f"{self.path}: character {place}"

    def at(self, place: int) -> Any:
        """The element at a place."""
        return self._value(place)[0]

    def rows(self, *keys: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """(key, place, element) of some lists, whose elements must be objects; `DataError` for one that is none."""
        for key, place, element in self.elements():
            if key in keys:
                yield key, place, as_object(element, self.where(place))

    def elements(self) -> Iterator[tuple[str, int, Any]]:
        """(key, place, element) of the elements of every list; a value that is no list counts as its only element."""
        start = self._skip(0)
        if self._text[start : start + 1] == "[":
            yield from self._list("", start)
            return
        self._expect(start, "{")
        at = self._skip(start + 1)
        if self._text[at : at + 1] == "}":
            return
        while True:
            self._expect(at, '"')
            key, at = self._value(at)
            at = self._skip(at)
            self._expect(at, ":")
            at = self._skip(at + 1)
            if self._text[at : at + 1] == "[":
                at = yield from self._list(key, at)
            else:
                value, end = self._value(at)
                yield key, at, value
                at = end
            at = self._skip(at)
            if self._text[at : at + 1] == "}":
                return
            self._expect(at, ",")
            at = self._skip(at + 1)

    def _list(self, key: str, start: int) -> Any:
        """Yields the elements of the list that begins at `start` and returns where it ends."""
        at = self._skip(start + 1)
        if self._text[at : at + 1] == "]":
            return at + 1
        while True:
            value, end = self._value(at)
            yield key, at, value
            at = self._skip(end)
            if self._text[at : at + 1] == "]":
                return at + 1
            self._expect(at, ",")
            at = self._skip(at + 1)

    def _skip(self, at: int) -> int:
        found = SPACE.match(self._text, at)
        assert found is not None
        return found.end()

    def _expect(self, at: int, letter: str) -> None:
        if self._text[at : at + 1] != letter:
            found = self._text[at : at + 20] or "the end of the file"
            raise DataError(f"{self.where(at)}: found {found!r}; expected '{letter}'. {AGAIN}")

    def _value(self, at: int) -> tuple[Any, int]:
        try:
            return self._decoder.raw_decode(self._text, at)
        except ValueError as error:
            raise DataError(f"{self.where(at)}: not JSON ({error}). {AGAIN}") from None

    @cached_property
    def _decoder(self) -> json.JSONDecoder:
        return json.JSONDecoder(parse_constant=_refuse)


def as_object(value: Any, where: str) -> dict[str, Any]:
    """A value that must be an object; raises `DataError` for another."""
    if not isinstance(value, dict):
        raise DataError(f"{where}: found {value!r:.40}; expected an object. {AGAIN}")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
