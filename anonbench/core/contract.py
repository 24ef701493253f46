"""A contract: a list of promises. Each is a sentence and a function that finds out whether it is kept."""

from __future__ import annotations

import dataclasses
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from anonbench.core.errors import AnonbenchError, ConfigError


class Subject(Protocol):
    """A plug-in and what it is tried on."""

    @property
    def name(self) -> str: ...


S = TypeVar("S", bound=Subject)


class BrokenPromiseError(ConfigError):
    """A plug-in does not do what those of its kind promise."""


@dataclass(frozen=True)
class Promise(Generic[S]):
    """One promise.

    keep: raises `BrokenPromiseError` with what was found, or returns a remark worth printing.
    """

    kind: str
    text: str
    keep: Callable[[S], str | None]

    def __call__(self, subject: S) -> str | None:
        """Check a subject against the promise. Returns a remark.

        Raises `BrokenPromiseError` that names kind, plug-in and promise, also when the plug-in fails with another
        exception. The package's own errors (missing weights, data that is not as its layout says) pass through.
        """
        who = f"{self.kind} '{subject.name}' breaks its contract"
        try:
            return self.keep(subject)
        except BrokenPromiseError as broken:
            raise BrokenPromiseError(f"{who}: {self.text}. {broken}") from broken
        except AnonbenchError:
            raise
        except Exception as error:
            raise BrokenPromiseError(f"{who}: {self.text}. It fails {_where(error)}: {_what(error)}") from error

    def __str__(self) -> str:
        return self.text


class Contract(Generic[S]):
    """The promises of one kind of plug-in, in the order in which they are checked: cheap and fundamental ones first."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.promises: list[Promise[S]] = []

    def promise(self, text: str) -> Callable[[Callable[[S], str | None]], Promise[S]]:
        """Decorator that adds a promise.

        text: what every plug-in of the kind does, in the third person.
        """

        def add(keep: Callable[[S], str | None]) -> Promise[S]:
            promise = Promise(self.kind, text, keep)
            self.promises.append(promise)
            return promise

        return add

    def hold(self, subject: S) -> Iterator[str]:
        """Yield a line for every promise kept; raises `BrokenPromiseError` at the first that is not."""
        for promise in self.promises:
            remark = promise(subject)
            yield f"{promise.text}{f' ({remark})' if remark else ''}"


def expect(kept: object, found: str) -> None:
    """Raise `BrokenPromiseError` with what was found, where and what to do, unless `kept` is true."""
    if not kept:
        raise BrokenPromiseError(found)


def expect_frozen(plugin: Any) -> None:
    """Raise `BrokenPromiseError` unless a plug-in is an instance of a frozen dataclass."""
    expect(
        dataclasses.is_dataclass(plugin) and plugin.__dataclass_params__.frozen,  # type: ignore[union-attr]
        f"{type(plugin).__name__} is not one; write @dataclass(frozen=True) above the class.",
    )


def _where(error: Exception) -> str:
    """The line that raised: the last of the traceback that is neither here nor in an installed package."""
    frames = list(traceback.extract_tb(error.__traceback__))
    foreign = (str(Path(__file__).parents[1]), sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))
    frame = ([f for f in frames if not f.filename.startswith(foreign)] or frames)[-1]
    return f"at {frame.filename}:{frame.lineno}"


def _what(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
