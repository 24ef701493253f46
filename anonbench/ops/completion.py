"""Completion of the command line for a shell: a script that the user's shell reads once. Commands load nothing of it.

anonbench completion bash > ~/.local/share/bash-completion/completions/anonbench
anonbench completion zsh > ~/.zfunc/_anonbench        # a folder of fpath
"""

from __future__ import annotations

import argparse

import shtab

from anonbench.core.errors import ConfigError, nearest
from anonbench.ops.catalog import command_names, declaration, shown
from anonbench.ops.check import KINDS
from anonbench.ops.options import add_options
from anonbench.ops.plugins import REGISTRIES, registry_of

SHELLS = ("bash", "zsh")


def completion_script(shell: str) -> str:
    """The script for bash or zsh: commands, options, their choices, kinds of plug-ins, and files.

    Raises `ConfigError` for another shell.
    """
    if shell not in SHELLS:
        raise ConfigError(f"unknown shell '{shell}': {nearest(shell, SHELLS)}")
    parser = argparse.ArgumentParser(prog="anonbench", allow_abbrev=False)
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers()
    for name in command_names():
        declared = declaration(name)
        command = commands.add_parser(shown(name), help=declared.help, allow_abbrev=False)
        add_options(command, declared)
        files = {option.name for option in declared.options if option.kind in ("path", "mapping", "rows", "names")}
        choices = {option.name: option.choices for option in declared.options}
        for action in command._actions:
            if action.dest in files or action.dest == "stamp":
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            action.choices = _known(name, action.dest) or choices.get(action.dest) or action.choices
            if action.option_strings and action.nargs == "?":
                action.nargs = None  # shtab completes no value that may be left out
    return str(shtab.complete(parser, shell))


def _known(command: str, option: str) -> list[str] | None:
    """Values of an option that are known, though others are not refused by the parser but by the command."""
    return {
        ("list", "kind"): list(REGISTRIES),
        ("check", "kind"): list(KINDS),
        ("completion", "shell"): list(SHELLS),
        ("add_data", "format"): registry_of("datasets").names(),
    }.get((command, option))
