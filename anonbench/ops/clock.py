"""Refuse inputs that are dated in the future: a clock was set back, or one machine's clock is behind."""

from __future__ import annotations

import datetime
import os
import stat
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from anonbench.core.errors import DataError

# Machines of a cluster differ by seconds. Waiting for them is cheaper than a job whose outputs Snakemake removes.
PATIENCE_S = 30.0
TIMESTAMP = ".snakemake_timestamp"  # by which Snakemake dates a folder


def wait_for_inputs(inputs: Iterable[Path]) -> None:
    """Return when every input is in the past.

    Snakemake removes outputs that are older than an input when their job has ended: hours of training, for one.
    Raises `DataError` at once when the wait would be longer than `PATIENCE_S`.
    """
    newest, path = max(((_modified(path), path) for path in inputs if os.path.lexists(path)), default=(0.0, None))
    ahead = newest - time.time()
    if path is None or ahead < 0:
        return
    if ahead > PATIENCE_S:
        moments = (datetime.datetime.fromtimestamp(t).isoformat(" ", "seconds") for t in (newest, newest - ahead))
        raise DataError(
            f"{path}: is dated {next(moments)}, but the clock of this machine says {next(moments)}. Snakemake would "
            f"remove what is made from it, since that would look older. Set the clock if it is wrong. If the date is: "
            f"`touch -h {path}` for data of your own; for what was made here `snakemake --touch --forceall` with the "
            f"targets and config files of this run, then `anonbench verify`. Nothing is made again for it."
        )
    print(f"{path}: is dated {ahead:.1f} s ahead of this machine's clock; waiting.", file=sys.stderr, flush=True)
    time.sleep(ahead)


def _modified(path: Path) -> float:
    """Seconds since the epoch, as Snakemake dates a file, a link or a folder."""
    found = path.lstat()
    timestamp = path / TIMESTAMP
    if stat.S_ISDIR(found.st_mode) and timestamp.exists():
        return timestamp.stat().st_mtime
    return found.st_mtime
