# Helpers of detection.smk and report.smk: which detections are evaluated. No rule here.
from anonbench.stages.detect import ENTRY_KEYS as DETECTOR_KEYS
from anonbench.studies.reid_faces.plan import Plan as ReidFaces
from anonbench.tasks.detection.table import ANNOTATED, AUDITED, NONE


def has_truth(dataset):
    """Whether every face of a dataset is annotated: rendered ones, and real ones that bring the file along."""
    return dataset in RENDERED or Path(DATASET_ENTRIES[dataset]["root"], FACE_TRUTH).is_file()


WITH_TRUTH = [*filter(has_truth, DATASET_ENTRIES), *FACE_IMAGES]


def detection_rows():
    """The rows of the table of detectors: those whose boxes other tables hide, and those tried on pictures of faces.

    Pictures of faces are there where `build:` names the table.
    An audit by eye counts once its report is there.
    """
    used = [(pair["dataset"], config["variants"][pair["variant"]]["detector"]) for pair in ReidFaces(config).pairs]
    return [
        {"dataset": dataset, "detector": detector, "truth": truth_of(dataset, detector)}
        for dataset, detector in dict.fromkeys(used + entries.tried_detectors(config))
    ]


def with_scales(rows):
    return [{**row, "scales": scales_in_words(row["detector"])} for row in rows]


def scales_in_words(detector):
    """At which scales a detector looks at pictures. For `params:` of a job: a detector may need torch, seconds to load."""
    if members := entries.members(config, detector):
        said = {member: scales_in_words(member) for member in members}
        return "; ".join(f"{member}: {text}" for member, text in said.items() if text)
    plugin = DETECTORS.create(config["detectors"][detector], ignore=DETECTOR_KEYS)
    return getattr(plugin, "scales_in_words", "")


def truth_of(dataset, detector):
    if dataset in WITH_TRUTH:
        return ANNOTATED
    return AUDITED if Path(paths.audit_report(dataset, detector)).is_file() else NONE


def detection_files(pattern, *truths):
    """A file for each row of the table of detectors, or for each whose truth is one of these."""
    return [
        pattern(row["dataset"], row["detector"]) for row in detection_rows() if not truths or row["truth"] in truths
    ]
