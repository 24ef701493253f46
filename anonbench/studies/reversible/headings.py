"""What the tables of Study 2 call their columns and rows."""

from __future__ import annotations

from anonbench.data.variants import ORIGINAL

METRICS = {"rank1": "R1", "rank5": "R5", "map": "mAP", "minp": "mINP"}
QUALITY = {"psnr": "PSNR, mean over images", "psnr_pooled": "PSNR, pooled", "ssim": "SSIM"}
TRAININGS = {"base": "Base", "without_u": "Ours (w/o U)", "with_u": "Ours", "upper": "Upper"}
IMAGES = {ORIGINAL: "raw"}


def images(variant: str) -> str:
    """
    >>> images("original"), images("blurred")
    ('raw', 'blurred')
    """
    return IMAGES.get(variant, variant)
