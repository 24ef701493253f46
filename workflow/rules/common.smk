# Helpers of the rules: what belongs to which wildcard. No rule here.
import functools
import json
import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

REPOSITORY = Path(str(workflow.current_basedir)).parents[1]
sys.path.insert(0, str(REPOSITORY))

from anonbench.config import check_config, resolve_model
from anonbench.ops.catalog import digest_modules, job_prefix, outside_plugins, shell_command
from anonbench.ops.dag import LISTING, NAMES_ONLY
from anonbench.core.errors import AnonbenchError
from anonbench.data import entries, paths
from anonbench.data.annotations import FILE as FACE_TRUTH
from anonbench.data.left_out import files_of
from anonbench.ops.provenance import code_digest
from anonbench.ops.unchanged import is_as_indexed, is_older
from anonbench.anonymizers import ANONYMIZERS
from anonbench.datasets import DATASETS
from anonbench.detectors import DETECTORS
from anonbench.tasks.reid.models import MODELS
from anonbench.core.registry import load_plugins

# `anonbench` is the one installed beside the interpreter that runs Snakemake: no activated environment is needed.
try:
    shell.prefix(job_prefix(Path(sys.executable).parent, REPOSITORY))
    if workflow.is_main_process and os.environ.get(LISTING) != NAMES_ONLY:
        sources = [str(file) for file in workflow.configfiles] or ["config"]
        check_config(config, " + ".join(sources))
    load_plugins(config["plugins"])
except AnonbenchError as error:
    raise WorkflowError(str(error)) from None

DATASET_ENTRIES = config["datasets"]
CAPTIONS = Path(str(workflow.current_basedir)).parent / "report"
RENDERED = [name for name, entry in DATASET_ENTRIES.items() if "render" in entry]
DRAWN_SCENES = [name for name in RENDERED if entries.is_scene(config, name)]
CUT = [name for name in DATASET_ENTRIES if entries.cut_from(config, name)]
MADE_HERE = RENDERED + CUT  # the workflow writes their originals
UNPACKED = [name for name, entry in DATASET_ENTRIES.items() if entry.get("unpack")]
UNIONS = entries.detectors_by(config, entries.UNION)
COMPOSED = entries.detectors_by(config, *entries.COMPOSED)
SCENES = [name for name in DATASET_ENTRIES if entries.is_scene(config, name)]
FACE_IMAGES = config["face_images"]
FACE_TRAININGS = config["face_trainings"]
DRAWN_FACES = [name for name, entry in FACE_IMAGES.items() if "render" in entry]
WHOLE = [name for name in config["variants"] if entries.is_whole(config, name)]
ACCEPTED = [name for name in config["variants"] if entries.is_files(config, name)]
LEARNED = [name for name in WHOLE if entries.training_of(config, name)]
TRAININGS = config["reversible_trainings"]
MISSING_DATASETS = set()  # real ones that a dry run did without: raw_folder


def any_of(names):
    """A regular expression that matches the names and nothing else."""
    return "|".join(map(re.escape, names))


def any_stored(names):
    """The same for the names below which copies of variants lie: a learned one has a copy for each run."""
    learned = [name for name in names if name in LEARNED]
    return f"(?:{any_of(learned)})-{entries.RUN}|{any_of(set(names) - set(learned))}" if learned else any_of(names)


wildcard_constraints:
    dataset=any_of(DATASET_ENTRIES),
    detector=any_of(config["detectors"]),
    variant=any_of(set(config["variants"]) - set(WHOLE)) or "none",
    stored=any_stored(WHOLE) or "none",
    any_variant=any_of(["original", *config["variants"]]),
    train_variant=any_of(["untrained", "original", *config["variants"], *TRAININGS]),
    training=any_of(TRAININGS) or "none",
    query_variant=any_of(["original", *config["variants"]]),
    gallery_variant=any_of(["original", *config["variants"]]),
    model=any_of(config["models"]),
    run=entries.RUN,  # one repetition: a seed, on one of the dataset's splits where it has several
    table=any_of(config["tables"]),


def raw_folder(dataset):
    """The dataset's own folder. A real one that is not there stops the run with what to do about it.

    A dry run goes on without it, so that a study can be planned before its data is there; planning.smk says so.
    """
    entry = DATASET_ENTRIES[dataset]
    if dataset in MADE_HERE or Path(entry["root"]).is_dir():
        return entry["root"]
    if LISTING in os.environ:
        return entry["root"]  # data.smk has a stand-in for it
    if workflow.dryrun:
        MISSING_DATASETS.add(dataset)
        return []
    info = getattr(DATASETS.get(entry["format"]), "info", None)
    text = f"\n{info.title}, laid out as\n{info.layout}\n{info.request_from}" if info else ""
    raise WorkflowError(
        f"datasets.{dataset}: there is no folder {entry['root']}. Expected there:{text}\n"
        f"Put or link the dataset there, or change `root:`. Without any data, the rendered demo runs: "
        f"snakemake --cores 2"
    )


def absent_roots():
    """The folders of real datasets, and of other tools' pictures, that are not there."""
    real = [entry["root"] for name, entry in DATASET_ENTRIES.items() if name not in MADE_HERE]
    real += [entries.files_root(config, dataset, name) for name in ACCEPTED for dataset in DATASET_ENTRIES]
    return [root for root in dict.fromkeys(real) if root and not Path(root).is_dir()]


def image_folder(dataset, variant):
    """The folder with the images of a variant of a dataset."""
    if variant == "original" and dataset not in UNPACKED:
        return listed(raw_folder(dataset), made_here=dataset in MADE_HERE)
    return paths.images(dataset, variant)


def listed(folder, made_here):
    """A folder of the user for rules that read its manifest too: the manifest says what has changed, not the date."""
    return ancient(folder) if folder and not made_here else folder


def dated(folder, unchanged):
    """A folder of the user for rules that read it alone: its date counts unless what they read in it is as it was."""
    asks = folder and workflow.is_main_process and LISTING not in os.environ
    return ancient(folder) if asks and unchanged() else folder


def stored_manifest(dataset, variant, run):
    """The manifest of that copy of a variant which belongs to a run."""
    return paths.manifest(dataset, entries.stored(config, variant, run))


def stored_images(dataset, variant, run):
    """The same for its folder of images."""
    return image_folder(dataset, entries.stored(config, variant, run))


def original_root(wildcards):
    if wildcards.dataset in FACE_IMAGES:
        return listed(face_images_folder(wildcards.dataset), made_here=wildcards.dataset in DRAWN_FACES)
    return image_folder(wildcards.dataset, "original")


def root_to_index(wildcards):
    dataset = wildcards.dataset
    if dataset in RENDERED or dataset in UNPACKED:
        return image_folder(dataset, "original")
    return dated(raw_folder(dataset), lambda: as_indexed(dataset))


def left_out_files(wildcards):
    """The user's lists of pictures that are not to be used. Without them they would come back."""
    files = files_of(DATASET_ENTRIES[wildcards.dataset].get("leave_out"))
    for file in files:
        if not Path(file).is_file():
            raise WorkflowError(
                f"datasets.{wildcards.dataset}.leave_out: there is no file {file}. Put the list of pictures that are not "
                f"to be used there, or take it out of the config to use them all."
            )
    return files


def dropped_list(wildcards):
    """For rules that read other lists of a dataset's pictures: those of which some are left out."""
    entry = DATASET_ENTRIES.get(wildcards.dataset, {})
    return paths.dropped(wildcards.dataset) if entry.get("leave_out") else []


@functools.cache
def as_indexed(dataset):
    return is_as_indexed(dataset, DATASET_ENTRIES[dataset])


def root_to_unpack(wildcards):
    root, stamp = raw_folder(wildcards.dataset), paths.stamp("unpack", wildcards.dataset)
    return dated(root, lambda: is_older(Path(root).glob("*.mat"), Path(stamp)))


def truth_root(wildcards):
    dataset, stamp = wildcards.dataset, paths.stamp("evaluate_detector", wildcards.dataset, wildcards.detector)
    if dataset in FACE_IMAGES:
        return labelled_faces(dataset, stamp)
    root = raw_folder(dataset)
    return root if dataset in RENDERED else dated(root, lambda: is_older([Path(root, FACE_TRUTH)], Path(stamp)))


def labelled_faces(name, stamp):
    """For rules that read pictures of `face_images:` by their label files; stamp: of what they make."""
    root = face_images_folder(name)
    labels = lambda: Path(root, "wider_face_split").glob("wider_face_*")
    return root if name in DRAWN_FACES else dated(root, lambda: is_older(labels(), Path(stamp)))


def face_images_folder(name):
    root = FACE_IMAGES[name]["root"]
    if name in DRAWN_FACES or Path(root).is_dir() or LISTING in os.environ:
        return root
    raise WorkflowError(
        f"face_images.{name}: {root} is not there. Expected a folder in WIDER FACE's layout (docs/detectors.md); set "
        f"`root:` to where yours lies, or use one with `render:`."
    )


def trained_on(wildcards):
    """The variant whose images a model sees in training; an untrained network is built for the originals."""
    return "original" if wildcards.train_variant == "untrained" else wildcards.train_variant


def model_spec(wildcards):
    """A model's config entry; with no epochs where the network is to stay untrained."""
    entry = resolve_model(config, wildcards.model)
    del entry["evaluation"]  # how features are compared is no concern of the training
    if wildcards.train_variant == "untrained":
        entry = {**entry, "training": {**entry["training"], "epochs": 0}}
    return as_json(entry)


def as_json(value):
    """A setting with a structure as the text that its command reads; equal settings give equal texts."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def call(name, without=()):
    """For `shell:` of a rule: its named inputs, outputs and parameters are the options of the command `name`."""
    return shell_command(name, without)


def captioned(path, caption, category, **labels):
    """For `output:` of a rule: shown in `snakemake --report report.zip`, with the caption workflow/report/<caption>.rst."""
    return report(path, caption=str(CAPTIONS / f"{caption}.rst"), category=category, labels=labels or None)


def digest(name, method=None):
    """For `params:` of a rule: changes with the code that the command runs, that of its plug-in included."""
    return code_digest(*digest_modules(name, method))


def needed_plugins(name, method):
    """For `params:` of a rule: the outside module that the command must import."""
    return as_json(outside_plugins(name, method))


def run_labels(run):
    """`split3-seed0` -> {"split": 3, "seed": 0}"""
    return {name: int(number) for name, number in re.findall(r"([a-z]+)(\d+)", run)}


def tested_labels(wildcards):
    """What the scores of a network in one setting belong to."""
    w = wildcards
    named = {"train": w.train_variant, "query": w.query_variant, "gallery": w.gallery_variant}
    return json.dumps({"dataset": w.dataset, "model": w.model, **run_labels(w.run), **named})


def split_file(wildcards):
    return paths.splits(wildcards.dataset) if "split" in run_labels(wildcards.run) else []


def split_of(wildcards):
    """The number of a run's split; empty for the manifest's own."""
    return run_labels(wildcards.run).get("split", "")


def key_of(dataset, variant, run):
    """The generator that makes a learned variant: what hides, or for a variant `of` another what recovers."""
    training = entries.training_of(config, variant)
    entry, network = TRAININGS[training], "recovery" if "of" in config["variants"][variant] else "anonymizer"
    home = entry.get("dataset", dataset)
    if home != dataset:
        run = entries.run_elsewhere(config, home, run)  # it may have other splits, or none
    return paths.key(home, entry.get("model", entry["method"]), training, run, network)


def detections_of(dataset, variant):
    return entries.detections_of(config, dataset, variant)


def accepted_files(wildcards):
    """The folder with another tool's pictures of a dataset. One that is not there stops the run with what to do."""
    dataset, variant = wildcards.dataset, wildcards.variant
    root = entries.files_root(config, dataset, variant)
    if root is None:
        raise WorkflowError(
            f"variants.{variant}.root names no folder for {dataset}; write {dataset}: <folder> below it"
        )
    if Path(root).is_dir() or LISTING in os.environ:
        return root
    if workflow.dryrun:
        return []
    raise WorkflowError(
        f"variants.{variant}: there is no folder {root}. Expected there: the pictures of {dataset} as another tool has "
        f"anonymized them, with the same paths. Put or link them there, or change `root:`."
    )


def scene_instances(wildcards):
    """Who and what stands where in the pictures of a scene dataset; nothing for others."""
    return paths.instances(wildcards.dataset) if wildcards.dataset in SCENES else []


def variant_weights(wildcards):
    """The file of weights of a learned anonymizer: trained here, or already there. As `detector_weights`."""
    if trained := entries.inpainter_of(config, wildcards.dataset, wildcards.variant):
        return trained
    weights = config["variants"][wildcards.variant].get("weights")
    wanted = weights and (weights.startswith(f"{paths.RESULTS}/") or Path(weights).is_file())
    return weights if wanted else []


def large_weights(wildcards):
    """The generator for large regions, where a variant has two."""
    return entries.inpainter_of(config, wildcards.dataset, wildcards.variant, "large_inpainter") or []


def detector_weights(wildcards):
    """The file of weights of a detector, where it names one: trained here, or already there.

    One that is missing is no input: the detector's own message says where to get it.
    """
    weights = config["detectors"][wildcards.detector].get("weights")
    wanted = weights and (weights.startswith(paths.face_detectors("")) or Path(weights).is_file())
    return weights if wanted else []


def detector_boxes(wildcards):
    """The user's file of boxes that a detector reads, where it is there: its own, or that of a real dataset.

    One that is missing is no input: the detector's own message says so.
    """
    entry, dataset = config["detectors"][wildcards.detector], DATASET_ENTRIES.get(wildcards.dataset)
    boxes = entry.get("boxes")
    if not boxes and entry["method"] == "annotated" and dataset and wildcards.dataset not in RENDERED + UNPACKED:
        boxes = str(Path(dataset["root"], entry.get("file", FACE_TRUTH)))
    return boxes if isinstance(boxes, str) and Path(boxes).is_file() else []


def data_label(datasets):
    """Which data the numbers depend on, in words."""
    return entries.data_label(config, datasets)


def detector_entry(detector):
    """What a detector is; whether it computes on a GPU changes nothing in it."""
    return {key: value for key, value in config["detectors"][detector].items() if key != "gpu"}
