"""What a plan of jobs will cost: hours and gigabytes, from measured rates, before anything runs.

An estimate, not a promise: every size and rate that is assumed is named in the text. Rates are rows of
`benchmarks/rates.csv`; trainings that have been finished on this machine replace them.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from anonbench.ops.costs.estimate import Estimator, Work

LINE_WIDTH = 118
TRAININGS = ("train", "train_base", "train_anonymizer", "train_restoration", "train_inpainter", "train_instances")
PREDICTIONS = "predictions"  # of networks of instances, which not every study has
KINDS = {
    **dict.fromkeys(TRAININGS, "models"),
    "embed": "features",
    "predict_instances": PREDICTIONS,
}  # what a rule writes below results/; else images


@dataclass(frozen=True)
class PlannedJob:
    """A job that would run: its rule and its wildcards."""

    rule: str
    wildcards: Mapping[str, str]


@dataclass(frozen=True)
class Cost:
    """What one job needs: seconds of one GPU or of one core (alternatives where both are there), and bytes."""

    dataset: str
    rule: str
    gpu_s: float = 0.0
    cpu_s: float = 0.0
    size_bytes: float = 0.0


@dataclass
class Plan:
    """The jobs and costs of a dry run, and what a reader must know to judge the numbers.

    untrained: networks that are built and not trained.
    trainings: dataset -> how many.
    sizes: dataset -> where its number of images comes from.
    finished: "dataset model" -> trainings on this machine that its time comes from.
    assumed: what -> for whom it was borrowed from others.
    without_gpu: the config leaves the device open, and this machine has no GPU.
    """

    jobs: int = 0
    untrained: int = 0
    trainings: Counter[str] = field(default_factory=Counter)
    costs: list[Cost] = field(default_factory=list)
    sizes: dict[str, str] = field(default_factory=dict)
    finished: dict[str, int] = field(default_factory=dict)
    assumed: dict[str, set[str]] = field(default_factory=dict)
    unrated: Counter[str] = field(default_factory=Counter)
    without_gpu: bool = False


def estimate(jobs: Sequence[PlannedJob], estimator: Estimator, on_gpu: bool | None = None) -> Plan:
    """The cost of the jobs of a dry run, on the device that they will take.

    on_gpu: whether networks take a GPU where the config's `device` is auto. None: not known, both are given.

    Jobs whose rule has no row in the rates count as jobs alone. Raises `FileNotFoundError` without a file of rates.
    """
    estimator.rates_file.stat()
    plan = Plan(jobs=len(jobs), without_gpu=estimator.config["device"] == "auto" and on_gpu is False)
    for job in jobs:
        work = estimator.work(job.rule, job.wildcards)
        plan.untrained += work.rule == "build"
        if work.rule in TRAININGS:
            plan.trainings[job.wildcards["dataset"]] += 1
        if estimator.is_listed(work):
            plan.costs.append(_cost(job, work, estimator, plan, on_gpu))
        elif work.rule in TRAININGS:
            plan.unrated[work.rule] += 1
    return plan


def _cost(job: PlannedJob, work: Work, estimator: Estimator, plan: Plan, on_gpu: bool | None) -> Cost:
    """What a job needs; what that was borrowed from goes into the plan."""
    dataset, device = job.wildcards.get("dataset", ""), estimator.config["device"]
    if device == "auto" and on_gpu is not None:
        device = "cuda" if on_gpu else "cpu"
    if dataset:
        plan.sizes[dataset] = estimator.size(dataset).source
    gpu_s, cpu_s = estimator.image_seconds(work, gpu=True), estimator.image_seconds(work) or 0.0
    here = estimator.finished.get((dataset, work.name)) if work.rule == "train" else None
    if here:
        plan.finished[f"{dataset} {work.name}"] = len(here)
        gpu_s = cpu_s = estimator.estimate(job.rule, job.wildcards).seconds
    for quantity, what in (("images_per_s", f"speed of {work.rule}"), ("output_kb", f"size of {work.rule}'s files")):
        rate = estimator.rate(work, quantity)
        if rate and rate.method not in (work.method, ""):
            plan.assumed.setdefault(what, set()).add(work.name)
    size_kb = estimator.output_kb(work) * (1 if job.rule in TRAININGS else work.images)
    gpu, cpu = device != "cpu" and gpu_s is not None, device != "cuda" or gpu_s is None
    return Cost(dataset, job.rule, (gpu_s or 0.0) * gpu, cpu_s * cpu, size_kb * 1e3)


# --- in words ---


def describe(plan: Plan) -> str:
    """The plan as a block of text."""
    untrained = f" (and {_count(plan.untrained, 'network')} left untrained)" if plan.untrained else ""
    lines = [f"Plan: {_count(plan.jobs, 'job')}, {_count(plan.trainings.total(), 'training')}{untrained}"]
    lines += [_fold(line) for line in (_hours(plan.costs), _gigabytes(plan.costs)) if line]
    lines += _by_dataset(plan)
    lines += [_fold(line) for line in _grounds(plan)]
    return "\n".join(lines)


def missing_gpus(jobs: Iterable[tuple[str, int]], here: int) -> str:
    """What is wrong where jobs ask for GPUs that this machine does not have; "" where nothing is.

    jobs: (rule, GPUs) of each job that would run.
    here: GPUs of this machine.
    """
    asking = Counter(rule for rule, gpus in jobs if gpus > here)
    if not asking:
        return ""
    wanted = ", ".join(f"{_count(number, 'job')} `{rule}`" for rule, number in sorted(asking.items()))
    if here:
        return (
            f"this machine has {_count(here, 'GPU')}, and {wanted} ask for more. Lower `gpus:` of the models, or run "
            f"it where there are more (`nvidia-smi -L` and CUDA_VISIBLE_DEVICES tell)."
        )
    return (
        f"device is 'cuda', and this machine shows no GPU, which {wanted} would take. Write `device: auto` or "
        f"`device: cpu` in a config file of yours (`--config device=cpu`), or check `nvidia-smi`, CUDA_VISIBLE_DEVICES "
        f"and that `python -c 'import torch; print(torch.version.cuda)'` prints a version. On a cluster: "
        f"`--profile workflow/profiles/slurm` (docs/cluster.md)."
    )


def in_plan(text: str) -> str:
    """What stops a real run, as a line of the plan."""
    return _fold(f"A real run stops before its first job: {text}")


def describe_missing(folders: Mapping[str, str]) -> str:
    """What to do about datasets that are not there.

    folders: name -> configured root.
    """
    names = ", ".join(f"{name} ({folder})" for name, folder in sorted(folders.items()))
    return "\n".join(
        [
            _fold(f"not there yet: {names}"),
            "  A real run stops before its first job: put or link them there, or change `root:` in the config.",
            "  Layouts, and where to request the data: docs/datasets.md",
        ]
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _fold(line: str) -> str:
    return textwrap.fill(line, LINE_WIDTH, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False)


def _hours(costs: Iterable[Cost]) -> str:
    """Networks on GPUs or on CPUs, and what runs on CPUs alone."""
    gpu, cpu, rest = dict.fromkeys(KINDS, 0.0), dict.fromkeys(KINDS, 0.0), 0.0
    for cost in costs:
        if cost.rule in KINDS:
            gpu[cost.rule] += cost.gpu_s
            cpu[cost.rule] += cost.cpu_s
        else:
            rest += cost.cpu_s
    parts = [f"about {_time(sum(gpu.values()), 'GPU')} ({_split(gpu)})"] if any(gpu.values()) else []
    if any(cpu.values()):
        parts.append(f"{'or ' if parts else ''}about {_time(sum(cpu.values()), 'core')} on CPUs ({_split(cpu)})")
    text = ", ".join(parts)
    return text + f"{'; ' if text else ''}{_time(rest, 'core')} for everything else" if rest else text


def _split(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{rule} {_time(value)}" for rule, value in sorted(seconds.items(), reverse=True) if value)


def _gigabytes(costs: Iterable[Cost]) -> str:
    kinds = dict.fromkeys((*KINDS.values(), "images"), 0.0)
    for cost in costs:
        kinds[KINDS.get(cost.rule, "images")] += cost.size_bytes
    parts = ", ".join(f"{kind} {_gb(size)}" for kind, size in kinds.items() if size or kind != PREDICTIONS)
    return f"about {_gb(sum(kinds.values()))} GB below results/ ({parts})" if sum(kinds.values()) else ""


def _by_dataset(plan: Plan) -> list[str]:
    if len(plan.sizes) < 2:
        return []
    key, unit = ("gpu_s", "GPU") if any(cost.gpu_s for cost in plan.costs) else ("cpu_s", "core")
    width = max(map(len, plan.sizes))
    lines = []
    for dataset in sorted(plan.sizes):
        costs = [cost for cost in plan.costs if cost.dataset == dataset]
        hours = _time(sum(getattr(cost, key) for cost in costs if cost.rule in KINDS), unit)
        size = _gb(sum(cost.size_bytes for cost in costs))
        lines.append(f"    {dataset:{width}}  {plan.trainings[dataset]:3d} trainings  {hours:>16}  {size:>5} GB")
    return lines


def _grounds(plan: Plan) -> list[str]:
    """What the numbers depend on."""
    lines = []
    by_source: dict[str, list[str]] = {}
    for dataset, source in sorted(plan.sizes.items()):
        by_source.setdefault(source, []).append(dataset)
    if by_source:
        lines.append("images " + "; ".join(f"{source}: {', '.join(names)}" for source, names in by_source.items()))
    if plan.without_gpu:
        lines.append(
            "this machine shows no GPU: networks run on CPUs (`--config device=cuda` plans for GPUs elsewhere)"
        )
    if plan.finished:
        cells = ", ".join(f"{name} ({n})" for name, n in plan.finished.items())
        lines.append(f"time from {sum(plan.finished.values())} finished trainings here, in every total: {cells}")
    if any(cost.gpu_s or cost.cpu_s for cost in plan.costs):
        scaled = "; those of GPUs are scaled from one published figure" if any(c.gpu_s for c in plan.costs) else ""
        lines.append(f"rates from benchmarks/rates.csv, which names their sources{scaled}")
    if plan.assumed:
        parts = (f"{what} [{', '.join(sorted(names))}]" for what, names in sorted(plan.assumed.items()))
        lines.append(f"assumed as the most expensive method known: {', '.join(parts)}")
    if plan.unrated:
        rules = ", ".join(f"{rule} {number}" for rule, number in sorted(plan.unrated.items()))
        lines.append(
            f"NOT COUNTED, since benchmarks/rates.csv has no row of them: {_count(plan.unrated.total(), 'training')} "
            f"({rules}). They may take longer than everything above"
        )
    return [*lines, "not counted: tables, figures, the start of each job"] if lines else lines


def _time(seconds: float, unit: str = "") -> str:
    """Hours or minutes: `44 GPU-hours`, `12 core-minutes`, `1.5 h`, `3 min`."""
    hours = seconds >= 3600
    value = seconds / (3600 if hours else 60)
    number = f"{value:,.0f}" if value >= 9.5 else f"{value:.1f}" if value >= 0.05 else "<0.1" if value else "0"
    if unit:
        return f"{number} {unit}-{'hours' if hours else 'minutes'}"
    return f"{number} {'h' if hours else 'min'}"


def _gb(size_bytes: float) -> str:
    size = size_bytes / 1e9
    return f"{size:,.0f}" if size >= 99.5 else f"{size:.1f}" if size >= 0.095 else f"{size:.2f}"
