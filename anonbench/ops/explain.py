"""Where a table cell comes from: its value, every artifact it depends on down to the raw images, what rebuilds it."""

from __future__ import annotations

import csv
import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anonbench.config import read_config
from anonbench.core.errors import ConfigError, DataError, nearest
from anonbench.data import paths
from anonbench.data.paths import DEFAULT_CONFIG
from anonbench.data.pictures import read_manifest
from anonbench.data.regions import read_regions
from anonbench.data.results import read_metrics
from anonbench.data.tables import read_csv
from anonbench.data.variants import ORIGINAL
from anonbench.ops.dag import SNAKEFILE, Job, workflow_jobs
from anonbench.ops.dvc.cells import stage_name
from anonbench.ops.verify import Finding, Verifier, asked_settings
from anonbench.report.cells import Cell, number
from anonbench.report.layout import STANDARD_ERROR
from anonbench.stages.anonymize import plan_regions
from anonbench.studies.kinds import Source, kind_of
from anonbench.tasks.reid.columns import QUERY_COLUMNS

WIDTH = 116
METRICS = {"map": "mAP", "rank1": "rank-1", "rank5": "rank-5", "minp": "mINP"}
# Printed apart from the settings, or said by the names of the files.
NAMES = (
    "labels", "label", "name", "roles", "plugins", "seed", "split", "spec.models", "spec.dataset", "spec.variants",
    "spec.rows", "spec.published", "spec.render",
)  # fmt: skip
NO_BREAK = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class CellAddress:
    """A cell of a table: which condition, by which metric.

    key: the columns of the table that name its row.
    """

    table: str
    row: str
    column: str
    source: Source
    key: tuple[str, ...] = ()

    def as_map(self) -> dict[str, Any]:
        """For machines: the labels of the condition beside the cell's place."""
        place = {"table": self.table, "row": self.row, "column": self.column}
        return {**place, **self.source.condition.labels, "metric": self.source.metric, "key": self.key}


@dataclass(frozen=True, slots=True)
class Step:
    """One job of a cell's chain.

    depth: jobs between it and the table.
    sources: the jobs it reads from, and raw data.
    settings: those it was made with, or, where there is no stamp, those it would be made with.
    """

    job: str
    depth: int
    artifacts: tuple[Finding, ...]
    sha256: Mapping[str, str | None]
    settings: Mapping[str, Any]
    runs: Mapping[str, int]
    code: str | None
    device: str | None
    seconds: float | None
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueryScore:
    """What one query scored in one run of a cell.

    ap: 0..1.
    found: regions that were detected in it.
    hidden: boxes x0, y0, x1, y1 in pixels, with scores.
    """

    run: str
    path: str
    pid: int
    camid: int
    matches: int
    first_match_rank: int | None
    ap: float | None
    excluded_because: str
    detections: str | None
    found: int
    hidden: tuple[tuple[int, int, int, int, float], ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A cell's value (percent, as the table prints it; None when it is not there), its runs, its chain, commands."""

    address: CellAddress
    value: float | None
    standard_error: float | None
    runs: Mapping[str, float | None]
    steps: tuple[Step, ...]
    queries: tuple[QueryScore, ...]
    commands: tuple[tuple[str, str], ...]


def explain(
    table: str,
    row: str,
    column: str,
    configfiles: Sequence[Path] = (),
    query: str | None = None,
    root: Path | None = None,
) -> Explanation:
    """Explain one cell of a table with a row a model or a row an anonymizer.

    configfiles: laid over config/default.yaml.
    query: path of a query image, to see what it scored.
    Raises `ConfigError` for a table, row or column that is not there, `DataError` for such a query.
    """
    folder = root or Path.cwd()
    if not (folder / SNAKEFILE).is_file():
        raise ConfigError(f"{folder}: there is no {SNAKEFILE} here. Run this in the folder of the workflow.")
    config = read_config(configfiles, folder)
    try:
        address = find_cell(config, table, row, column)
    except ConfigError as unknown:
        used = " + ".join(map(str, configfiles)) or DEFAULT_CONFIG
        raise ConfigError(f"{unknown}. (Configuration: {used}; another is named with --configfile.)") from unknown
    target = paths.table(address.table)
    verifier = Verifier(workflow_jobs(configfiles, [target], folder), folder)
    top = verifier.producers[target]
    evaluations = cell_evaluations(verifier, top, address)
    value, error = read_cell(folder / target, address)
    return Explanation(
        address, value, error,
        {run_name(job): read_run(folder / job.artifacts[0], address.source.metric) for job in evaluations},
        tuple(chain(verifier, top, evaluations)),
        tuple(query_score(verifier, job, address, query) for job in evaluations) if query else (),
        tuple(commands(target, evaluations, configfiles)),
    )  # fmt: skip


def find_cell(config: Mapping[str, Any], table: str, row: str, column: str) -> CellAddress:
    """The cell that is meant. Case and punctuation of rows and columns do not matter (`BoT`, `mAP anon-anon`).

    Raises `ConfigError` naming the known tables, rows or columns.
    """
    entries: Mapping[str, Mapping[str, Any]] = config["tables"]
    name = _match(Path(table).stem, entries)
    if name is None:
        raise ConfigError(f"there is no table '{table}': {nearest(table.lower(), entries)}")
    kind = kind_of(entries[name])
    cells = kind.cells(config, entries[name])
    if not cells:
        others = [other for other, entry in entries.items() if kind_of(entry).cells(config, entry)]
        raise ConfigError(
            f"{name} {kind.whole}: no cell of it is one model in one setting, so there is no single chain to show. "
            f"Cells of {', '.join(others)} can be explained; for {name} as a whole: anonbench verify "
            f"{paths.table(name)}"
        )
    found = _match(row, cells)
    if found is None:
        raise ConfigError(f"{name} has no row '{row}': {nearest(row.lower(), cells)}")
    where = _match(column, cells[found])
    if where is None:
        raise ConfigError(
            f"{name} has no column '{column}' that holds a metric: {nearest(column.lower(), cells[found])}"
        )
    return CellAddress(name, found, where, cells[found][where], tuple(kind.key))


def cell_evaluations(verifier: Verifier, top: Job, address: CellAddress) -> list[Job]:
    """The evaluations that the cell is the mean of, one a run."""
    file = address.source.file
    return [job for job in verifier.upstream(top) if file(job.wildcards.get("run", "")) in job.outputs]


def read_cell(path: Path, address: CellAddress) -> tuple[float | None, float | None]:
    """Value and standard error as the table holds them; None for what is not there."""
    if not path.is_file():
        return None, None
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if address.row == ", ".join(row.get(column) or "" for column in address.key):
                found = [row.get(address.column), row.get(f"{address.column}{STANDARD_ERROR}")]
                value, error = (float(text) if text else None for text in found)
                return value, error
    return None, None


def read_run(path: Path, metric: str) -> float | None:
    """One run's metric in percent; None when it has not been evaluated."""
    if not path.is_file():
        return None
    metrics = read_metrics(path)
    try:
        return 100 * number(metrics, metric)
    except DataError as error:
        raise DataError(f"{path}: not a metrics file ({error}). Delete it and evaluate again.") from error


def run_name(job: Job) -> str:
    """`split 3, seed 0`"""
    return ", ".join(f"{name} {number}" for name, number in _runs(job).items())


def chain(verifier: Verifier, top: Job, evaluations: Sequence[Job]) -> list[Step]:
    """The jobs that a cell depends on, the table first, each once, at the depth where it is first needed."""
    steps: dict[str, Step] = {}

    def visit(job: Job, depth: int, sources: Sequence[Job]) -> None:
        if job.outputs[0] in steps:
            return
        steps[job.outputs[0]] = _step(verifier, job, depth, sources)
        for source in sources:
            visit(source, depth + 1, verifier.upstream(source))

    visit(top, 0, evaluations)
    return list(steps.values())


def query_score(verifier: Verifier, job: Job, address: CellAddress, query: str) -> QueryScore:
    """What a query scored in one run, and which boxes of it the tested variant hides.

    query: the image's path as manifests have it, or any path that ends with it.
    """
    results = next((verifier.root / path for path in job.artifacts if path.endswith(".queries.csv")), None)
    if results is None:
        raise ConfigError(f"{address.table} has no queries: its metrics are of whole pictures. Leave out --query.")
    rows = {row["path"]: row for _, row in read_csv(results, QUERY_COLUMNS)}
    path = next((p for p in rows if query == p or query.endswith(f"/{p}")), None)
    if path is None:
        few = [p for p in rows if Path(p).name == Path(query).name] or list(rows)[:3]
        raise DataError(
            f"{results}: has no query '{query}'; expected a path as in the manifest, such as {', '.join(few)}."
        )
    row = rows[path]
    detections, found, hidden = hidden_boxes(verifier, address, path)
    return QueryScore(
        run_name(job), path, int(row["pid"]), int(row["camid"]), int(row["matches"]),
        int(row["first_match_rank"]) if row["first_match_rank"] else None, float(row["ap"]) if row["ap"] else None,
        row["excluded_because"], detections, found, hidden,
    )  # fmt: skip


def hidden_boxes(
    verifier: Verifier, address: CellAddress, path: str
) -> tuple[str | None, int, tuple[tuple[int, int, int, int, float], ...]]:
    """The detections of the queries' variant, how many are of an image, and the boxes that it hides, with scores."""
    labels = address.source.condition.labels
    if labels["query"] == ORIGINAL:
        return None, 0, ()
    wanted = {"dataset": labels["dataset"], "variant": labels["query"]}
    job = next((j for j in verifier.jobs if j.rule == "anonymize" and dict(j.wildcards) == wanted), None)
    if job is None:  # a variant that hides whole pictures
        return None, 0, ()
    manifest, detections = (
        next(p for p in job.inputs if p.startswith(f"{paths.RESULTS}/{kind}/")) for kind in ("manifests", "detections")
    )
    images = read_manifest(verifier.root / manifest)
    regions = read_regions(verifier.root / detections)
    spec = asked_settings(job)["spec"]
    plans = plan_regions(images, regions, spec)
    plan = next(plan for image, plan in zip(images, plans, strict=True) if image.path == path)
    hidden = [] if spec.get("control") == "none" else plan.hidden
    return detections, len(plan.found), tuple((*region.pixels, region.score) for region in hidden)


def commands(target: str, evaluations: Sequence[Job], configfiles: Sequence[Path]) -> list[tuple[str, str]]:
    """What to type: (what it does, command)."""
    overlays = "".join(f" {file}" for file in configfiles)
    config = f" --configfile{overlays}" if overlays else ""
    metrics = " ".join(job.artifacts[0] for job in evaluations)
    stages = " ".join(map(stage_name, evaluations))
    return [
        ("rebuild what is missing or out of date of this cell", f"snakemake --cores all {metrics}{config}"),
        ("of its table", f"snakemake --cores all {target}{config}"),
        ("the same by DVC, with the overlays that dvc.yaml was written for", f"dvc repro {stages}"),
        ("fetch the cell's results without computing", f"dvc pull {stages}"),
    ]


def as_text(found: Explanation) -> str:
    """For readers: the value, the chain, the commands."""
    parts = [_heading(found), *(_query_text(score) for score in found.queries), "What it depends on:"]
    parts += [_step_text(step) for step in found.steps]
    parts += ["\n".join(f"# {what}\n{command}" for what, command in found.commands)]
    return "\n\n".join(parts)


def as_json(found: Explanation) -> str:
    """For machines: the fields of `Explanation`."""
    return json.dumps({**asdict(found), "address": found.address.as_map()}, indent=1, ensure_ascii=False)


def _step(verifier: Verifier, job: Job, depth: int, sources: Sequence[Job]) -> Step:
    stamp = verifier.stamp(job)
    made = {path for source in verifier.upstream(job) for path in source.artifacts}
    raw = [path for path in job.inputs if path not in made and not (verifier.root / path).is_file()]
    settings = stamp.settings if stamp else asked_settings(job)
    return Step(
        job=stage_name(job),
        depth=depth,
        artifacts=tuple(verifier.finding(job, path) for path in job.artifacts),
        sha256={path: verifier.sha256(path) for path in job.artifacts},
        settings={k: v for k, v in _flat(settings).items() if not _is_said(k)},
        runs=_runs(job),
        code=stamp.code if stamp else None,
        device=stamp.machine.get("device") if stamp else None,
        seconds=stamp.seconds if stamp else None,
        sources=(*map(stage_name, sources), *raw),
    )


def _heading(found: Explanation) -> str:
    a = found.address
    shown = "not built yet" if found.value is None else f"{found.value} %"
    if found.standard_error is not None:
        shown += f" ± {found.standard_error} (standard error)"
    lines = [f"{a.table}, row {a.row}, column {a.column}: {shown}"]
    c, metric = a.source.condition, a.source.words or METRICS.get(a.source.metric, a.source.metric)
    lines.append(f"  {metric} of {c.model} on {c.dataset}, trained on {c.train}, tested on {c.tested}")
    lines += [
        f"  {run}: " + ("not evaluated yet" if value is None else f"{value:.2f} %") for run, value in found.runs.items()
    ]
    known = [value for value in found.runs.values() if value is not None]
    if found.value is not None and known:
        mean = Cell({(None, n): value for n, value in enumerate(known)}).mean
        if len(known) == len(found.runs) and mean != found.value:
            lines.append(f"  The mean of these runs is {mean} %: the table is older than they are. Build it again.")
    return "\n".join(lines)


def _query_text(score: QueryScore) -> str:
    result = (
        f"left out: {score.excluded_because}"
        if score.ap is None
        else f"AP {100 * score.ap:.1f} %, first of {score.matches} matches at rank {score.first_match_rank}"
    )
    lines = [f"Query {score.path} (person {score.pid}, camera {score.camid}), {score.run}: {result}"]
    if score.detections is None:
        lines.append("  Nothing is hidden in it: this cell is tested on the originals.")
    elif not score.hidden and score.found:
        lines.append(f"  Nothing is hidden in it: its variant leaves all {score.found} faces visible on purpose.")
    elif not score.hidden:
        lines.append(f"  Nothing is hidden in it: {score.detections} has no face in it.")
    for x0, y0, x1, y1, certainty in score.hidden:
        lines.append(f"  hidden: columns {x0} to {x1 - 1}, rows {y0} to {y1 - 1} (score {certainty:.2f})")
    return "\n".join(lines)


def _step_text(step: Step) -> str:
    margin = "  " * step.depth
    lines = [f"{margin}{step.job}"]
    for finding in step.artifacts:
        digest = (step.sha256[finding.path] or "-")[:12]
        lines.append(f"{margin}  {digest:12}  {finding.verdict:8}  {finding.path}")
    for reason in dict.fromkeys(reason for finding in step.artifacts for reason in finding.reasons):
        lines.append(f"{margin}    {reason}")
    facts = [f"{name} {number}" for name, number in step.runs.items()]
    facts += [f"code {step.code}"] if step.code else ["no stamp: settings as they would be now"]
    facts += [f"{step.seconds:g} s on {step.device}"] if step.seconds is not None else []
    lines.append(f"{margin}  {', '.join(facts)}")
    settings = [f"{name.removeprefix('spec.')} {_plain(value)}" for name, value in step.settings.items()]
    lines += _wrapped(margin, settings)
    lines += _wrapped(margin, [f"from {step.sources[0]}", *step.sources[1:]] if step.sources else [])
    return "\n".join(lines)


def _wrapped(margin: str, phrases: Iterable[str]) -> list[str]:
    """Phrases with commas between them, in lines that end after one."""
    text = ", ".join(phrase.replace(" ", NO_BREAK) for phrase in phrases)
    lines = textwrap.wrap(
        text, WIDTH, initial_indent=f"{margin}  ", subsequent_indent=f"{margin}    ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [line.replace(NO_BREAK, " ") for line in lines]


def _is_said(setting: str) -> bool:
    """Whether a setting (dotted name) is printed elsewhere, itself or what it belongs to."""
    return any(setting == name or setting.startswith(f"{name}.") for name in NAMES)


def _runs(job: Job) -> dict[str, int]:
    """`split3-seed0` -> {"split": 3, "seed": 0}; empty for what is made once for all runs."""
    run = job.wildcards.get("run", "")
    return {name: int(number) for name, number in re.findall(r"([a-z]+)(\d+)", run)}


def _flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested maps by dotted names."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= _flat(value, f"{above}{name}.") if isinstance(value, Mapping) and value else {f"{above}{name}": value}
    return flat


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _match(word: str, known: Iterable[str]) -> str | None:
    """The known name that `word` means, whatever its case and punctuation."""
    names = list(known)
    if word in names:
        return word
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in names}
    return plain.get(re.sub(r"[^a-z0-9]", "", word.lower()))
