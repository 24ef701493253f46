"""What the entries of a configuration mean for files: runs, folders of images, labels. Opens no file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from anonbench.data import paths
from anonbench.data.variants import ORIGINAL

Config = Mapping[str, Any]
DETECTION = "detection"
"""The table of detectors: named under `build:` it also shows those tried on pictures of faces (`face_images`)."""
SCENE_FORMATS = ("bdd100k", "cityscapes", "coco")  # layouts of pictures with instances (`data.instances`)
UNION = "union"
"""The method of a detector that joins what others found."""
BODIES, MATCHED_FACES = "annotated_bodies", "matched_faces"
COMPOSED = (UNION, BODIES, MATCHED_FACES)
"""Methods of detectors that look at no picture: rules of their own make their regions of other files."""
ESTIMATED = "estimated"
"""`keypoints:` of bodies whose dataset has none."""
FILES = "files"
"""The method of a variant that another tool has made: a folder of pictures."""
REAL_PEOPLE = "REAL PEOPLE: not to be published, sent around or committed"
"""What every picture says on which people who are not drawn can be seen."""
RUN = r"(?:split\d+-)?seed\d+"
"""A run's name: one repetition, of a seed, on one of the dataset's splits where it has several."""
NO_EVIDENCE = " (rendered people: a check of the pipeline, not evidence about real ones)"


def runs_of(config: Config, dataset: str, model: str) -> list[str]:
    """The repetitions of a model's training on a dataset: one a seed, and one a split where it has several.

    model: a name in `models`, `instance_models` or `recognizers`.
    """
    entry = config["models"].get(model) or config["instance_models"].get(model) or config["recognizers"][model]
    seeds = entry.get("seeds") or config["seeds"]
    splits = config["datasets"][dataset].get("splits")
    return [f"split{k}-seed{n}" for k in splits for n in seeds] if splits else [f"seed{n}" for n in seeds]


def attack_runs(config: Config, dataset: str, attack: str) -> list[str]:
    """The repetitions of an attack: those of the network with which it is made."""
    entry = config["attacks"][attack]
    return runs_of(config, dataset, entry.get("recognizer") or entry["model"])


def built_tables(config: Config) -> list[str]:
    """The entries of `tables` that are built by default."""
    return [name for name in config["build"] if name != DETECTION]


def tried_detectors(config: Config) -> list[tuple[str, str]]:
    """(face images, detector) of the detectors that are tried on pictures of faces, where `build` names their table.

    That may mean to draw the pictures and to train a detector first: nobody gets it with a table of his own.
    """
    if DETECTION not in config["build"]:
        return []
    return [
        (name, detector) for name, entry in config["face_images"].items() for detector in entry.get("detectors", ())
    ]


def detectors_by(config: Config, *methods: str) -> list[str]:
    """The detectors that have one of these methods."""
    return [name for name, entry in config["detectors"].items() if entry["method"] in methods]


def members(config: Config, detector: str) -> list[str]:
    """The detectors of whose regions another's are made, sorted: their order changes nothing.

    >>> members({"detectors": {"faces": {"method": "matched_faces", "of": "centerface"}}}, "faces")
    ['centerface']
    """
    entry = config["detectors"][detector]
    if entry["method"] == MATCHED_FACES:
        return [entry["of"]]
    return sorted(entry["of"]) if entry["method"] == UNION else []


def people_file(config: Config, dataset: str, detector: str) -> str:
    """The instances that bodies are made of: the dataset's own, or those with estimated keypoints."""
    estimated = config["detectors"][detector].get("keypoints") == ESTIMATED
    return paths.poses(dataset) if estimated else paths.instances(dataset)


def cut_from(config: Config, dataset: str) -> str | None:
    """The dataset of whose pictures another's are cut out; None for one that is no dataset of faces."""
    cut = config["datasets"].get(dataset, {}).get("cut")
    return None if cut is None else str(cut["of"])


def datasets_of_people(config: Config) -> list[str]:
    """The datasets of single people: neither of scenes nor of faces cut out of others."""
    return [n for n in config["datasets"] if not is_scene(config, n) and cut_from(config, n) is None]


def is_rendered(config: Config, name: str) -> bool:
    """Whether a dataset, or pictures for face detectors, are drawn, or cut out of drawn ones."""
    name = cut_from(config, name) or name
    return "render" in (config["datasets"].get(name) or config["face_images"].get(name) or {})


def is_scene(config: Config, dataset: str) -> bool:
    """Whether a dataset has pictures of scenes with instances, and not of single people."""
    return config["datasets"][dataset]["format"] in SCENE_FORMATS


def people_warning(config: Config, name: str) -> str:
    """What a picture of the people of a dataset must say; "" where they are drawn."""
    return "" if is_rendered(config, name) else REAL_PEOPLE


def images_root(config: Config, dataset: str, variant: str = ORIGINAL) -> str:
    """The folder with the images of a variant of a dataset; originals are where the dataset is."""
    entry = config["datasets"][dataset]
    if variant == ORIGINAL and not entry.get("unpack"):
        return str(entry["root"])
    return paths.images(dataset, variant)


def detections_of(config: Config, dataset: str, variant: str) -> str:
    """The regions that a variant hides."""
    return paths.detections(dataset, config["variants"][variant]["detector"])


def is_whole(config: Config, variant: str) -> bool:
    """Whether a variant hides whole pictures: its entry says `detector: null`."""
    return config["variants"][variant]["detector"] is None and not is_files(config, variant)


def is_files(config: Config, variant: str) -> bool:
    """Whether another tool has made a variant."""
    return bool(config["variants"][variant]["method"] == FILES)


def files_root(config: Config, dataset: str, variant: str) -> str | None:
    """The folder with another tool's pictures of a dataset; None where the variant's entry names none for it.

    >>> files_root({"variants": {"ego": {"root": {"coco": "data/ego/coco"}}}}, "coco", "ego")
    'data/ego/coco'
    """
    root = config["variants"][variant]["root"]
    return root if isinstance(root, str) else root.get(dataset)


def training_of(config: Config, variant: str) -> str | None:
    """The training (`reversible_trainings`) that makes the weights of a variant; None for one without."""
    training = config["variants"].get(variant, {}).get("training")
    return None if training is None else str(training)


def inpainter_of(config: Config, dataset: str, variant: str, key: str = "inpainter") -> str | None:
    """The file of the generator that fills the regions of a variant of a dataset; None for one without.

    key: inpainter or large_inpainter, for regions larger than the first one's crops.
    """
    name = config["variants"][variant].get(key)
    return None if name is None else paths.inpainter(config["inpainters"][name].get("dataset") or dataset, name)


def restores(config: Config, variant: str) -> bool:
    """Whether a variant is made by a restoration: by what somebody without the key has learnt."""
    training = training_of(config, variant)
    return training is not None and config["reversible_trainings"][training]["method"] == "restoration"


def picture_size(config: Config, variant: str) -> tuple[int, int] | None:
    """Height and width to which the pictures of a variant are brought; None where they keep their own.

    A variant `of` another has the size of that one, a learned one that of the pictures that guided its training.
    """
    seen: set[str] = set()
    while variant in config["variants"] and variant not in seen:  # a circle is refused elsewhere
        seen.add(variant)
        entry = config["variants"][variant]
        if "resize" in entry:
            height, width = entry["resize"]
            return height, width
        training = config["reversible_trainings"].get(entry.get("training"), {})
        variant = entry.get("of") or training.get("desensitized", "")
    return None


def stored(config: Config, variant: str, run: str) -> str:
    """The name below which a variant's pictures and manifest lie.

    A learned variant has as many copies as its training has runs: `protected-seed0`. Features, metrics and tables use
    the bare name: there, the run tells which copy it was.
    """
    return variant if training_of(config, variant) is None else f"{variant}-{run}"


def of_stored(config: Config, name: str) -> tuple[str, str]:
    """The variant and the run of a stored name; "" for the run of a variant that has one copy for all.

    >>> of_stored({"variants": {"protected": {"training": "joint"}, "blur": {}}}, "protected-split1-seed0")
    ('protected', 'split1-seed0')
    """
    found = re.fullmatch(rf"(.+?)-({RUN})", name)
    if found and training_of(config, found[1]) is not None:
        return found[1], found[2]
    return name, ""


def run_elsewhere(config: Config, dataset: str, run: str) -> str:
    """The run on another dataset that corresponds to one: of the same seed, and the same split where that has it.

    >>> run_elsewhere({"datasets": {"small": {"splits": [0]}, "large": {}}}, "large", "split0-seed1")
    'seed1'
    """
    split, dash, seed = run.rpartition("-")
    known = [f"split{number}" for number in config["datasets"][dataset].get("splits") or ()]
    return run if not dash or split in known else seed


def published_names(config: Config, datasets: Iterable[str]) -> dict[str, str]:
    """dataset -> the name that the papers' tables give it."""
    return {d: config["datasets"][d].get("published_as", d) for d in datasets}


def data_label(config: Config, datasets: Iterable[str]) -> str:
    """Which data the numbers depend on, in words."""
    names = list(dict.fromkeys(datasets))
    note = NO_EVIDENCE if any(is_rendered(config, name) for name in names) else ""
    return ", ".join(names) + note
