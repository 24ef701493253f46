"""The workflow's jobs as Snakemake itself resolves them: what makes which artifact from what, with which settings.

DVC's stages, `explain` and `verify` read this, so that there is one source of truth. Needs Snakemake.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anonbench.core.errors import ConfigError

SNAKEFILE = "Snakefile"
STAMPS = "results/stamps/"
# Set while jobs are only listed: raw datasets need not be there (workflow/rules/common.smk).
LISTING = "ANONBENCH_LISTING"
NAMES_ONLY = "names"  # its value where parameters, with their digests of code, and a check of the config are not wanted
STAND_IN = "raw"  # the rule that stands in for them


@dataclass(frozen=True, slots=True)
class Job:
    """One instance of a rule.

    name: what a person types, such as market1501-bot-original-blur-seed0; "" for a rule without wildcards.
    inputs, outputs: paths relative to the workflow's folder (or absolute, where the config says so), in the rule's
        order.
    folders: those outputs that are folders.
    params: the rule's parameters by name. `code` is the digest of the modules that the job runs.
    log: where its command's messages go.
    """

    rule: str
    name: str
    wildcards: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    folders: tuple[str, ...]
    params: Mapping[str, Any]
    log: str = ""

    @property
    def stamp(self) -> str | None:
        """The path of the stamp that the job writes."""
        return next((output for output in self.outputs if output.startswith(STAMPS)), None)

    @property
    def artifacts(self) -> tuple[str, ...]:
        """The outputs without the stamp."""
        return tuple(output for output in self.outputs if not output.startswith(STAMPS))


def workflow_jobs(
    configfiles: Iterable[Path | str] = (),
    targets: Sequence[str] = (),
    root: Path | None = None,
    params: bool = True,
) -> list[Job]:
    """Every job that the targets (by default those of rule all) consist of, done or not, sorted by rule and name.

    configfiles: laid over config/default.yaml, relative to the current folder.
    root: the folder of the Snakefile, by default the current one. A raw dataset is among its jobs' inputs whether it is
        there or not.
    params: False leaves them empty and the config unchecked, which halves the time.

    Snakemake runs in a separate process (some seconds), so that nothing of it stays behind in this one.
    Raises `ConfigError` with Snakemake's message when the workflow cannot be resolved.
    """
    folder = (root or Path.cwd()).resolve()
    if not (folder / SNAKEFILE).is_file():
        raise ConfigError(f"{folder}: there is no {SNAKEFILE} here. Run this in the folder of the workflow.")
    request = json.dumps([[str(Path(file).resolve()) for file in configfiles], list(targets)])
    done = subprocess.run(
        [sys.executable, "-m", __name__, request],
        cwd=folder, env={**os.environ, LISTING: "all" if params else NAMES_ONLY},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ConfigError(f"{folder / SNAKEFILE}: the jobs cannot be listed.\n{done.stderr.strip()}")
    return [_from_json(entry) for entry in json.loads(done.stdout)]


def _from_json(entry: dict[str, Any]) -> Job:
    return Job(**{**entry, **{name: tuple(entry[name]) for name in ("inputs", "outputs", "folders")}})


def upstream_first(jobs: Iterable[Job]) -> list[Job]:
    """The jobs so that each comes after those that make its inputs; otherwise in the order given."""
    remaining = {job.outputs[0]: job for job in jobs}
    makes = {path: first for first, job in remaining.items() for path in job.artifacts}
    ordered: list[Job] = []

    def place(first: str) -> None:
        job = remaining.pop(first, None)
        if job is not None:
            for path in job.inputs:
                place(makes.get(path, ""))
            ordered.append(job)

    for first in list(remaining):
        place(first)
    return ordered


@contextlib.contextmanager
def resolved_workflow(configfiles: Iterable[str], targets: Iterable[str]) -> Iterator[Any]:
    """Snakemake's own workflow object with its jobs resolved and nothing run. For a separate process."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import (
        ConfigSettings,
        DAGSettings,
        OutputSettings,
        Quietness,
        ResourceSettings,
        StorageSettings,
    )

    output = OutputSettings(quiet={Quietness.ALL}, enable_file_logging=False)
    with SnakemakeApi(output) as api, contextlib.redirect_stdout(io.StringIO()):
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=[Path(file) for file in configfiles]),
            storage_settings=StorageSettings(),
            snakefile=Path(SNAKEFILE).resolve(),
            workdir=Path.cwd(),
        )
        dag = workflow.dag(dag_settings=DAGSettings(targets=set(targets), force_incomplete=True))
        dag.printd3dag()  # resolves the jobs and runs nothing
        yield workflow._workflow


def _list_jobs(configfiles: list[str], targets: list[str]) -> list[Job]:
    """The same in this process."""
    with resolved_workflow(configfiles, targets) as workflow:
        jobs = [job_of(job) for job in workflow.dag.jobs if job.output and job.rule.name != STAND_IN]
    return sorted(jobs, key=lambda job: (job.rule, job.name))


def job_of(job: Any) -> Job:
    """Our record of one of Snakemake's jobs."""
    wildcards = {name: str(value) for name, value in job.wildcards_dict.items()}
    return Job(
        rule=job.rule.name,
        name=_name(wildcards),
        wildcards=wildcards,
        inputs=tuple(dict.fromkeys(map(str, job.input))),
        outputs=tuple(map(str, job.output)),
        folders=tuple(str(output) for output in job.output if output.is_directory),
        params={} if os.environ.get(LISTING) == NAMES_ONLY else dict(job.params.items()),
        log=next(map(str, job.log), ""),
    )


def _name(wildcards: Mapping[str, str]) -> str:
    """The values joined by hyphens, the run last. Query and gallery of one variant are named once."""
    values = dict(wildcards)
    if values.get("query_variant") == values.get("gallery_variant"):
        values.pop("gallery_variant", None)
    run = [values.pop("run")] if "run" in values else []
    return "-".join([*values.values(), *run])


if __name__ == "__main__":
    try:
        listed = _list_jobs(*json.loads(sys.argv[1]))
    except Exception as error:  # Snakemake's own, and whatever a Snakefile raises
        sys.exit(str(error) or type(error).__name__)
    json.dump([asdict(job) for job in listed], sys.stdout)
