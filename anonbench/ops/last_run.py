"""Which configuration the artifacts in a folder are of: that of the last Snakemake run, which records it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from anonbench.config import DEFAULTS
from anonbench.core.errors import ConfigError, DataError
from anonbench.data.paths import DEFAULT_CONFIG
from anonbench.ops.dag import STAMPS
from anonbench.ops.journal import OPTIONS, read_last_run
from anonbench.ops.planning import TRAININGS
from anonbench.ops.provenance import read_stamp

REPLACE = "ANONBENCH_REPLACE"  # in the environment: what another configuration has made may be replaced
# What takes more than seconds to make.
PRECIOUS = {"render", "render_faces", "render_scenes", "detect", "anonymize", "anonymize_whole", "train_detector",
            *TRAININGS}  # fmt: skip
SHOWN = 3  # artifacts named in one message


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
    theirs, ours = _resolved(overlays(run, root), root), _resolved(configfiles, root)
    if theirs != ours:
        named = " ".join(_shown(file, root) for file in theirs) or DEFAULT_CONFIG
        raise ConfigError(
            f"the artifacts below results/ are those of {in_words(theirs, root)} (last run: {run['start'][:16]}), and "
            f"dvc.yaml is that of {in_words(ours, root)}: this would replace them. To keep them, make dvc.yaml theirs: "
            f"anonbench dvc-cells --configfile {named}. Else move results/ away, or build with snakemake."
        )


def refuse_replacing(configfiles: Sequence[Path | str], jobs: Iterable[tuple[Path, Any]], root: Path) -> None:
    """Raise `ConfigError` when jobs of a configuration would replace pictures, detections or networks of another one.

    configfiles: of the run that is about to begin.
    jobs: (stamp, spec) of each of its jobs.

    Whoever edits the file of the last run, or lays further ones over it, means what changes. `REPLACE` in the
    environment agrees to the rest.
    """
    run = read_last_run(root)
    if run is None or os.environ.get(REPLACE):
        return
    theirs = _resolved((file for file in overlays(run, root) if file.name != Path(OPTIONS).name), root)
    ours = _resolved((file for file in configfiles if not _is_default(file, root)), root)
    if ours[: len(theirs)] == theirs and (theirs or not ours):
        return
    replaced = sorted({str(stamp) for stamp, spec in jobs if _is_of_another(root / stamp, spec)})
    if replaced:
        shown = ", ".join(stamp.removeprefix(STAMPS).removesuffix(".json") for stamp in replaced[:SHOWN])
        raise ConfigError(
            f"{in_words(ours, root)} would replace {len(replaced)} artifacts that were made here with other settings "
            f"({shown}{', …' if replaced[SHOWN:] else ''}), and all that was made from them. The last run was of "
            f"{in_words(theirs, root)} ({run['start'][:16]}). To keep them, run this in another clone. To replace "
            f"them: {REPLACE}=1 snakemake …"
        )


def _is_of_another(stamp: Path, spec: Any) -> bool:
    if not stamp.is_file():
        return False
    try:
        made = read_stamp(stamp)
    except DataError:
        return False
    return made.stage in PRECIOUS and bool(made.settings.get("spec") != spec)


def in_words(files: Sequence[Path], root: Path) -> str:
    """`config/demo.yaml`; config/default.yaml where no other is laid over it."""
    return " + ".join(_shown(file, root) for file in files) or DEFAULT_CONFIG


def _resolved(files: Iterable[Path | str], root: Path) -> list[Path]:
    return [(root / file).resolve() for file in files]


def _shown(file: Path, root: Path) -> str:
    return str(file).removeprefix(f"{root.resolve()}/").removeprefix(f"{root}/")


def _is_default(file: Path | str, root: Path) -> bool:
    return (root / file).resolve() in [(root / default).resolve() for default in DEFAULTS]
