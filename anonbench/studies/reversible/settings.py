"""The settings of Study 2 as data. Every other module of the study takes them from here.

Source: Zhang et al. 2022, section 4.5 and Table 5: four query/gallery settings, rank-1, rank-5, mAP and mINP; section
4.3 and Table 1: a network trained on raw images, tested on protected ones.
"""

from __future__ import annotations

from anonbench.data.variants import ORIGINAL
from anonbench.tasks.reid.settings import Setting

STUDY = "reversible"
VARIANT, TRAINING = "{variant}", "{training}"  # mean the row's

RAW = Setting("raw", train=ORIGINAL, query=ORIGINAL, gallery=ORIGINAL)
UNPROTECTED = Setting("unprotected", train=ORIGINAL, query=VARIANT, gallery=VARIANT)
"""What somebody finds in protected images with a network that knows raw ones alone."""
FOUR = (
    Setting("raw_raw", train=TRAINING, query=ORIGINAL, gallery=ORIGINAL),
    Setting("raw_protected", train=TRAINING, query=ORIGINAL, gallery=VARIANT),
    Setting("protected_raw", train=TRAINING, query=VARIANT, gallery=ORIGINAL),
    Setting("protected_protected", train=TRAINING, query=VARIANT, gallery=VARIANT),
)
"""In the order of Table 5, of a network trained on raw and protected images."""
METRICS = ("rank1", "rank5", "map", "minp")
FEW_METRICS = ("rank1", "map")
QUALITY = ("psnr", "psnr_pooled", "ssim")
"""PSNR: the mean over images, and of the mean squared error over all of them."""
