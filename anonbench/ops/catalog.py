"""Every command by name, found without importing any.

A rule of the workflow is a module in stages/, any other command a function of ops/commands.py.

>>> declaration("evaluate").help
'Score one setting: rank the gallery features for every query feature.'
"""

from __future__ import annotations

import importlib
import os
import shlex
from collections.abc import Collection
from pathlib import Path
from typing import Any

from anonbench.core.command import Declaration, declared_functions, read_declaration
from anonbench.core.errors import ConfigError, nearest
from anonbench.core.registry import Registry

PACKAGE = Path(__file__).parents[1]
STAGES = "anonbench.stages"
# Commands that are no rule of the workflow are the functions of one module. Those that are have a module each.
HELPERS = "anonbench.ops.commands"


def command_names() -> list[str]:
    """Every command, sorted. Imports nothing."""
    stages = [file.stem for file in (PACKAGE / "stages").glob("*.py") if not file.stem.startswith("_")]
    return sorted([*stages, *map(_command_name, declared_functions(_source(HELPERS)))])


def declaration(name: str) -> Declaration:
    """The declaration of a command. Raises `LookupError` when there is none of that name."""
    for function in declared_functions(_source(HELPERS)):
        if name == _command_name(function):
            return read_declaration(_source(HELPERS), HELPERS, function)
    if name not in command_names():
        raise LookupError(f"unknown command '{name}': {nearest(shown(name), map(shown, command_names()))}")
    module = f"{STAGES}.{name}"
    return read_declaration(_source(module), module, name)


def _source(module: str) -> Path:
    return PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")


def _command_name(function: str) -> str:
    return function.removesuffix("_")  # `list` is Python's


def shown(name: str) -> str:
    """A command's name as a person types it."""
    return name.replace("_", "-")


def plugin_registry(declared: Declaration) -> Any:
    """The registry of the plug-ins that a command's `spec` names."""
    module, _, name = declared.plugin.partition(":")
    return getattr(importlib.import_module(module), name)


def shell_command(name: str, without: Collection[str] = ()) -> str:
    """What the rule of a command runs: the rule's named inputs, outputs and parameters are the command's options.

    without: options that the rule leaves at their defaults. The rule also has `output.stamp`, `params.code`, `log` and,
    for a command that takes them, `threads`. An optional input that is an empty list, and a parameter that is an empty
    text, count as not given.
    """
    declared = declaration(name)
    words = [f"anonbench {shown(name)}"]
    for option in declared.options:
        if option.name in without or option.name in ("threads", "code"):
            continue
        place = {"input": "input", "output": "output"}.get(option.role, "params")
        words.append(f"{option.flag} {{{place}.{option.name}:q}}")
    threads = " --threads {threads}" if declared.option("threads") else ""
    return " ".join([*words, f"--stamp {{output.stamp:q}} --code {{params.code}}{threads} > {{log:q}} 2>&1"])


def job_prefix(programs: Path, repository: Path) -> str:
    """What Snakemake puts before every job's command: `anonbench` is the one of a folder of programs.

    Snakemake formats it, so braces in the path are doubled. Raises `ConfigError` for a path that PATH cannot hold, and
    for a repository in a folder with braces: Snakemake formats the paths of its own files too.
    """
    if {"{", "}"} & set(str(repository)):
        raise ConfigError(
            f"{repository}: Snakemake takes what is in braces for a variable. Give the folder another name."
        )
    if os.pathsep in str(programs):
        raise ConfigError(
            f"{programs}: a colon separates folders in PATH, so no program in this one is found. Give the folder "
            f"another name, or make the environment elsewhere and run Snakemake from there."
        )
    quoted = shlex.quote(str(programs)).replace("{", "{{").replace("}", "}}")
    return f"set -euo pipefail; export PATH={quoted}:$PATH; "


def digest_modules(name: str, method: str | None = None) -> list[str]:
    """The modules whose code decides what a command makes.

    method: the plug-in that its `spec` names.
    """
    declared = declaration(name)
    return [declared.module, *([plugin_module(plugin_registry(declared), method)] if method else [])]


def plugin_module(registry: Registry, method: str) -> str:
    """The module of a plug-in; by convention, without importing it, for those in the repository."""
    ours = f"{registry.package}.{method}"
    return ours if _source(ours).is_file() else str(registry.get(method).__module__)


def outside_plugins(name: str, method: str) -> list[str]:
    """The outside module that a job must import, as a list: the others do not concern it and re-run nothing."""
    module = plugin_module(plugin_registry(declaration(name)), method)
    return [] if module.startswith("anonbench.") else [module]
