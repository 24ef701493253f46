"""What a command is, declared once: by the signature and the docstring of its function.

    @command("evaluate", beside={"output": (".md",)})
    def score(features: list[Input], spec: Spec, output: Output, alpha: float = 0.05) -> None:
        '''Score features.

        features: feature files, one a variant.
        spec: `evaluation:` of the model.
        output: metrics (JSON).
        alpha: level of the tests, 0..1.
        '''

From this follow the options of `anonbench score` and their help, what provenance and `verify` call its inputs, outputs
and settings, and the shell command of the rule `score`. The declaration is read from the source with `ast`: neither
`anonbench --help` nor a rule imports what a command needs.
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

Input = Annotated[Path, "input"]
"""A file or folder that the command reads."""
Output = Annotated[Path, "output"]
"""A file or folder that it writes."""
Spec = Annotated[Any, "mapping"]
"""A setting of keys with values: JSON text, or a file with JSON or YAML."""
Rows = Annotated[Any, "rows"]
"""A setting that is a list of such."""
Count = Annotated[int, "count"]
"""A whole number from 1 on."""
Argument = Annotated[str, "argument"]
"""Given by its place on the command line instead of by an option."""
ArgumentPath = Annotated[Path, "argument"]
"""A file or folder given by its place; neither input nor output for provenance."""

GROUPS = ("data", "detect", "anonymize", "train", "evaluate", "report", "study", "dvc", "help")
"""The groups of commands, in the order of `anonbench --help`."""
RUN_OPTIONS = {
    "threads": "threads or processes to use",
    "device": "auto (a GPU where there is one), cpu or cuda",
    "gpus": "GPUs of this machine, a process each, that work together",
    "plugins": "modules of plug-ins to import first, a JSON list",
    "resume_dir": "folder that keeps what is finished, so that a killed run goes on",
    "code": "digest of the code, for the stamp; the workflow gives it",
}
"""Options about how a command runs, with the help that they have everywhere."""
NO_SETTINGS = ("threads", "gpus", "resume_dir", "code")
"""Those that change neither a result nor what `verify` compares."""


class _Required:
    def __repr__(self) -> str:
        return "required"


REQUIRED = _Required()


@dataclass(frozen=True, slots=True)
class Option:
    """A parameter of a command.

    name: of the parameter; the option is `--name`, with hyphens.
    role: input, output, setting or run.
    kind: path, mapping, rows, names, int, count, float, str, flag. The three after path are JSON or a file of it.
    many: takes a list.
    default: `REQUIRED` where there is none.
    choices: the only values allowed; empty for any.
    place: given by its place instead of by an option.
    help: a sentence or two.
    """

    name: str
    role: str
    kind: str
    many: bool
    default: Any
    choices: tuple[str, ...]
    place: bool
    help: str

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True)
class Declaration:
    """A command: its name, the function that runs it, and its options in the order of the signature.

    beside: option -> suffixes of the files beside its path that belong to it (`table.csv` -> `table.md`).
    gpu: it computes on a GPU where it is given one.
    plugin: "module:REGISTRY" of the plug-in that its `spec` names, "" for none.
    needs: option with a structure -> keys that it must have, each of its rows if it is a list.
    """

    name: str
    module: str
    function: str
    group: str
    help: str
    description: str
    options: tuple[Option, ...]
    beside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gpu: bool = False
    plugin: str = ""
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def option(self, name: str) -> Option | None:
        return next((option for option in self.options if option.name == name), None)


def command(
    group: str,
    *,
    beside: Mapping[str, tuple[str, ...]] | None = None,
    gpu: bool = False,
    plugin: str = "",
    needs: Mapping[str, tuple[str, ...]] | None = None,
) -> Callable[[F], F]:
    """Declare a function as a command (see `Declaration`). It stays the function that it is.

    The arguments must be literals: they are read from the source, too.
    """
    assert group in GROUPS

    def declared(function: F) -> F:
        return function

    return declared


@functools.cache
def read_declaration(file: Path, module: str, function: str) -> Declaration:
    """The declaration of a function, read from its source file without importing it.

    Raises `LookupError` when the file has no such function, `TypeError` for an annotation that is no option.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return _declaration(node, module)
    raise LookupError(f"{file}: there is no function {function}")


@functools.cache
def declared_functions(file: Path) -> tuple[str, ...]:
    """The functions of a file that are commands, in its order."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return tuple(n.name for n in tree.body if isinstance(n, ast.FunctionDef) and _decorator(n) is not None)


def _decorator(node: ast.FunctionDef) -> ast.Call | None:
    calls = [d for d in node.decorator_list if isinstance(d, ast.Call)]
    return next((d for d in calls if ast.unparse(d.func) == "command"), None)


def _declaration(node: ast.FunctionDef, module: str) -> Declaration:
    decorator = _decorator(node)
    if decorator is None:
        raise LookupError(f"{module}.{node.name} is not declared by @command")
    declared = {k.arg: ast.literal_eval(k.value) for k in decorator.keywords if k.arg}
    text = inspect.cleandoc(ast.get_docstring(node, clean=False) or "")
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[Any] = [REQUIRED] * (len(positional) - len(arguments.defaults))
    defaults += [ast.literal_eval(d) for d in arguments.defaults]
    pairs = list(zip(positional, defaults, strict=True))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        pairs.append((argument, REQUIRED if default is None else ast.literal_eval(default)))
    texts = _texts(text, [a.arg for a, _ in pairs])
    options = tuple(_option(a.arg, ast.unparse(a.annotation), d, texts) for a, d in pairs if a.annotation)
    return Declaration(
        name=node.name,
        module=module,
        function=node.name,
        group=ast.literal_eval(decorator.args[0]),
        help=text.partition("\n")[0],
        description=_description(text, [a.arg for a, _ in pairs]),
        options=options,
        **declared,
    )


STRUCTURED = ("mapping", "rows", "names")
KINDS = {
    "Input": ("input", "path"),
    "Output": ("output", "path"),
    "Spec": ("setting", "mapping"),
    "Rows": ("setting", "rows"),
    "Count": ("setting", "count"),
    "Argument": ("setting", "str"),
    "ArgumentPath": ("setting", "path"),
    "Path": ("setting", "path"),
    "str": ("setting", "str"),
    "int": ("setting", "int"),
    "float": ("setting", "float"),
    "bool": ("setting", "flag"),
}


def _option(name: str, annotation: str, default: Any, texts: Mapping[str, str]) -> Option:
    base = annotation.removesuffix(" | None")
    many = re.fullmatch(r"(?:list|Sequence)\[(.*)\]", base)
    base = many[1] if many else base
    choices: tuple[str, ...] = ()
    if base.startswith("Literal["):
        chosen = ast.literal_eval(base.removeprefix("Literal"))
        choices, base = tuple(chosen), "str"
    if base not in KINDS:
        raise TypeError(f"{name}: {annotation} is no type of an option. Known: {', '.join(KINDS)}")
    role, kind = KINDS[base]
    if name in RUN_OPTIONS:
        role = "run"
    if name == "plugins":
        kind, many = "names", None
    elif name in ("threads", "gpus"):
        kind = "count"
    elif name == "device":
        choices = ("auto", "cpu", "cuda")
    text = texts.get(name, RUN_OPTIONS.get(name, ""))
    return Option(name, role, kind, bool(many), default, choices, base.startswith("Argument"), text)


def _texts(docstring: str, names: list[str]) -> dict[str, str]:
    """parameter -> what the docstring says about it, in the lines from `name:` to the next field or empty line."""
    found: dict[str, str] = {}
    current: list[str] = []
    for line in docstring.splitlines():
        match = re.match(r"(\w+(?:, \w+)*): (.*)", line)
        if match and all(name in names for name in match[1].split(", ")):
            current = match[1].split(", ")
            found |= dict.fromkeys(current, match[2])
        elif not line.strip() or match:
            current = []
        else:
            found |= {name: f"{found[name]} {line.strip()}" for name in current}
    return found


def _description(docstring: str, names: list[str]) -> str:
    """The docstring without the fields: what the help of one command prints."""
    kept = []
    for paragraph in docstring.split("\n\n"):
        lines = []
        for line in paragraph.splitlines():
            match = re.match(r"(\w+(?:, \w+)*): ", line)
            if match and all(name in names for name in match[1].split(", ")):
                break
            lines.append(line)
        if lines:
            kept.append("\n".join(lines))
    return "\n\n".join(kept)


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a command reads, what it writes, and the settings it was given."""

    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    settings: Mapping[str, Any]


def footprint(declared: Declaration, options: Mapping[str, Any]) -> Footprint:
    """Sort the values of a command's options into inputs, outputs and settings; what was not given is left out."""
    inputs: list[Path] = []
    outputs: list[Path] = []
    settings: dict[str, Any] = {}
    for option in declared.options:
        value = options.get(option.name)
        if value is None or option.name in NO_SETTINGS:
            continue
        paths = list(value) if option.many else [value]
        if option.role in ("input", "output"):
            paths += [p.with_suffix(suffix) for p in paths for suffix in declared.beside.get(option.name, ())]
            (inputs if option.role == "input" else outputs).extend(paths)
        else:
            settings[option.name] = value
    return Footprint(tuple(dict.fromkeys(inputs)), tuple(outputs), settings)


def asked_settings(declared: Declaration, params: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a rule's parameters give a command, as `footprint` sorts them."""
    import json

    found: dict[str, Any] = {}
    for option in declared.options:
        if option.role in ("input", "output") or option.name in NO_SETTINGS:
            continue
        value = params.get(option.name, "")
        if isinstance(value, str) and not value:
            value = None if option.required else option.default
        elif option.kind in STRUCTURED and isinstance(value, str):
            value = json.loads(value)
        if value is not None:
            found[option.name] = list(value) if isinstance(value, tuple) else value
    return found
