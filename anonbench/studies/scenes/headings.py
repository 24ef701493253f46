"""What the tables and figures of Study 3 call their columns and rows."""

from __future__ import annotations

from anonbench.data.variants import ORIGINAL
from anonbench.studies.scenes.settings import Metric

PREFIXES = {"": "", "box_": "Box ", "keypoint_": "Kp. "}
METHODS = {
    "blur": "Blur",
    "mask_out": "Mask-out",
    "realistic": "Realistic",
    "realistic_hr": "Realistic + HR faces",
    "realistic_hm": "Realistic + HM",
    "realistic_hmlo": "Realistic + HM-LO",
    "no_truncation": "Realistic, no truncation",
    "one_centre": "Realistic, one centre",
}
PARTS = {"face": "Face", "body": "Body"}


def metric(column: str) -> str:
    """
    >>> metric("ap_person"), metric("box_ap50")
    ('AP person', 'Box AP50')
    """
    found = Metric.of(column)
    return f"{PREFIXES[found.prefix]}{found.measure} {found.group}".strip()


def variant(name: str) -> tuple[str, str]:
    """What is hidden, and how. A variant that is not of the paper is called by its name.

    >>> variant("body_realistic_hm"), variant("face_egoblur"), variant("mosaic")
    (('Body', 'Realistic + HM'), ('Face', 'egoblur'), ('', 'mosaic'))
    """
    if name == ORIGINAL:
        return "", "Original"
    part, _, method = name.partition("_")
    if part in PARTS and method:
        return PARTS[part], METHODS.get(method, method)
    return "", name
