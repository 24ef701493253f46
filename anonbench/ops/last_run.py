"""Which configuration the artifacts in a folder are of: that of the last Snakemake run, which records it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anonbench.config import DEFAULTS
from anonbench.core.errors import ConfigError
from anonbench.data.paths import DEFAULT_CONFIG
from anonbench.ops.journal import read_last_run


def configuration(configfiles: Sequence[Path | str], root: Path) -> list[Path]:
    """Config files over config/default.yaml: those given, else those of the last run, which one line on stderr names.

    config/default.yaml alone means that no other is laid over it. Raises `ConfigError` when a file of the last run is
    no longer there.
    """
    if configfiles:
        return [Path(file) for file in configfiles if not _is_default(file, root)]
    run = read_last_run(root)
    if run is None:
        return []
    files = overlays(run, root)
    print(f"configuration of the last run: {in_words(files, root)}", file=sys.stderr)
    for file in files:
        if not file.is_file():
            raise ConfigError(f"{file}: it was there in the last run and is gone. Name another with --configfile.")
    return files


def last_targets(root: Path) -> list[str]:
    """What the last run was to make; empty where that was everything."""
    run = read_last_run(root)
    return list(run["targets"]) if run else []


def overlays(run: Mapping[str, Any], root: Path) -> list[Path]:
    """The config files that a run laid over config/default.yaml."""
    return [root / file for file in run["configfiles"] if not _is_default(file, root)]


def refuse_other(configfiles: Sequence[Path | str], root: Path) -> None:
    """Raise `ConfigError` when the artifacts here are those of another configuration than dvc.yaml's.

    configfiles: those for which dvc.yaml was written. A folder in which nothing has run is anybody's.
    """
    run = read_last_run(root)
    if run is None:
        return
    theirs, ours = [file.resolve() for file in overlays(run, root)], [(root / file).resolve() for file in configfiles]
    if theirs != ours:
        named = " ".join(_shown(file, root) for file in theirs) or DEFAULT_CONFIG
        raise ConfigError(
            f"the artifacts below results/ are those of {in_words(theirs, root)} (last run: {run['start'][:16]}), and "
            f"dvc.yaml is that of {in_words(ours, root)}: this would replace them. To keep them, make dvc.yaml theirs: "
            f"anonbench dvc-cells --configfile {named}. Else move results/ away, or build with snakemake."
        )


def in_words(files: Sequence[Path], root: Path) -> str:
    """`config/demo.yaml`; config/default.yaml where no other is laid over it."""
    return " + ".join(_shown(file, root) for file in files) or DEFAULT_CONFIG


def _shown(file: Path, root: Path) -> str:
    return str(file).removeprefix(f"{root.resolve()}/").removeprefix(f"{root}/")


def _is_default(file: Path | str, root: Path) -> bool:
    return (root / file).resolve() in [(root / default).resolve() for default in DEFAULTS]
