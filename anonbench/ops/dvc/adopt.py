"""Make Snakemake accept the artifacts that `dvc pull`, `dvc checkout` or `dvc repro` brought back.

Snakemake knows an artifact by its time and by its metadata (.snakemake/metadata), and neither survives a clone.
Snakemake would make everything again, or, after a mere `--touch`, miss a changed parameter.

An artifact gets both here if its inputs, settings, code and bytes are those of dvc.lock, and those of its producers
too. All others without metadata get metadata with other parameters, so that Snakemake makes them again.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonbench.core.errors import DataError
from anonbench.ops.controllers import refuse_while_at_work
from anonbench.ops.dag import LISTING, STAND_IN, resolved_workflow
from anonbench.ops.dvc.cells import PLAN, REPORT, configfiles_in_force, write_settings
from anonbench.ops.dvc.errors import in_words, refuse_merge_marks
from anonbench.ops.dvc.record import name_of, open_repo

STALE = "found by `anonbench adopt`: not as dvc.lock and the tree say"
TIMESTAMP = ".snakemake_timestamp"  # by which Snakemake dates a folder


@dataclass(frozen=True, slots=True)
class Adopted:
    """Names of stages.

    current: complete for Snakemake now.
    stale: there, but not as dvc.lock and the current code and settings say.
    absent: not there, or not all of their files."""

    current: tuple[str, ...]
    stale: tuple[str, ...]
    absent: tuple[str, ...]


def adopt(root: Path) -> Adopted:
    """Make Snakemake take what DVC finds unchanged as done, and nothing else.

    Raises `ConfigError` when dvc.yaml was written for another configuration or Snakefile, `DataError` while Snakemake
    is at work here, and for files that DVC cannot read.
    """
    refuse_while_at_work(root, "adopt")
    refuse_merge_marks(root)
    write_settings(root)  # of the tree as it is now, whatever was pulled
    repo = open_repo(root)
    with in_words(root), repo, repo.lock:
        stages = [stage for stage in _producers_first(repo.index.graph) if name_of(stage) not in (PLAN, REPORT)]
        clean = _clean(stages, repo.index.graph)
        outputs = {name_of(s): [out.def_path for out in s.outs] for s in stages if not s.is_data_source}
        current = {name for name in outputs if name in clean}
    stale = {name for name, paths in outputs.items() if name not in current and all((root / p).exists() for p in paths)}
    _tell_snakemake(root, [outputs[n][0] for n in sorted(current)], [outputs[n][0] for n in sorted(stale)])
    absent = outputs.keys() - current - stale
    return Adopted(tuple(sorted(current)), tuple(sorted(stale)), tuple(sorted(absent)))


def _producers_first(graph: Any) -> Iterable[Any]:
    """The stages of DVC's graph, whose edges point to what a stage depends on."""
    import networkx

    return networkx.dfs_postorder_nodes(graph)


def _clean(stages: Iterable[Any], graph: Any) -> set[str]:
    """The stages that match dvc.lock and whose producers do. `plan` is no producer: the settings were just written."""
    clean: set[str] = set()
    for stage in stages:
        producers = {name_of(s) for s in graph.successors(stage)} - {PLAN}
        if producers <= clean and not stage.status():
            clean.add(name_of(stage))
    return clean


def _tell_snakemake(root: Path, current: list[str], stale: list[str]) -> None:
    """Write the metadata, in a separate process: Snakemake leaves state behind. A job is named by its first output."""
    request = json.dumps({"configfiles": configfiles_in_force(root), "current": current, "stale": stale})
    done = subprocess.run(
        [sys.executable, "-m", __name__], input=request, cwd=root,
        env={**os.environ, LISTING: "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise DataError(f"{root}: Snakemake's metadata cannot be written.\n{done.stderr.strip()}")


def _write_notes(request: Mapping[str, list[str]]) -> None:
    from snakemake.settings.types import ExecutionSettings

    with resolved_workflow(request["configfiles"], []) as workflow:
        jobs = {str(job.output[0]): job for job in workflow.dag.jobs if job.output and job.rule.name != STAND_IN}
        workflow.execution_settings = ExecutionSettings()
        notes = workflow.persistence
        if notes.locked:
            sys.exit("Snakemake is running in this folder. Wait for its end, or `anonbench recover` after a crash.")
        time = _newest_source(workflow.dag)
        for name in request["current"]:
            for output in jobs[name].output:
                _date(Path(output), time)
            asyncio.run(notes.finished(jobs[name]))
        for name in request["stale"]:
            if not notes.has_metadata(jobs[name]):
                asyncio.run(notes.finished(jobs[name]))
                _call_stale(notes, jobs[name])


def _call_stale(notes: Any, job: Any) -> None:
    """Put other parameters into a job's metadata, so that Snakemake makes it again.

    Times do not work for a job without inputs, and a mark of unfinished files stops a run without `--rerun-incomplete`.
    """
    notes._clear_cache()
    for output in job.output:
        key = notes._get_key(output)
        record = notes._read_record(key)
        record.params = [STALE]
        notes._write_record(key, record)


def _newest_source(dag: Any) -> float:
    """The time of the newest file that no job makes. Artifacts as old as that are newer than none of their inputs, and
    older than whatever was made from them here."""
    sources = {str(path) for job in dag.jobs for path in job.input if not _made(dag, job, path)}
    times = [f(path).st_mtime for path in sources if Path(path).exists() for f in (os.stat, os.lstat)]
    return max(times, default=1.0)


def _made(dag: Any, job: Any, path: Any) -> bool:
    return any(path in files and producer.rule.name != STAND_IN for producer, files in dag.dependencies[job].items())


def _date(path: Path, time: float) -> None:
    if path.is_dir():
        (path / TIMESTAMP).touch()
        os.utime(path / TIMESTAMP, (time, time))
    os.utime(path, (time, time))


if __name__ == "__main__":
    _write_notes(json.loads(sys.stdin.read()))
