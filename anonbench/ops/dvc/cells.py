"""DVC's pipeline, written from Snakemake's own graph: dvc.yaml, its cells, and the configuration in force.

One stage per job. Rules about a dataset are `foreach` stages (`train@market1501-…-seed0`): a line a job holds the
values of its wildcards, from which the stage composes its paths. Jobs about the whole study read lists of different
lengths, which DVC cannot put into a template: they are separate stages, named like their file (`table3`, `ttest`).

The settings of a job (its parameters and the digest of its code) are a file below results/settings, on which its stage
depends. The stage `plan` writes these files whenever DVC runs anything, so that DVC sees the same changes as Snakemake:
the edited parameter, but no edited comment. `plan` refuses to go on where results/ holds the artifacts of another
configuration. DVC keeps what is there until a command replaces it (`persist`), so that a refusal loses nothing.
"""

from __future__ import annotations

import functools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from anonbench.config import DEFAULTS, read_layer
from anonbench.core.errors import ConfigError
from anonbench.core.files import write_text
from anonbench.data.paths import KEYS
from anonbench.ops.dag import Job, upstream_first, workflow_jobs
from anonbench.ops.journal import OPTIONS
from anonbench.ops.last_run import refuse_other

PIPELINE = "dvc.yaml"
PROFILE = "workflow/profiles/dvc"
SETTINGS = "results/settings"
PLAN, REPORT = "plan", "report"
RUN = f"snakemake --profile {PROFILE} --force --allowed-rules"
HEADER = (
    "# Written by `anonbench dvc-cells` from Snakemake's graph (docs/dvc.md): change the Snakefile or the config.\n"
)
CURVE = ".cmc.csv"
KEPT = "{persist: true}"
KEPT_HERE = "{persist: true, push: false}"  # not uploaded
UNPACKS = ("unpack",)  # writes the originals that are inside an archive


def stage_name(job: Job) -> str:
    """The name of a job's stage in DVC: evaluate@market1501-bot-original-blur-seed0, table3, ttest, cmc_table3."""
    return f"{job.rule}@{job.name}" if _of_a_dataset(job) else Path(job.artifacts[0]).stem


def settings_file(job: Job) -> str:
    """Where the parameters of a job stand."""
    return f"{SETTINGS}/{job.rule}/{job.name or job.rule}.json"


def write_pipeline(configfiles: Sequence[Path | str], root: Path) -> list[Job]:
    """Write dvc.yaml and the profile with which the stages call Snakemake; returns the jobs.

    configfiles: laid over config/default.yaml, paths from `root`; none: those of the last call; config/default.yaml
    itself: no others. They must be inside the repository, since DVC compares them between commits.
    Raises `ConfigError` for a file that is elsewhere, and for jobs whose stages would have one name.
    """
    files = _overlays(configfiles, root) if configfiles else configfiles_in_force(root)
    jobs = workflow_jobs([root / file for file in files], root=root)
    for file, text in pipeline_texts(jobs, files).items():
        write_text(root / file, text)
    return jobs


def pipeline_texts(jobs: Sequence[Job], configfiles: Sequence[str]) -> dict[str, str]:
    """File -> its text, for the two files that `write_pipeline` writes."""
    _refuse_doubles(jobs)
    groups: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        groups[job.rule if _of_a_dataset(job) else ""].append(job)
    single = sorted(groups.pop("", []), key=stage_name)
    # config/default.yaml is not named: laid over itself it would put keys into another order, and jobs would run again.
    overlays = {"configfile": list(configfiles)} if configfiles else {}
    profile = {**overlays, "cores": "all", "quiet": ["host", "rules", "progress"]}
    return {
        PIPELINE: _pipeline(groups, single, configfiles),
        f"{PROFILE}/config.yaml": HEADER + yaml.safe_dump(profile, sort_keys=False),
    }


def configfiles_in_force(root: Path) -> list[str]:
    """The config files over config/default.yaml for which dvc.yaml was written."""
    file = root / PROFILE / "config.yaml"
    return read_layer(file).get("configfile", []) if file.is_file() else []


def write_settings(root: Path, jobs: Iterable[Job] | None = None) -> None:
    """Write the settings of every job below results/settings; files of jobs that are no more are removed.

    jobs: of a run that is just recorded; else those for which dvc.yaml was written, and `ConfigError` is raised where
    results/ holds the artifacts of another configuration.
    A file whose text stays the same is not touched. Raises `ConfigError` when dvc.yaml was written for other jobs.
    """
    files = configfiles_in_force(root)
    if jobs is None:
        refuse_other(files, root)
        jobs = workflow_jobs([root / file for file in files], root=root)
    jobs = list(jobs)
    outdated = [file for file, text in pipeline_texts(jobs, files).items() if _read(root / file) != text]
    if outdated:
        raise ConfigError(
            f"{', '.join(outdated)}: written for another configuration or another Snakefile (other artifacts, or other "
            f"inputs of one). Run `anonbench dvc-cells`."
        )
    texts = {settings_file(job): json.dumps(_readable(job.params), indent=1, sort_keys=True) + "\n" for job in jobs}
    for file in (root / SETTINGS).rglob("*.json"):
        if file.relative_to(root).as_posix() not in texts:
            file.unlink()
    for name, text in texts.items():
        if _read(root / name) != text:
            write_text(root / name, text)


def shows_people(job: Job) -> bool:
    """Whether a job's artifacts show real people whose faces nobody hid: they stay in this machine's cache.

    An anonymized copy is not among them, though its files without a detected face are the originals (docs/dvc.md).
    """
    return job.rule in UNPACKS or bool(job.params.get("warning"))


def _kept(path: str, shows_people: bool) -> str:
    """How DVC keeps an artifact. Keys of protected copies, too, are not uploaded: they would lie beside the copies."""
    return KEPT_HERE if shows_people or path.startswith(f"{KEYS}/") else KEPT


def _of_a_dataset(job: Job) -> bool:
    return "dataset" in job.wildcards


def _overlays(configfiles: Sequence[Path | str], root: Path) -> list[str]:
    overlays = []
    for file in configfiles:
        path = (root / file).resolve()
        if not path.is_relative_to(root.resolve()):
            raise ConfigError(
                f"{file}: outside {root}. DVC compares config files between commits: put it into config/."
            )
        if not path.is_file():
            raise ConfigError(f"{file}: there is no such file in {root}.")
        if path == (root / OPTIONS).resolve():
            raise ConfigError(f"{file}: what `--config` set. DVC needs it in a file below config/; run with that one.")
        overlays.append(path.relative_to(root.resolve()).as_posix())
    return [overlay for overlay in dict.fromkeys(overlays) if overlay not in DEFAULTS]


def _refuse_doubles(jobs: Sequence[Job]) -> None:
    named = Counter([PLAN, REPORT, *map(stage_name, jobs)])
    rules = {job.rule for job in jobs if _of_a_dataset(job)}
    for name, number in named.items():
        if number > 1 or name in rules:
            where = [job.outputs[0] for job in jobs if stage_name(job) == name]
            raise ConfigError(
                f"two stages of DVC would be named '{name}' ({', '.join(where)}): rename the dataset, model, "
                f"variant or table in the config."
            )
        if not re.fullmatch(r"[\w.-]+(@[\w.-]+)?", name):
            raise ConfigError(f"'{name}' cannot be the name of a stage of DVC: use letters, digits, '_', '-' and '.'.")


def _pipeline(groups: Mapping[str, Sequence[Job]], single: Sequence[Job], configfiles: Sequence[str]) -> str:
    lines = [HEADER.rstrip(), "stages:", *_plan(configfiles)]
    order = upstream_first([*single, *(job for jobs in groups.values() for job in jobs)])
    for rule in dict.fromkeys(job.rule for job in order if job.rule in groups):
        lines += _foreach(rule, groups[rule])
    for job in single:
        lines += _stage(job)
    needed = {path for job in order for path in job.inputs}
    ends = sorted(path for job in single for path in job.artifacts if path not in needed)
    lines += [f"  {REPORT}:", "    desc: every table, figure and page of the study", "    cmd: echo up to date"]
    lines += [f"    deps: [{', '.join(ends)}]", "metrics:"]
    tables = [path for job in single for path in job.artifacts if job.rule == "table" and path.endswith(".json")]
    return "\n".join([*lines, *(f"  - {path}" for path in tables)]) + "\n"


def _plan(configfiles: Sequence[str]) -> list[str]:
    return [
        f"  {PLAN}:",
        "    desc: the settings of every cell and the digest of its code; a cell is stale when its own file changes",
        "    cmd: anonbench dvc-settings",
        "    always_changed: true",
        "    params:",
        *(f"      - {file}:" for file in (*DEFAULTS, *configfiles)),
        "    outs:",
        f"      - {SETTINGS}: {KEPT}",
    ]


def _foreach(rule: str, jobs: Sequence[Job]) -> list[str]:
    """The `foreach` stage of a rule: a line a job with its wildcards and with those paths that do not follow from them.

    Jobs with fewer inputs than others name their last one again: DVC takes an input that is named twice for one.
    """
    slots = max(len(job.inputs) for job in jobs)
    inputs = [[*job.inputs, *job.inputs[-1:] * (slots - len(job.inputs))] for job in jobs]
    values = [list(job.wildcards.values()) for job in jobs]
    places = []
    for paths in zip(*([*read, *job.outputs] for read, job in zip(inputs, jobs, strict=True)), strict=True):
        place = _composed(paths, [list(job.wildcards.values()) for job in jobs])
        if place is None:
            place = f"${{item[{len(values[0])}]}}"
            for row, path in zip(values, paths, strict=True):
                row.append(path)
        places.append(place)
    lines = [f"  {rule}:", "    foreach:"]
    lines += [f"      {job.name}: [{', '.join(map(_text, row))}]" for job, row in zip(jobs, values, strict=True)]
    lines += ["    do:", f"      cmd: {RUN} {rule} -- {places[slots]}", "      deps:"]
    lines += [f"        - {path}" for path in (f"{SETTINGS}/{rule}/${{key}}.json", *places[:slots])]
    curves = {n for n, path in enumerate(jobs[0].outputs) if path.endswith(CURVE)}
    outs, shown = list(enumerate(places[slots:])), any(map(shows_people, jobs))
    lines += ["      outs:", *(f"        - {path}: {_kept(path, shown)}" for n, path in outs if n not in curves)]
    plots = [f"        - {path}: {{x: rank, y: cmc, title: CMC, persist: true}}" for n, path in outs if n in curves]
    return [*lines, "      plots:", *plots] if plots else lines


def _composed(paths: Sequence[str], values: Sequence[Sequence[str]]) -> str | None:
    """The template that gives every job its path from the values of its wildcards; None where there is none.

    >>> _composed(["m/bot/blur.npz", "m/pcb/zero.npz"], [["bot", "blur"], ["pcb", "zero"]])
    'm/${item[0]}/${item[1]}.npz'
    """

    def rest(at: tuple[int, ...]) -> str | None:
        if all(start == len(path) for start, path in zip(at, paths, strict=True)):
            return ""
        for n in range(len(values[0])):
            ends = tuple(start + len(row[n]) for start, row in zip(at, values, strict=True))
            here = zip(paths, at, ends, values, strict=True)
            if all(path[start:end] == row[n] and _is_word(path, start, end) for path, start, end, row in here):
                found = rest(ends)
                if found is not None:
                    return f"${{item[{n}]}}{found}"
        letters = {path[start : start + 1] for start, path in zip(at, paths, strict=True)}
        if len(letters) != 1 or letters == {""}:
            return None
        found = rest(tuple(start + 1 for start in at))
        return None if found is None else letters.pop() + found

    return rest((0,) * len(paths))


def _is_word(path: str, start: int, end: int) -> bool:
    """Whether a part of a path is a name and no part of a longer one."""
    return path[start - 1 : start] in ("", "/", "-") and path[end : end + 1] in ("", "/", "-", ".")


@functools.cache
def _text(value: str) -> str:
    """A text as YAML, in quotes where it would be read as something else."""
    return value if yaml.safe_load(value) == value and "," not in value else json.dumps(value)


def _stage(job: Job) -> list[str]:
    lines = [f"  {stage_name(job)}:", f"    cmd: {RUN} {job.rule} -- {job.outputs[0]}"]
    # Lists on one line: those of a whole study are long, and what one looks for in this file are the rules.
    shown = shows_people(job)
    deps = ", ".join([settings_file(job), *job.inputs])
    outs = ", ".join(f"{path}: {_kept(path, shown)}" for path in job.outputs)
    return [*lines, f"    deps: [{deps}]", f"    outs: [{outs}]"]


def _readable(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with those that are JSON taken apart, so that a difference shows the key."""
    found = {}
    for name, value in params.items():
        if isinstance(value, str) and value[:1] in "{[" and value:
            value = json.loads(value)
        found[name] = value
    return found


def _read(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.is_file() else None
