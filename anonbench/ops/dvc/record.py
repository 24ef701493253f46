"""After `snakemake` ran, here or on a cluster: what it made, into DVC's cache and dvc.lock. Nothing is executed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonbench.core.errors import ConfigError, MissingDependencyError
from anonbench.data.paths import DEFAULT_CONFIG
from anonbench.ops.controllers import refuse_while_at_work
from anonbench.ops.dvc.cells import PLAN, configfiles_in_force, write_pipeline, write_settings
from anonbench.ops.dvc.errors import in_words, refuse_merge_marks
from anonbench.ops.journal import read_last_run
from anonbench.ops.last_run import configuration


@dataclass(frozen=True, slots=True)
class Recorded:
    """stages: names of what was recorded.

    left_out: artifacts that are missing, or that Snakemake would make again.
    """

    stages: tuple[str, ...]
    left_out: tuple[str, ...]


def record(root: Path, configfiles: Sequence[Path | str] = (), targets: Sequence[str] = ()) -> Recorded:
    """Write the hashes of every artifact that Snakemake calls up to date into dvc.lock, the files into DVC's cache.

    configfiles: those of the Snakemake run; none: those for which dvc.yaml was written.
    targets: as for snakemake; none: everything. dvc.yaml is written anew where the Snakefile or the configuration has
        changed.
    Raises `DataError` while Snakemake is at work here (half-made files would be recorded), and for files that DVC
        cannot read.
    """
    refuse_while_at_work(root, "record")
    refuse_merge_marks(root)
    ran = read_last_run(root) is not None
    files = configuration(configfiles, root) if configfiles or ran else []
    jobs = write_pipeline(files or ([DEFAULT_CONFIG] if configfiles or ran else []), root)
    write_settings(root, jobs)
    current, left_out = _up_to_date(root, targets)
    made = {path for job in jobs for path in job.outputs}
    repo = open_repo(root)
    with in_words(root), repo, repo.lock:
        stages = [
            stage
            for stage in repo.index.stages
            if stage.is_data_source is False and _settled(stage, current, made)
        ]  # fmt: skip
        for stage in stages:
            stage.save()
            stage.commit(relink=False)  # a file that is linked anew gets another time, and Snakemake would run again
        if stages:
            stages[0].dvcfile.dump_stages(stages, update_pipeline=False)
        return Recorded(tuple(map(name_of, stages)), tuple(sorted(left_out)))


def open_repo(root: Path) -> Any:
    """DVC's `Repo`; raises `MissingDependencyError` or `ConfigError` with what to do."""
    try:
        from dvc.exceptions import DvcException, NotDvcRepoError
        from dvc.repo import Repo
    except ImportError as error:
        raise MissingDependencyError(f"DVC is not installed ({error}): pip install -r requirements.txt") from error
    try:
        return Repo(str(root))
    except NotDvcRepoError as error:
        raise ConfigError(f"{root}: not a repository of DVC ({error}). Run this where dvc.yaml is.") from error
    except DvcException as error:  # of its own configuration
        raise ConfigError(f"{root}: DVC cannot be opened: {error}") from error


def name_of(stage: Any) -> str:
    """A stage's name in dvc.yaml; for a data file (`data/raw/….dvc`) its path."""
    return str(getattr(stage, "name", None) or stage.addressing)


def _settled(stage: Any, current: set[str], made: set[str]) -> bool:
    """Whether a stage's outputs are up to date, and its inputs with them where it has no outputs."""
    if name_of(stage) == PLAN:
        return True
    paths = [out.def_path for out in stage.outs] or [dep.def_path for dep in stage.deps]
    return current.issuperset(path for path in paths if path in made)


def _up_to_date(root: Path, targets: Sequence[str]) -> tuple[set[str], set[str]]:
    """Outputs that exist and that Snakemake would not make again, and all others of its plan."""
    files = configfiles_in_force(root)
    overlays = ["--configfile", *files] if files else []
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--summary", "--cores", "1", *overlays, "--", *(targets or ["all"])],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    rows = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
    if done.returncode or not rows:
        raise ConfigError(f"{root / 'Snakefile'}: its artifacts cannot be listed.\n{done.stderr.strip()}")
    header, *rows = rows
    name, date, plan = (header.index(column) for column in ("output_file", "date", "plan"))
    current = {row[name] for row in rows if row[plan] == "no update" and row[date] != "-"}
    return current, {row[name] for row in rows} - current
