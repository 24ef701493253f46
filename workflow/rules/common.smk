# Helpers of the rules: what belongs to which wildcard. No rule here.
import json
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir)))

from anonbench.config import check_config, resolve_model
from anonbench.errors import AnonbenchError
from anonbench.provenance import code_digest
from anonbench.registry import ANONYMIZERS, DATASETS, DETECTORS, MODELS, load_plugins

# `anonbench` is the one installed beside the interpreter that runs Snakemake: no activated environment is needed.
shell.prefix(f"set -euo pipefail; export PATH={Path(sys.executable).parent}:$PATH; ")

try:
    if workflow.is_main_process:
        sources = [str(file) for file in workflow.configfiles] or ["config"]
        check_config(config, " + ".join(sources))
    load_plugins(config["plugins"])
except AnonbenchError as error:
    raise WorkflowError(str(error)) from None

DATASET_ENTRIES = config["datasets"]
RENDERED = [name for name, entry in DATASET_ENTRIES.items() if "render" in entry]
UNPACKED = [name for name, entry in DATASET_ENTRIES.items() if entry.get("unpack")]
MISSING_DATASETS = set()  # real ones that a dry run did without: raw_root


def any_of(names):
    """A regular expression that matches the names and nothing else."""
    return "|".join(map(re.escape, names))


wildcard_constraints:
    dataset=any_of(DATASET_ENTRIES),
    detector=any_of(config["detectors"]),
    variant=any_of(config["variants"]),
    any_variant=any_of(["original", *config["variants"]]),
    train_variant=any_of(["untrained", "original", *config["variants"]]),
    query_variant=any_of(["original", *config["variants"]]),
    gallery_variant=any_of(["original", *config["variants"]]),
    model=any_of(config["models"]),
    seed=r"\d+",
    table=any_of(config["tables"]),


def raw_root(wildcards):
    """The dataset's own folder. A real one that is not there stops the run with what to do about it.

    A dry run goes on without it, so that a study can be planned before its data is there; planning.smk tells of it.
    """
    entry = DATASET_ENTRIES[wildcards.dataset]
    if wildcards.dataset not in RENDERED and not Path(entry["root"]).is_dir():
        if workflow.dryrun:
            MISSING_DATASETS.add(wildcards.dataset)
            return []
        info = getattr(DATASETS.get(entry["format"]), "info", None)
        text = f"\n{info.title}, laid out as\n{info.layout}\n{info.request_from}" if info else ""
        raise WorkflowError(
            f"datasets.{wildcards.dataset}: there is no folder {entry['root']}. Expected there:{text}\n"
            f"Put or link the dataset there, or change `root:`. Without any data, the rendered demo runs: "
            f"snakemake --cores 2"
        )
    return entry["root"]


def image_root(wildcards, variant=None):
    """The folder with the images of a variant of a dataset."""
    variant = variant or wildcards.get("any_variant", "original")
    if variant == "original" and wildcards.dataset not in UNPACKED:
        return raw_root(wildcards)
    return f"results/images/{wildcards.dataset}/{variant}"


def trained_on(wildcards):
    """The variant whose images a model sees in training; an untrained network is built for the originals."""
    return "original" if wildcards.train_variant == "untrained" else wildcards.train_variant


def model_spec(wildcards):
    """A model's config entry; with no epochs where the network is to stay untrained."""
    entry = resolve_model(config, wildcards.model)
    if wildcards.train_variant == "untrained":
        entry = {**entry, "training": {**entry["training"], "epochs": 0}}
    return json.dumps(entry, sort_keys=True)


def plugin_module(registry, method):
    """The module of a plug-in; by convention, without importing it, for those in the repository."""
    ours = Path(workflow.basedir, *registry.package.split("."), f"{method}.py")
    return f"{registry.package}.{method}" if ours.is_file() else registry.get(method).__module__


def needed_plugins(registry, method):
    """The outside module that a job must import, as a list: the others are no concern of it and re-run nothing."""
    source = plugin_module(registry, method)
    return json.dumps([] if source.startswith("anonbench.") else [source])


def metrics_path(dataset, model, seed, train, query, gallery=None):
    gallery = gallery or query
    return f"results/metrics/{dataset}/{model}/{train}/seed{seed}/{query}-vs-{gallery}.json"


def table_metrics(wildcards):
    """The settings that a table shows, for every seed."""
    table = config["tables"][wildcards.table]
    settings = [("original", v) for v in table["variants"]] + [(v, v) for v in table["variants"]]
    if table["rows"] == "models":
        settings.insert(0, ("original", "original"))
    return [
        metrics_path(table["dataset"], model, seed, train, test)
        for model in table["models"]
        for train, test in settings
        for seed in config["seeds"]
    ]


def data_label(datasets):
    """What the numbers stand on, in words."""
    rendered = set(datasets) & set(RENDERED)
    note = " (rendered people: a check of the pipeline, not evidence about real ones)" if rendered else ""
    return ", ".join(dict.fromkeys(datasets)) + note
