"""The options of a command, made of its declaration, and the values that a person gives them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from anonbench.core.command import REQUIRED, STRUCTURED, Declaration, Option
from anonbench.core.errors import AnonbenchError, nearest
from anonbench.ops.catalog import shown
from anonbench.ops.given import read_mapping, read_names, read_rows

NOT_GIVEN = object()


class _Parser(argparse.ArgumentParser):
    """Names the nearest option where one is unknown."""

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        options = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
        for word in args or ():
            name = word.partition("=")[0]
            if name.startswith("--") and name not in options:  # before what is missing, which may follow from it
                self.error(f"unknown option '{name}': {nearest(name, options)}")
        return super().parse_args(args, namespace)


def build_parser(name: str, declared: Declaration) -> argparse.ArgumentParser:
    """The parser of a command's options."""
    parser = _Parser(
        prog=f"anonbench {shown(name)}", description=declared.description, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_options(parser, declared)
    return parser


def add_options(parser: argparse.ArgumentParser, declared: Declaration) -> None:
    """Add the options of a command to a parser."""
    of_a_rule = any(option.role == "output" for option in declared.options)
    for option in declared.options:
        _add_option(parser, option, of_a_rule)
    if of_a_rule:
        parser.add_argument("--stamp", type=Path, help="file for the provenance of what is written (JSON)")
        if declared.option("code") is None:
            parser.add_argument("--code", default="", help="digest of the code, for the stamp; the workflow gives it")
    if declared.option("plugins") is None and declared.module.startswith("anonbench.stages"):
        parser.add_argument(
            "--plugins", type=_structured(read_names), default=[], help="modules to import first, a JSON list"
        )


def _add_option(parser: argparse.ArgumentParser, option: Option, of_a_rule: bool) -> None:
    text = option.help
    if option.default not in (REQUIRED, None, "", (), [], False):
        shown = " ".join(map(str, option.default)) if isinstance(option.default, tuple) else option.default
        text += f" (default: {shown})"
    if option.kind == "flag":
        parser.add_argument(option.flag, action="store_true", help=_escaped(text))
        return
    common = {"type": _reader(option, of_a_rule), "help": _escaped(text), "metavar": _metavar(option)}
    default = [] if option.many and option.default in ((), None) else option.default
    if option.place:
        count = {"nargs": "*" if option.many else "?", "default": default} if not option.required else {}
        parser.add_argument(option.name, **{"nargs": "+" if option.many else None, **common, **count})  # type: ignore[arg-type]
    elif option.required:
        parser.add_argument(option.flag, required=True, nargs="+" if option.many else None, **common)  # type: ignore[arg-type]
    elif option.many:
        parser.add_argument(option.flag, nargs="*", action="extend", default=None, **common)  # type: ignore[arg-type]
    else:
        parser.add_argument(option.flag, nargs="?", const=NOT_GIVEN, default=NOT_GIVEN, **common)  # type: ignore[arg-type]


def _metavar(option: Option) -> str:
    if option.place:
        return option.name.upper()
    names = {
        "path": "PATH",
        "int": "N",
        "count": "N",
        "float": "X",
        "str": "TEXT",
        **dict.fromkeys(STRUCTURED, "JSON|FILE"),
    }
    return "|".join(option.choices) if option.choices else names[option.kind]


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _reader(option: Option, of_a_rule: bool) -> Callable[[str], Any]:
    """What turns the text of an option into its value. An empty text from a rule is an option that is not given."""
    readers: dict[str, Callable[[str], Any]] = {
        "path": Path, "int": int, "count": _at_least_one, "float": float, "str": str, "names": _structured(read_names),
        "mapping": _structured(read_mapping), "rows": _structured(read_rows),
    }  # fmt: skip
    read = readers[option.kind]

    def value(text: str) -> Any:
        if of_a_rule and not text and not option.required:
            return NOT_GIVEN
        if option.choices and text not in option.choices:
            raise argparse.ArgumentTypeError(f"invalid choice: '{text}': {nearest(text, option.choices)}")
        try:
            return read(text)
        except ValueError:
            what = {"int": "a whole number", "float": "a number"}.get(option.kind, option.kind)
            raise argparse.ArgumentTypeError(f"'{text}' is not {what}") from None

    return value


def _structured(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def value(text: str) -> Any:
        try:
            return read(text)
        except AnonbenchError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return value


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def option_values(declared: Declaration, found: argparse.Namespace) -> dict[str, Any]:
    """What the function is called with: the options that were given, and the defaults of the others."""
    values = {}
    for option in declared.options:
        value = getattr(found, option.name)
        if option.many and isinstance(value, list):
            value = [item for item in value if item is not NOT_GIVEN]
        if value is NOT_GIVEN or (value is None and option.many):
            value = option.default
        values[option.name] = list(value) if isinstance(value, tuple) else value
    return values
