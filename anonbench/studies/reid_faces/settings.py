"""The settings of Study 1 as data. Every other module of the study takes them from here.

Source: Dietlmeier et al. 2020, section IV: three settings, mAP and rank-1.
"""

from __future__ import annotations

from anonbench.data.variants import ORIGINAL
from anonbench.tasks.reid.settings import Design, Setting

STUDY = "reid_faces"
VARIANT = "{variant}"  # means the row's variant

DESIGN = Design(
    settings=(
        Setting("orig_orig", train=ORIGINAL, query=ORIGINAL, gallery=ORIGINAL),
        Setting("orig_anon", train=ORIGINAL, query=VARIANT, gallery=VARIANT),
        Setting("anon_anon", train=VARIANT, query=VARIANT, gallery=VARIANT),
    ),
    baseline="orig_orig",
    metrics=("map", "rank1"),
)
BASELINE, METRICS, CONTRASTS = DESIGN.baseline, DESIGN.metrics, DESIGN.contrasts
TESTED, RETRAINED = CONTRASTS  # the same networks on anonymized images, and others that were trained on them
