"""The family of errors and the nearest name."""

from __future__ import annotations

import inspect

import pytest

from anonbench.core import errors
from anonbench.core.errors import AnonbenchError, nearest


def test_every_error_is_one_that_the_command_line_answers() -> None:
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__]
    assert len(classes) >= 5
    assert all(issubclass(c, AnonbenchError) for c in classes)
    assert all(c.__doc__ for c in classes)


@pytest.mark.parametrize(
    ("word", "known", "text"),
    [
        ("blurr", ["zero", "blur"], "did you mean 'blur'? Known: blur, zero"),
        ("xyz", ["zero", "blur"], "Known: blur, zero"),
        ("xyz", [], "Known: (none)"),
        (3, ["30", "blur"], "did you mean '30'? Known: 30, blur"),
        (None, ["blur", 1], "Known: 1, blur"),  # YAML makes of a key what it likes
    ],
)
def test_nearest(word: object, known: list, text: str) -> None:
    assert nearest(word, known) == text
