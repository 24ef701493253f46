# Helpers of detection.smk: which detections are evaluated, and what a row of their table stands on. No rule here.
from anonbench.tasks.detection.truth import FILE as FACE_TRUTH


def has_truth(dataset):
    """Whether every face of a dataset is annotated: rendered ones, and real ones that bring the file along."""
    return dataset in RENDERED or Path(DATASET_ENTRIES[dataset]["root"], FACE_TRUTH).is_file()


WITH_TRUTH = [*filter(has_truth, DATASET_ENTRIES), *FACE_IMAGES]
# What the tables that are built by default stand on, so that the detections are there anyway.
DETECTED = list(
    dict.fromkeys(
        (config["tables"][table]["dataset"], config["variants"][variant]["detector"])
        for table in tables_with(*SETTING_ROWS)
        for variant in config["tables"][table]["variants"]
    )
)


def detection_files(dataset, detector):
    """The files that a row of the table stands on; an audit by eye counts once its report is there."""
    audit = f"results/audit/{dataset}/{detector}/report.json"
    return {
        "dataset": dataset,
        "detector": detector,
        "detections": f"results/detections/{dataset}/{detector}.csv",
        "metrics": f"results/detection_metrics/{dataset}/{detector}.json" if dataset in WITH_TRUTH else None,
        "audit": audit if dataset not in WITH_TRUTH and Path(audit).is_file() else None,
        "stamp": f"results/stamps/detect/{dataset}/{detector}.json",
    }


TRIED = [(name, detector) for name, entry in FACE_IMAGES.items() for detector in entry.get("detectors", ())]
DETECTION_ROWS = [detection_files(*pair) for pair in DETECTED + TRIED]
