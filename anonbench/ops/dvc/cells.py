"""DVC's pipeline, written from Snakemake's own graph: dvc.yaml, its cells, and the configuration in force.

One stage per job. Rules about a dataset are `foreach` stages over workflow/cells.yaml (`train@market1501-…-seed0`);
those about the whole study, which read lists of different lengths, are stages of their own, named like their file
(`table3`, `ttest`): DVC cannot put a list into a template.

The settings of a job (its parameters and the digest of its code) stand in a file of its own below results/settings,
on which its stage depends. The stage `plan` writes these files whenever the configuration or any code has changed, so
that DVC sees the same changes as Snakemake: the edited parameter, but no edited comment.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from anonbench.config import DEFAULTS
from anonbench.core.errors import ConfigError
from anonbench.core.files import write_text
from anonbench.ops.dag import Job, workflow_jobs

PIPELINE = "dvc.yaml"
CELLS = "workflow/cells.yaml"
PROFILE = "workflow/profiles/dvc"
SETTINGS = "results/settings"
CODE = ("Snakefile", "anonbench", "workflow/rules", "workflow/schemas")
PLAN, REPORT = "plan", "report"
RUN = f"snakemake --profile {PROFILE} --force --allowed-rules"
HEADER = (
    "# Written by `anonbench dvc-cells` from Snakemake's graph (docs/dvc.md): change the Snakefile or the config.\n"
)
CURVE = ".cmc.csv"


def stage_name(job: Job) -> str:
    """The name of a job's stage in DVC: evaluate@market1501-bot-original-blur-seed0, table3, ttest, cmc_table3."""
    return f"{job.rule}@{job.name}" if _of_a_dataset(job) else Path(job.artifacts[0]).stem


def settings_file(job: Job) -> str:
    """Where the parameters of a job stand."""
    return f"{SETTINGS}/{job.rule}/{job.name or job.rule}.json"


def write_pipeline(configfiles: Sequence[Path | str], root: Path) -> list[Job]:
    """Write dvc.yaml, the cells and the profile with which the stages call Snakemake; returns the jobs.

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
    """File -> its text, for the three files that `write_pipeline` writes."""
    _refuse_doubles(jobs)
    groups: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        groups[job.rule if _of_a_dataset(job) else ""].append(job)
    single = sorted(groups.pop("", []), key=stage_name)
    cells = {rule: {job.name: _cell(job, _slots(several)) for job in several} for rule, several in groups.items()}
    # config/default.yaml is not named: laid over itself it would put keys into another order, and jobs would run again.
    overlays = {"configfile": list(configfiles)} if configfiles else {}
    profile = {**overlays, "cores": "all", "quiet": ["host", "rules", "progress"]}
    return {
        PIPELINE: _pipeline(groups, single, configfiles),
        CELLS: HEADER + yaml.dump(cells, sort_keys=False, width=1000, Dumper=_Plain),
        f"{PROFILE}/config.yaml": HEADER + yaml.safe_dump(profile, sort_keys=False),
    }


def configfiles_in_force(root: Path) -> list[str]:
    """The config files over config/default.yaml for which dvc.yaml was written."""
    file = root / PROFILE / "config.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8")).get("configfile", []) if file.is_file() else []


def write_settings(root: Path, jobs: Iterable[Job] | None = None) -> None:
    """Write the settings of every job below results/settings; files of jobs that are no more are removed.

    A file whose text stays the same is not touched. Raises `ConfigError` when dvc.yaml was written for other jobs.
    """
    files = configfiles_in_force(root)
    jobs = workflow_jobs([root / file for file in files], root=root) if jobs is None else list(jobs)
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


def _slots(jobs: Sequence[Job]) -> int:
    """How many inputs a rule's template lists."""
    return max(len(job.inputs) for job in jobs)


def _cell(job: Job, slots: int) -> dict[str, Any]:
    # A template has a fixed number of places; DVC takes an input that is named twice for one.
    inputs = [*job.inputs, *job.inputs[-1:] * (slots - len(job.inputs))]
    return {"in": inputs, "out": list(job.outputs)}


def _pipeline(groups: Mapping[str, Sequence[Job]], single: Sequence[Job], configfiles: Sequence[str]) -> str:
    lines = [HEADER.rstrip(), "vars:", f"  - {CELLS}", "stages:", *_plan(configfiles)]
    for rule, jobs in sorted(groups.items(), key=lambda group: _depth(group[1])):
        lines += _template(rule, _slots(jobs), jobs[0].outputs)
    for job in single:
        lines += _stage(job)
    needed = {path for jobs in (single, *groups.values()) for job in jobs for path in job.inputs}
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
        *_items("deps", CODE),
        "    params:",
        *(f"      - {file}:" for file in (*DEFAULTS, *configfiles)),
        *_items("outs", [SETTINGS]),
    ]


def _template(rule: str, slots: int, outputs: Sequence[str]) -> list[str]:
    """The `foreach` stage of a rule."""
    curves = [n for n, path in enumerate(outputs) if path.endswith(CURVE)]
    lines = [f"  {rule}:", f"    foreach: ${{{rule}}}", "    do:", f"      cmd: {RUN} {rule} -- ${{item.out[0]}}"]
    inputs = [f"${{item.in[{n}]}}" for n in range(slots)]
    lines += _items("deps", [f"{SETTINGS}/{rule}/${{key}}.json", *inputs], indent=6)
    lines += _items("outs", [f"${{item.out[{n}]}}" for n in range(len(outputs)) if n not in curves], indent=6)
    if curves:
        lines += ["      plots:", f"        - ${{item.out[{curves[0]}]}}: {{x: rank, y: cmc, title: CMC}}"]
    return lines


def _stage(job: Job) -> list[str]:
    lines = [f"  {stage_name(job)}:", f"    cmd: {RUN} {job.rule} -- {job.outputs[0]}"]
    # Lists on one line: those of a whole study are long, and what one looks for in this file are the rules.
    deps, outs = (", ".join(paths) for paths in ([settings_file(job), *job.inputs], job.outputs))
    return [*lines, f"    deps: [{deps}]", f"    outs: [{outs}]"]


def _items(key: str, values: Iterable[str], indent: int = 4) -> list[str]:
    return [f"{' ' * indent}{key}:", *(f"{' ' * indent}  - {value}" for value in values)]


def _depth(jobs: Sequence[Job]) -> tuple[int, str]:
    """Where a rule about a dataset stands in the chain, for a reader of dvc.yaml."""
    order = ("render", "unpack", "index", "detect", "anonymize", "train", "embed", "evaluate")
    rule = jobs[0].rule
    return order.index(rule) if rule in order else len(order), rule


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


class _Plain(yaml.SafeDumper):
    """Lists on one line, no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_sequence(
        self, tag: str, sequence: Iterable[Any], flow_style: bool | None = None
    ) -> yaml.SequenceNode:
        return super().represent_sequence(tag, sequence, flow_style=True)
