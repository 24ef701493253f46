"""Where every artifact is, relative to the folder of the workflow: the only place that spells paths below results/.

Rules call these functions with their wildcards (`paths.detections("{dataset}", "{detector}")`), Python calls them with
names, so that the two cannot differ:

    >>> metrics("market1501", "bot", "original", "seed0", "blur")
    'results/metrics/market1501/bot/original/seed0/blur-vs-blur.json'
"""

from __future__ import annotations

from pathlib import PurePosixPath

from anonbench.data.variants import ORIGINAL

RESULTS = "results"
KEYS = f"{RESULTS}/keys"
RENDERED = "data/rendered"
PUBLISHED = "config/published"
DEFAULT_CONFIG = "config/default.yaml"


def rendered(name: str) -> str:
    """The folder of a dataset, or of pictures for face detectors, that is drawn."""
    return f"{RENDERED}/{name}"


def images(dataset: str, variant: str) -> str:
    """The folder with the images of a variant. Originals are in it only where they were unpacked (`images_root`)."""
    return f"{RESULTS}/images/{dataset}/{variant}"


def manifest(dataset: str, variant: str = ORIGINAL) -> str:
    return f"{RESULTS}/manifests/{dataset}/{variant}.csv"


def dropped(dataset: str) -> str:
    """The list of images that the manifest leaves out."""
    return manifest(dataset, "dropped")


def sidecars(dataset: str) -> str:
    """The list of the text and protocol files that a drop-in copy needs."""
    return manifest(dataset, "sidecars")


def splits(dataset: str) -> str:
    """The further splits of a dataset that has several."""
    return manifest(dataset, "splits")


def detections(dataset: str, detector: str) -> str:
    return f"{RESULTS}/detections/{dataset}/{detector}.csv"


def detection_metrics(dataset: str, detector: str, suffix: str = ".json") -> str:
    """A detector checked against the truth.

    suffix: of one of its files.
    """
    return f"{RESULTS}/detection_metrics/{dataset}/{detector}{suffix}"


def audit(dataset: str, detector: str) -> str:
    """The folder of an audit by eye."""
    return f"{RESULTS}/audit/{dataset}/{detector}"


def audit_report(dataset: str, detector: str) -> str:
    return f"{audit(dataset, detector)}/report.json"


def face_detectors(training: str, file: str = "") -> str:
    """The folder of a detector that was trained here, or a file in it."""
    return f"{RESULTS}/face_detectors/{training}" + (f"/{file}" if file else "")


def network(dataset: str, model: str, train: str, run: str) -> str:
    """The folder of a trained network.

    run: `seed0`, or `split3-seed0` where the dataset has several splits.
    """
    return f"{RESULTS}/models/{dataset}/{model}/{train}/{run}"


def checkpoint(dataset: str, model: str, train: str, run: str) -> str:
    return f"{network(dataset, model, train, run)}/model.pt"


def history(dataset: str, model: str, train: str, run: str) -> str:
    """The losses and seconds of a training's epochs."""
    return f"{network(dataset, model, train, run)}/history.csv"


def key(dataset: str, model: str, training: str, run: str, network: str, suffix: str = ".pt") -> str:
    """A generator that hides people or shows them again. Both are keys: they lie apart from copies.

    model: trained with it; `restoration` for one that was trained alone.
    network: anonymizer or recovery.
    """
    return f"{KEYS}/{dataset}/{model}/{training}/{run}/{network}{suffix}"


def beside_network(dataset: str, model: str, train: str, run: str, file: str) -> str:
    """What else a training writes beside its network: its validation, its upgrades."""
    return f"{network(dataset, model, train, run)}/{file}"


def instances(dataset: str) -> str:
    """Who and what stands where in the pictures of a scene dataset (`data.instances`)."""
    return f"{RESULTS}/instances/{dataset}.jsonl"


def poses(dataset: str) -> str:
    """The same with estimated keypoints of people, where the dataset has none."""
    return f"{RESULTS}/instances/{dataset}.poses.jsonl"


def inpainter(dataset: str, name: str, file: str = "generator.pt") -> str:
    """The generator that fills the regions of people with others, or a file beside it."""
    return f"{RESULTS}/inpainters/{dataset}/{name}/{file}"


def predictions(dataset: str, model: str, train: str, run: str, tested: str) -> str:
    """What a network of instances finds in the test pictures of a variant (COCO's list of results)."""
    return f"{RESULTS}/predictions/{dataset}/{model}/{train}/{run}/{tested}.json"


def scores(dataset: str, model: str, train: str, run: str, tested: str, suffix: str = ".json") -> str:
    """What those predictions score.

    suffix: of one of its files.
    """
    return f"{RESULTS}/metrics/{dataset}/{model}/{train}/{run}/{tested}{suffix}"


def cost(dataset: str, variant: str) -> str:
    """What it costs to make a variant, by size of the pictures."""
    return f"{RESULTS}/costs/{dataset}/{variant}.csv"


def quality(dataset: str, stored: str, suffix: str = ".json") -> str:
    """How much the pictures of a variant look like the originals.

    stored: the name below which they lie (`entries.stored`).
    """
    return f"{RESULTS}/quality/{dataset}/{stored}{suffix}"


def differences(dataset: str, variant: str) -> str:
    """Where the pictures that another tool has anonymized differ from the originals."""
    return f"{RESULTS}/differences/{dataset}/{variant}.csv"


def left_visible(dataset: str, detector: str) -> str:
    """Which people of a scene dataset have no region."""
    return f"{RESULTS}/left_visible/{dataset}/{detector}.csv"


def features(dataset: str, model: str, train: str, run: str, variant: str) -> str:
    return f"{RESULTS}/features/{dataset}/{model}/{train}/{run}/{variant}.npz"


def metrics(
    dataset: str, model: str, train: str, run: str, query: str, gallery: str | None = None, suffix: str = ".json"
) -> str:
    """What one run scored in one setting.

    gallery: the queries' variant when left out.
    suffix: of one of its files.
    """
    return f"{RESULTS}/metrics/{dataset}/{model}/{train}/{run}/{query}-vs-{gallery or query}{suffix}"


def queries(metrics_file: str) -> str:
    """The results of every query that lie beside a metrics file."""
    return str(PurePosixPath(metrics_file).with_suffix(".queries.csv"))


def distances(dataset: str, model: str, train: str, run: str, query: str, gallery: str) -> str:
    """What one run scored in one setting by each distance that features can be compared with."""
    return f"{RESULTS}/distances/{dataset}/{model}/{train}/{run}/{query}-vs-{gallery}.json"


def attack(dataset: str, attack: str, variant: str, run: str, suffix: str = ".json") -> str:
    """What an attack of the configuration finds out from a variant's pictures (`attacks._outcome`).

    run: of the network that recognizes; `seed0` for one that is not trained.
    suffix: of one of its files; `.trials.csv` for one row a probe.
    """
    return f"{RESULTS}/attacks/{dataset}/{attack}/{variant}/{run}{suffix}"


def table(name: str, suffix: str = ".csv") -> str:
    return f"{RESULTS}/tables/{name}{suffix}"


def statistics(name: str, suffix: str = ".csv") -> str:
    return f"{RESULTS}/statistics/{name}{suffix}"


def figure(name: str, suffix: str = ".svg") -> str:
    return f"{RESULTS}/figures/{name}{suffix}"


def human_eval(part: str) -> str:
    """The kit of a human evaluation.

    part: its pages, or the key that stays behind.
    """
    return f"{RESULTS}/human_eval/{part}"


def published(study: str, name: str) -> str:
    """Printed numbers of the paper that a study rebuilds."""
    return f"{PUBLISHED}/{study}/{name}.csv"


def study_config(study: str) -> str:
    """The defaults of a study, laid over those that all studies share."""
    return f"config/studies/{study}.yaml"


def stamp(rule: str, *names: str) -> str:
    """The provenance of what a job made. names: the values of its wildcards."""
    return f"{RESULTS}/stamps/{'/'.join((rule, *names))}.json"


def resume(rule: str, *names: str) -> str:
    """The folder that keeps what an unfinished job has done."""
    return f"{RESULTS}/.resume/{'/'.join((rule, *names))}"


def log(rule: str, *names: str) -> str:
    """Where the messages of a job go."""
    return f"logs/{'/'.join((rule, *names))}.log"
