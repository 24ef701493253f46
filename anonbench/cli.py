"""The command line: every rule of the workflow is one command with paths in and paths out.

Commands print a message and exit with status 2 when the user can mend what is wrong (`AnonbenchError`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from anonbench import __version__
from anonbench.core.errors import AnonbenchError
from anonbench.core.parallel import THREAD_SETTINGS

# Stages are imported by the functions below: `anonbench detect` need not wait for torch.


def _render(a: argparse.Namespace) -> None:
    from anonbench.stages.render import render

    render(a.spec, a.output, a.threads)


def _render_faces(a: argparse.Namespace) -> None:
    from anonbench.stages.render_faces import render_faces

    render_faces(a.spec, a.output, a.threads)


def _unpack(a: argparse.Namespace) -> None:
    from anonbench.stages.unpack import unpack

    unpack(a.root, a.output, a.boxes, a.threads)


def _index(a: argparse.Namespace) -> None:
    from anonbench.stages.index import index

    index(a.root, a.spec, a.output, a.dropped, a.sidecars, a.splits, a.threads, a.plugins)


def _index_faces(a: argparse.Namespace) -> None:
    from anonbench.stages.index_faces import index_faces

    index_faces(a.root, a.output, a.threads)


def _detect(a: argparse.Namespace) -> None:
    if a.device == "cpu":
        from anonbench.core.gpus import VISIBLE

        os.environ[VISIBLE] = "-1"
    elif a.device:
        _claim_gpus(a)
    from anonbench.stages.detect import detect

    code = _code_of(a, "anonbench.stages.detect", "DETECTORS")
    detect(a.manifest, a.root, a.spec, a.output, a.threads, a.plugins, a.resume_dir, code)


def _detect_eval(a: argparse.Namespace) -> None:
    from anonbench.stages.detect_eval import detect_eval

    detect_eval(
        a.detections, a.truth, a.output, a.groups, a.curve, a.labels, a.heights, a.iou, a.confidence, a.figure, a.png
    )


def _anonymize(a: argparse.Namespace) -> None:
    from anonbench.stages.anonymize import anonymize

    anonymize(
        a.manifest, a.detections, a.root, a.spec, a.sidecars, a.output, a.output_manifest, a.threads, a.plugins,
        a.resume_dir, _code_of(a, "anonbench.stages.anonymize", "ANONYMIZERS"),
    )  # fmt: skip


def _code_of(a: argparse.Namespace, stage: str, kind: str) -> str:
    """The digest of a stage and its plug-in, as the workflow gives it, or computed where a state is to be kept."""
    from anonbench.core import registry
    from anonbench.ops.provenance import code_digest

    if a.code or a.resume_dir is None:
        return str(a.code)
    registry.load_plugins(a.plugins)
    return code_digest(stage, getattr(registry, kind).get(a.spec.get("method")).__module__)


def _train(a: argparse.Namespace) -> None:
    _claim_gpus(a)
    from anonbench.core.registry import load_plugins
    from anonbench.stages.train import train

    load_plugins(a.plugins)
    code = _code_of(a, "anonbench.stages.train", "MODELS")
    train(
        a.manifest, a.root, a.spec, a.seed, a.output, a.history, a.resume_dir, a.device, a.threads, a.splits, a.split,
        a.gpus, a.plugins, code,
    )  # fmt: skip


def _train_detector(a: argparse.Namespace) -> None:
    _claim_gpus(a)
    from anonbench.stages.train_detector import train_detector

    train_detector(a.data, a.spec, a.seed, a.output, a.history, a.resume_dir, a.device, a.threads)


def _embed(a: argparse.Namespace) -> None:
    _claim_gpus(a)
    from anonbench.core.registry import load_plugins
    from anonbench.stages.embed import embed

    load_plugins(a.plugins)
    embed(a.checkpoint, a.manifest, a.root, a.output, a.device, a.threads, splits=a.splits, split=a.split)


def _evaluate(a: argparse.Namespace) -> None:
    _claim_gpus(a)
    from anonbench.stages.evaluate import evaluate

    evaluate(a.query, a.gallery, a.spec, a.labels, a.output, a.queries, a.device, a.threads, a.cmc)


def _table(a: argparse.Namespace) -> None:
    from anonbench.stages.table import table

    table(a.metrics, a.name, a.spec, a.label, a.output, a.published, a.baseline)


def _reported(a: argparse.Namespace) -> None:
    from anonbench.stages.table import reported

    reported(a.metrics, a.name, a.spec, a.label, a.output, a.published)


def _datasets(a: argparse.Namespace) -> None:
    from anonbench.stages.table import datasets

    manifests = dict(zip(a.spec["datasets"], a.manifests, strict=True))
    dropped = dict(zip(a.spec["datasets"], a.dropped, strict=True))
    datasets(manifests, dropped, a.name, a.spec["datasets"], a.label, a.output, a.published)


def _untrained(a: argparse.Namespace) -> None:
    from anonbench.stages.table import untrained

    untrained(a.metrics, [(c["dataset"], c["model"]) for c in a.spec], a.label, a.output)


def _detection(a: argparse.Namespace) -> None:
    from anonbench.stages.detection import detection

    detection(a.spec, a.label, a.output)


def _ttest(a: argparse.Namespace) -> None:
    from anonbench.stages.ttest import ttest

    ttest(a.tables, a.output)


def _cells(a: argparse.Namespace) -> None:
    from anonbench.stages.statistics import cells

    cells(a.metrics, a.margin, a.output, a.alpha, a.resamples)


def _noise_floor(a: argparse.Namespace) -> None:
    from anonbench.stages.statistics import noise_floor

    noise_floor(a.metrics, a.output, a.alpha, a.resamples)


def _faces(a: argparse.Namespace) -> None:
    from anonbench.stages.statistics import faces

    faces(a.metrics, a.spec, a.output, a.bins, a.alpha, a.resamples)


def _effects(a: argparse.Namespace) -> None:
    from anonbench.stages.statistics import effects

    effects(a.tables, a.margin, a.output, a.alpha)


def _published(a: argparse.Namespace) -> None:
    from anonbench.stages.statistics import published

    published(a.folder, a.margin, a.output, a.readable, a.alpha)


def _conclusions(a: argparse.Namespace) -> None:
    from anonbench.stages.statistics import page

    page(a.cells, a.noise, a.faces, a.effects, a.label, a.output, a.alpha)


def _samples(a: argparse.Namespace) -> None:
    from anonbench.stages.samples import samples

    samples(a.manifest, a.detections, _folders(a.spec), a.count, a.output)


def _figure1(a: argparse.Namespace) -> None:
    from anonbench.stages.samples import figure1

    figure1(a.manifest, a.detections, _folders(a.spec), a.count, a.label, a.output, a.png)


def _figure2(a: argparse.Namespace) -> None:
    from anonbench.stages.samples import figure2

    figure2(a.manifest, a.detections, _folders(a.spec["roots"]), a.spec["details"], a.label, a.output, a.png)


def _folders(spec: dict[str, str]) -> dict[str, Path]:
    return {name: Path(root) for name, root in spec.items()}


def _figure_settings(a: argparse.Namespace) -> None:
    from anonbench.stages.figures import settings

    settings(a.metrics, a.spec, a.label, a.output, a.png)


def _figure_differences(a: argparse.Namespace) -> None:
    from anonbench.stages.figures import differences

    differences(a.cells, a.metric, a.label, a.output, a.png)


def _figure_cmc(a: argparse.Namespace) -> None:
    from anonbench.stages.figures import cmc

    cmc(a.metrics, a.spec, a.ranks, a.label, a.output, a.png)


def _figure_dose_response(a: argparse.Namespace) -> None:
    from anonbench.stages.figures import dose_response

    dose_response(a.metrics, a.spec["dataset"], a.spec["model"], a.spec["families"], a.label, a.output, a.png)


def _figure_faces(a: argparse.Namespace) -> None:
    from anonbench.stages.figures import faces_cost

    faces_cost(a.faces, a.spec["dataset"], a.spec["variant"], a.label, a.output, a.png)


def _figure_ranked(a: argparse.Namespace) -> None:
    from anonbench.stages.ranked import ranked

    ranked(a.spec["settings"], a.spec["evaluation"], a.spec["model"], a.ranks, a.label, a.output, a.png)


def _audit(a: argparse.Namespace) -> None:
    from anonbench.ops import audit

    chosen = (a.dataset, a.detector, a.configfile, a.manifest, a.root, a.detections, a.rendered)
    if a.filled:
        audited, folder = audit.choose_filled(*chosen, a.output, a.filled)
        audit.report_audit(audited, folder, a.filled, a.confidence)
    else:
        audited = audit.choose(*chosen)
        folder = a.output or audit.default_folder(audited)
        audit.draw_audit(audited, folder, a.sample, a.seed, a.review, a.second)


def _list(a: argparse.Namespace) -> None:
    from anonbench.core import registry

    kinds = {
        "anonymizers": registry.ANONYMIZERS,
        "datasets": registry.DATASETS,
        "detectors": registry.DETECTORS,
        "models": registry.MODELS,
    }
    registry.load_plugins(a.plugins)
    print("\n".join(kinds[a.kind].names()))


def _check(a: argparse.Namespace) -> None:
    from anonbench.ops.check import check

    check(a.kind, a.name, a.spec, a.plugins, a.root)


def _add_data(a: argparse.Namespace) -> None:
    from anonbench.ops.add_data import add_data

    add_data(a.format, a.folder, a.spec, a.name, copy=a.copy, cache=a.cache, plugins=a.plugins)


def _explain(a: argparse.Namespace) -> None:
    from anonbench.ops import explain

    found = explain.explain(a.table, a.row, a.column, a.configfile, a.query)
    print(explain.as_json(found) if a.json else explain.as_text(found))


def _verify(a: argparse.Namespace) -> int:
    from anonbench.ops import verify
    from anonbench.ops.dag import workflow_jobs

    root = Path.cwd()
    jobs = workflow_jobs(a.configfile, a.targets, root)
    findings = verify.Verifier(jobs, root).findings()
    findings += [] if a.targets else verify.foreign_files(jobs, root)  # of a part, most of the rest is no surprise
    absent = verify.absent_data(jobs, root)
    print(verify.as_json(findings, absent) if a.json else verify.as_text(findings, absent))
    return int(verify.failed(findings, a.allow_missing))


def _fit_costs(a: argparse.Namespace) -> None:
    from anonbench.ops.costs.fit import fit_costs

    print(fit_costs(a.configfile, Path.cwd(), a.check))


def _status(a: argparse.Namespace) -> int:
    from anonbench.ops.status.report import as_json, as_text, read_status

    status = read_status(a.configfile, a.targets, Path.cwd())
    print(as_json(status) if a.json else as_text(status))
    return int(status.failed)


def _dvc_cells(a: argparse.Namespace) -> None:
    from anonbench.ops.dvc.cells import configfiles_in_force, write_pipeline

    jobs = write_pipeline(a.configfile, Path.cwd())
    print(f"dvc.yaml: {len(jobs)} stages for {' + '.join(['config/default.yaml', *configfiles_in_force(Path.cwd())])}")


def _dvc_settings(a: argparse.Namespace) -> None:
    from anonbench.ops.dvc.cells import write_settings

    write_settings(Path.cwd())


def _record(a: argparse.Namespace) -> None:
    from anonbench.ops.dvc.record import record

    done = record(Path.cwd(), a.configfile, a.targets)
    print(f"dvc.lock: {len(done.stages)} stages recorded; {len(done.left_out)} files are not there or not up to date")
    print("".join(f"  left out: {path}\n" for path in done.left_out[:10]), end="")


def _adopt(a: argparse.Namespace) -> None:
    from anonbench.ops.dvc.adopt import adopt

    found = adopt(Path.cwd())
    print(f"{len(found.current)} stages are as dvc.lock says: done for Snakemake too")
    for what, names in (("stale, to be made again", found.stale), ("not here", found.absent)):
        print(f"{len(names)} {what}" + "".join(f"\n  {name}" for name in names[:10]))


def _recover(a: argparse.Namespace) -> None:
    from anonbench.ops import recover

    found = recover.recover(Path.cwd(), a.configfile, a.cancel, a.gone)
    print(recover.as_text(found, Path.cwd()))


def _check_config(a: argparse.Namespace) -> None:
    from anonbench.config import check_config, merge, read_layer

    check_config(merge(map(read_layer, a.files)), " + ".join(map(str, a.files)))
    print("config: every key and every name is known")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="anonbench", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--version", action="version", version=f"anonbench {__version__}")
    commands = parser.add_subparsers(dest="stage", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int | None], help_: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_, description=help_)
        sub.set_defaults(run=run)
        return sub

    def stage(
        name: str, run: Callable[[argparse.Namespace], None], help_: str, *inputs: str
    ) -> argparse.ArgumentParser:
        """A command that makes an artifact from the files named by its `inputs` options."""
        sub = command(name, run, help_)
        for option in inputs:
            sub.add_argument(f"--{option}", type=Path, required=True)
        sub.add_argument("--output", type=Path, required=True)
        sub.add_argument("--threads", type=_at_least_one, default=1, help="threads or processes to use")
        sub.add_argument("--plugins", type=json.loads, default=[], help="JSON list of modules to import first")
        sub.add_argument("--stamp", type=Path, help="where to write the provenance of the output (JSON)")
        sub.add_argument("--code", default="", help="code digest for the stamp")
        return sub

    def spec(sub: argparse.ArgumentParser, what: str) -> None:
        sub.add_argument("--spec", type=json.loads, required=True, help=f"{what}, as JSON")

    def tested(sub: argparse.ArgumentParser, margin: bool) -> None:
        sub.add_argument("--alpha", type=float, default=0.05, help="level of the tests; 1 - confidence")
        if margin:
            sub.add_argument(
                "--margin", type=float, required=True, help="a smaller loss counts as none, percent points"
            )

    def of_split(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--splits", type=Path, help="file with the splits of a dataset that has several")
        sub.add_argument("--split", type=int, help="which of them; the manifest's own when left out")

    def of_workflow(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--configfile", type=Path, action="extend", nargs="+", default=[], help="overlays")
        sub.add_argument("--json", action="store_true", help="print JSON")

    spec(stage("render", _render, "draw a dataset of rendered people"), "the config entry's `render:`")
    spec(stage("render_faces", _render_faces, "draw pictures of several people, for face detectors"), "`render:`")
    sub = stage("unpack", _unpack, "extract the images of CUHK03's cuhk-03.mat", "root")
    sub.add_argument("--boxes", choices=("detected", "labeled"), default="detected")
    sub = stage("index", _index, "list the images of a dataset", "root")
    spec(sub, "config entry of the dataset")
    sub.add_argument("--dropped", type=Path, required=True)
    sub.add_argument("--sidecars", type=Path, required=True)
    sub.add_argument("--splits", type=Path, required=True)
    stage("index_faces", _index_faces, "list the validation images of a folder in WIDER FACE's layout", "root")
    sub = stage("detect", _detect, "find faces", "manifest", "root")
    spec(sub, "config entry of the detector")
    sub.add_argument(
        "--device", choices=("auto", "cpu", "cuda"),
        help="cuda, or auto where there is one: takes a free GPU for this job; cpu: hides all; else up to the detector",
    )  # fmt: skip
    sub.add_argument("--resume-dir", type=Path, help="where to keep what is finished, so that a killed run goes on")
    sub = stage("detect-eval", _detect_eval, "hold a detector's boxes against the truth", "detections", "truth")
    sub.add_argument("--labels", type=json.loads, required=True, help="{dataset, detector, data} in words, as JSON")
    sub.add_argument("--groups", type=Path, required=True, help="where to write recall by group of faces (CSV)")
    sub.add_argument("--curve", type=Path, required=True, help="where to write precision and recall (CSV)")
    sub.add_argument("--figure", type=Path, help="where to draw both (SVG); with --png")
    sub.add_argument("--png", type=Path, help="its twin")
    sub.add_argument(
        "--heights", type=float, nargs="+", default=[8.0, 12.0, 16.0, 24.0], help="bounds of face heights, pixels"
    )
    sub.add_argument("--iou", type=float, default=0.5, help="least overlap of a find")
    sub.add_argument("--confidence", type=float, default=0.95, help="of the intervals")
    sub = stage("anonymize", _anonymize, "hide faces", "manifest", "detections", "root", "sidecars")
    spec(sub, "config entry of the variant")
    sub.add_argument("--resume-dir", type=Path, help="where to keep what is finished, so that a killed run goes on")
    sub.add_argument("--output-manifest", type=Path, required=True)
    sub = stage("train", _train, "train one model on one variant", "manifest", "root")
    spec(sub, "config entry of the model")
    sub.add_argument("--seed", type=int, required=True)
    sub.add_argument("--history", type=Path, required=True)
    sub.add_argument("--resume-dir", type=Path, required=True)
    sub.add_argument("--device", default="auto")
    sub.add_argument("--gpus", type=_at_least_one, default=1, help="GPUs, a process each, that train together")
    of_split(sub)
    sub = stage("train-detector", _train_detector, "train TinyFaces on images with face boxes", "data")
    spec(sub, "the training recipe")
    sub.add_argument("--seed", type=int, required=True)
    sub.add_argument("--history", type=Path, required=True)
    sub.add_argument("--resume-dir", type=Path, required=True)
    sub.add_argument("--device", default="auto")
    sub = stage("embed", _embed, "compute the features of query and gallery", "checkpoint", "manifest", "root")
    sub.add_argument("--device", default="auto")
    of_split(sub)
    sub = stage("evaluate", _evaluate, "rank the gallery and compute the metrics", "query", "gallery")
    spec(sub, "`evaluation:` of the model")
    sub.add_argument("--labels", type=json.loads, required=True, help="what the metrics belong to, as JSON")
    sub.add_argument("--queries", type=Path, required=True)
    sub.add_argument("--cmc", type=Path, help="where to write the CMC curve, a row a rank")
    sub.add_argument("--device", default="auto")
    for name, run, help_ in (
        ("table", _table, "collect metrics into a table of settings"),
        ("reported", _reported, "reported numbers beside rebuilt ones"),
        ("datasets", _datasets, "count what datasets consist of"),
        ("untrained", _untrained, "compare trained with untrained networks"),
    ):
        sub = stage(name, run, help_)
        spec(sub, "what the table shows")
        if name == "datasets":
            sub.add_argument("--manifests", type=Path, nargs="+", required=True)
            sub.add_argument("--dropped", type=Path, nargs="+", required=True)
        else:
            sub.add_argument("--metrics", type=Path, nargs="*", default=[])
        sub.add_argument("--name", default=name)
        sub.add_argument("--label", required=True, help="what the data is, in words")
        sub.add_argument("--published", type=Path, required=name in ("reported", "datasets"))
        sub.add_argument("--baseline", type=Path, help="printed table with the original -> original row")
    sub = stage("detection", _detection, "collect what detectors found into a table")
    spec(sub, "[{dataset, detector, detections, metrics, audit, stamp}]")
    sub.add_argument("--label", required=True, help="what the data is, in words")
    sub = stage("ttest", _ttest, "paired t-tests over tables")
    sub.add_argument("--tables", type=Path, nargs="+", required=True)
    for name, run, help_ in (
        ("cells", _cells, "difference, interval and verdict of every cell"),
        ("noise_floor", _noise_floor, "how far trainings differ that differ in the seed alone"),
        ("faces", _faces, "differences by the visible face of the query"),
    ):
        sub = stage(name, run, help_)
        sub.add_argument("--metrics", type=Path, nargs="+", required=True)
        sub.add_argument("--resamples", type=int, default=10_000, help="bootstrap draws of query identities")
        tested(sub, margin=name == "cells")
        if name == "faces":
            spec(sub, "[{dataset, variant, detections}]")
            sub.add_argument("--bins", type=float, nargs="+", required=True, help="bounds of face heights, pixels")
    sub = stage("effects", _effects, "overall effects over tables")
    sub.add_argument("--tables", type=Path, nargs="+", required=True)
    tested(sub, margin=True)
    sub = stage("published", _published, "what the paper's printed numbers say, recomputed", "folder")
    sub.add_argument("--readable", type=Path, required=True)
    tested(sub, margin=True)
    sub = stage("conclusions", _conclusions, "one page of words", "cells", "noise", "faces", "effects")
    sub.add_argument("--label", required=True, help="what the data is, in words")
    tested(sub, margin=False)
    sub = stage("samples", _samples, "picture the same crops under every variant", "manifest", "detections")
    spec(sub, "variant -> image folder")
    sub.add_argument("--count", type=_at_least_one, default=6)

    def figure(
        name: str, run: Callable[[argparse.Namespace], None], help_: str, *inputs: str, metrics: bool = False
    ) -> argparse.ArgumentParser:
        """A figure: --output is the SVG, --png its twin."""
        sub = stage(name, run, help_, *inputs)
        sub.add_argument("--png", type=Path, required=True)
        sub.add_argument("--label", required=True, help="what the data is, in words")
        if metrics:
            sub.add_argument("--metrics", type=Path, nargs="+", required=True)
        return sub

    sub = figure("figure1", _figure1, "crops over the same crops anonymized", "manifest", "detections")
    spec(sub, "{original: folder, variant: folder}")
    sub.add_argument("--count", type=_at_least_one, default=8)
    sub = figure("figure2", _figure2, "one crop under each technique", "manifest", "detections")
    spec(sub, "{roots: {variant: folder}, details: {variant: text}}")
    sub = figure("figure_settings", _figure_settings, "mAP and rank-1 in the three settings", metrics=True)
    spec(sub, "[{dataset, model, variant}]")
    sub = figure("figure_differences", _figure_differences, "differences to original -> original", "cells")
    sub.add_argument("--metric", choices=("map", "rank1"), required=True)
    sub = figure("figure_cmc", _figure_cmc, "CMC curves of a dataset", metrics=True)
    spec(sub, "[{dataset, model, variant}]")
    sub.add_argument("--ranks", type=_at_least_one, default=20)
    sub = figure("figure_dose_response", _figure_dose_response, "mAP over the strength of hiding", metrics=True)
    spec(sub, "{dataset, model, families: [{title, axis, values: {variant: number}, more_hides}]}")
    sub = figure("figure_faces", _figure_faces, "differences by the size of the face", "faces")
    spec(sub, "{dataset, variant}")
    sub = figure("figure_ranked", _figure_ranked, "retrieval lists before and after")
    spec(sub, "{settings: [{setting, features, queries, root}] * 2, evaluation, model}")
    sub.add_argument("--ranks", type=_at_least_one, default=10)

    sub = command("audit", _audit, "what a detector missed, by a random sample that you look at")
    sub.add_argument("dataset", help="a dataset of the configuration; with --manifest any name")
    sub.add_argument("--detector", help="of the configuration; the only one with detections when left out")
    sub.add_argument("--configfile", type=Path, action="extend", nargs="+", default=[], help="overlays")
    sub.add_argument("--manifest", type=Path, help="instead of the configuration's; with --root and --detections")
    sub.add_argument("--root", type=Path, help="folder of the images that the manifest names")
    sub.add_argument("--detections", type=Path, help="what `anonbench detect` wrote")
    sub.add_argument("--rendered", action="store_true", help="with --manifest: nobody real is shown")
    sub.add_argument("--sample", type=_at_least_one, default=200, help="images to look at")
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--review", type=_at_least_one, default=72, help="pictures on the sheets of suspects")
    sub.add_argument(
        "--second", type=Path, nargs="+", default=[], help="boxes of other detectors, or at a lower threshold"
    )
    sub.add_argument("--output", type=Path, help="folder; results/audit/DATASET/DETECTOR when left out")
    sub.add_argument("--filled", type=Path, help="the annotations with your verdicts: report instead of drawing")
    sub.add_argument("--confidence", type=float, default=0.95, help="of the intervals")
    sub = command("list", _list, "list the known plug-ins of a kind")
    sub.add_argument("kind", choices=("anonymizers", "datasets", "detectors", "models"))
    sub.add_argument("--plugins", type=json.loads, default=[])
    sub = command("check", _check, "hold a plug-in against the contract of its kind")
    sub.add_argument("kind", choices=("anonymizer", "detector", "model", "dataset"))
    sub.add_argument("name")
    sub.add_argument("--spec", type=json.loads, default={}, help="its parameters, as JSON")
    sub.add_argument("--plugins", type=json.loads, default=[], help="JSON list of modules to import first")
    sub.add_argument("--root", type=Path, help="folder of a dataset: for datasets, and for detectors to be tried on")
    sub = command("add-data", _add_data, "link a dataset to data/raw and record its hash, counts and licence for DVC")
    sub.add_argument("format", help="dataset format, such as market1501")
    sub.add_argument("folder", type=Path, help="where the dataset is; only read")
    sub.add_argument("--spec", type=json.loads, default={}, help="options of the format, as JSON")
    sub.add_argument("--name", help="the dataset's name below data/raw; the format's when left out")
    sub.add_argument("--copy", action="store_true", help="copy the files instead of linking the folder")
    sub.add_argument("--cache", action="store_true", help="with --copy: store the images in DVC's cache too")
    sub.add_argument("--plugins", type=json.loads, default=[], help="JSON list of modules to import first")
    sub = command("explain", _explain, "where a table cell comes from, and what rebuilds it")
    sub.add_argument("table", help="such as table3")
    sub.add_argument("--row", required=True, help="the row's model or anonymizer")
    sub.add_argument("--column", required=True, help="such as map_anon_anon")
    sub.add_argument("--query", help="path of a query image: what it scored there")
    of_workflow(sub)
    sub = command("verify", _verify, "hold every artifact against its stamp and the tree; status 1 when one differs")
    sub.add_argument("targets", nargs="*", help="files to verify with all they stand on; everything when left out")
    sub.add_argument("--allow-missing", action="store_true", help="what is not there does not count against the rest")
    of_workflow(sub)
    sub = command("fit-costs", _fit_costs, "learn what jobs take on this machine from those that it has finished")
    sub.add_argument("--configfile", type=Path, action="extend", nargs="+", default=[], help="overlays")
    sub.add_argument("--check", action="store_true", help="write nothing: hold the present estimates against the jobs")
    sub = command("status", _status, "what is done, running, failed and left; status 1 when a job failed or was killed")
    sub.add_argument("targets", nargs="*", help="as for snakemake; those of the last run when left out")
    of_workflow(sub)
    for name, run, help_ in (
        ("dvc-cells", _dvc_cells, "write dvc.yaml for a configuration, from Snakemake's graph"),
        ("record", _record, "after a Snakemake run: its artifacts into dvc.lock and DVC's cache"),
    ):
        sub = command(name, run, help_)
        sub.add_argument(
            "--configfile", type=Path, nargs="+", default=[], help="over config/default.yaml; those of the last call"
        )
        if name == "record":
            sub.add_argument("targets", nargs="*", help="as for snakemake; everything when left out")
    command("dvc-settings", _dvc_settings, "write the settings of every cell (DVC's stage `plan`)")
    command("adopt", _adopt, "after dvc pull or checkout: Snakemake takes what is unchanged as done")
    sub = command("recover", _recover, "after Snakemake was killed (SIGKILL, a lost node): make its folder ready again")
    sub.description = (
        "For a folder whose Snakemake was killed outright: SIGKILL, a login node that went down, a machine that lost "
        "power. (After Ctrl-C or SIGTERM nothing is needed.) Waits for the jobs that it left queued or running, in "
        "SLURM and on this machine; removes Snakemake's lock; notes as done what their stamps prove to be whole, so "
        "that it is not made again. Removes nothing else. Refuses while Snakemake is running in this folder."
    )
    sub.add_argument(
        "--cancel", action="store_true", help="end those jobs instead of waiting; a training goes on later"
    )
    sub.add_argument("--gone", action="store_true", help="a Snakemake that ran on another machine is no more, I looked")
    sub.add_argument(
        "--configfile", type=Path, action="extend", nargs="+", default=[], help="of the killed run; as it noted itself"
    )
    sub = command("check-config", _check_config, "check config files, each over the one before")
    sub.add_argument("files", type=Path, nargs="+")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    a = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)  # a cancelled job cleans up like one stopped by Ctrl-C
    logging.basicConfig(format="%(message)s")
    logging.getLogger("anonbench").setLevel(logging.INFO)  # a line an epoch, what was resumed
    start = time.monotonic()
    _limit_threads(getattr(a, "threads", None))
    try:
        if getattr(a, "stamp", None) is None:
            return a.run(a) or 0
        _make(a, start)
    except AnonbenchError as error:
        print(f"anonbench {a.stage}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"anonbench {a.stage}: interrupted; unfinished outputs were removed.", file=sys.stderr)
        return 130
    except Exception as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's; most commands have not loaded it
            raise
        print(
            f"anonbench {a.stage}: the GPU has too little memory ({str(error).splitlines()[0]}). `nvidia-smi` lists "
            f"other programs that use it. Else: a smaller `batch_size` in the recipe, or a larger GPU, on which a "
            f"training goes on from its last saved epoch.",
            file=sys.stderr,
        )
        return 2
    return 0


def _make(a: argparse.Namespace, start: float) -> None:
    """Run a stage as the only process on its job, keep record of it, and stamp what it made."""
    from anonbench.ops import job_lock
    from anonbench.ops.journal import Attempt, log_taken

    with job_lock.sole_process(a.stamp) as waited:
        if job_lock.was_made_meanwhile(a.stage, vars(a)):
            print(f"anonbench {a.stage}: another process has made this meanwhile; taken.", file=sys.stderr)
            log_taken(a.stage, a.stamp)
            return
        job_lock.remove_leftovers(a.stage, vars(a), waited)
        _wait_for_inputs(a)
        start = time.monotonic() if waited else start
        with Attempt(a.stage, a.stamp, a.threads, getattr(a, "gpus", 1)):
            a.run(a)
            _stamp(a, time.monotonic() - start)


def _wait_for_inputs(a: argparse.Namespace) -> None:
    from anonbench.ops.clock import wait_for_inputs
    from anonbench.ops.provenance import footprint

    if not a.code:  # by hand: nobody compares times
        return
    with contextlib.suppress(AttributeError, KeyError, TypeError):  # a `spec` of which the stage tells what is wrong
        wait_for_inputs(footprint(a.stage, vars(a)).inputs)


def _stamp(a: argparse.Namespace, seconds: float) -> None:
    from anonbench.ops.provenance import footprint, write_stamp

    found = footprint(a.stage, vars(a))
    write_stamp(a.stamp, a.stage, found.settings, found.inputs, found.outputs, a.code, seconds, a.threads)


def _claim_gpus(a: argparse.Namespace) -> None:
    """Settle which GPUs a stage sees before it loads torch."""
    from anonbench.core.gpus import claim_gpus

    claim_gpus(a.device, getattr(a, "gpus", 1))


def _limit_threads(threads: int | None) -> None:
    """Tell the numerical libraries, before they are loaded, how many threads the scheduler has reserved.

    Left alone they start one a core, and two such jobs on two cores run 5-10 times slower than two of one thread.
    """
    if threads is not None:
        os.environ.update(dict.fromkeys(THREAD_SETTINGS, str(threads)))


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
