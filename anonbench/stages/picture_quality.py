"""How alike the pictures of a copy and the originals are: PSNR and SSIM of every picture, and their means."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.errors import DataError
from anonbench.core.files import write_text
from anonbench.core.progress import ProgressBar
from anonbench.data.images import RGB, decode_image, resize
from anonbench.data.pictures import Picture, read_manifest
from anonbench.data.tables import write_csv
from anonbench.stages._copies import read_indexed
from anonbench.tasks.reversible.quality import WINDOW, psnr_of, squared_error, ssim

LABEL = "picture_quality"
IMAGE_COLUMNS = ("path", "split", "psnr", "ssim")


@dataclass(frozen=True)
class Likeness:
    """Of one picture and its original.

    error: mean squared error in squared grey levels; 0 for identical ones.
    ssim: structural similarity, at most 1.
    """

    error: float
    ssim: float

    @property
    def psnr(self) -> float:
        """In dB; inf for identical pictures."""
        return _psnr(self.error)


@command("evaluate")
def picture_quality(
    manifest: Input,
    root: Input,
    reference_manifest: Input,
    reference_root: Input,
    labels: Spec,
    output: Output,
    images: Output,
    parts: Sequence[str] = ("query", "gallery"),
    splits: Input | None = None,
    split: int | None = None,
    threads: int = 1,
) -> None:
    """Compare the pictures of a copy with the originals, resized to the copy's size (Pillow's bilinear filter).

    The copy is read from its stored files. PSNR in dB and SSIM (window 11, sigma 1.5, inside the picture alone) are
    those of `tasks.reversible.quality`; `psnr` and `ssim` are means over images. `psnr_pooled` is the PSNR of the mean
    squared error of all images, as the public code of Zhang et al. 2022 has it, there batch by batch.

    Pictures equal to their original have an infinite PSNR: `identical` counts them, and `psnr` is the mean of the
    others; null where there are none. `psnr_pooled` and `ssim` take all. Standard errors take images as independent;
    those of one person are not, so that intervals should be clustered, from `images`.

    manifest: the copy's (CSV of `anonymize` or `anonymize_whole`).
    root: the copy's folder.
    reference_manifest: the originals (CSV of `index`).
    reference_root: folder of the originals.
    labels: what the numbers belong to (dataset, variant, run). Copied into the output.
    output: `n`, `identical`, `psnr`, `psnr_se`, `psnr_pooled`, `ssim`, `ssim_se` (JSON).
    images: psnr and ssim of every picture (CSV path, split, psnr, ssim; psnr inf for identical ones).
    parts: splits whose pictures are compared.
    splits: roles of the images in the further splits of the dataset (CSV of `index`).
    split: which of them to take `parts` from, from 0 on. Left out: the manifest's own.
    """
    pairs = _pairs(manifest, reference_manifest, parts, splits, split)
    torch.set_num_threads(1)  # a thread a picture
    found: list[Likeness] = []
    with ThreadPoolExecutor(max(1, threads)) as pool, ProgressBar(len(pairs), LABEL, "images") as bar:
        for likeness in pool.map(lambda pair: _compare(root, reference_root, *pair), pairs):
            found.append(likeness)
            bar.update(1)
    rows = [
        [copy.path, copy.split, f"{f.psnr:.6f}", f"{f.ssim:.8f}"] for (copy, _), f in zip(pairs, found, strict=True)
    ]
    write_csv(images, IMAGE_COLUMNS, rows)
    values = {**labels, "parts": list(parts), **summarize(found)}
    write_text(output, json.dumps(values, indent=1) + "\n")
    mean = "none" if values["psnr"] is None else f"{values['psnr']:.2f} dB"
    print(f"{LABEL}: PSNR {mean}, SSIM {values['ssim']:.4f}, {values['n']} images, {values['identical']} identical")


def summarize(found: Sequence[Likeness]) -> dict[str, Any]:
    """Means, standard errors and counts of some pictures, at least one; null for what is infinite or not there."""
    psnrs = [one.psnr for one in found if one.error > 0]
    psnr, psnr_se = _mean(psnrs)
    similarity, ssim_se = _mean([one.ssim for one in found])
    pooled = _psnr(math.fsum(one.error for one in found) / len(found))
    return {
        "n": len(found),
        "identical": len(found) - len(psnrs),
        "psnr": psnr,
        "psnr_se": psnr_se,
        "psnr_pooled": pooled if math.isfinite(pooled) else None,
        "ssim": similarity,
        "ssim_se": ssim_se,
    }


def _mean(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Mean and standard error; None where there are too few values."""
    if not values:
        return None, None
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None
    return float(np.mean(values)), error


def _psnr(error: float) -> float:
    return float(psnr_of(torch.tensor(error, dtype=torch.float64)))


def _pairs(
    manifest: Path, reference: Path, parts: Sequence[str], splits: Path | None, split: int | None
) -> list[tuple[Picture, Picture]]:
    """Every picture of the copy that counts, with its original.

    Raises `DataError` where there are none, one has no original, or one is smaller than SSIM's window.
    """
    copies = [copy for copy in read_manifest(manifest, splits, split) if copy.split in parts]
    if not copies:
        raise DataError(f"{manifest}: no image has split {' or '.join(map(repr, parts))}; there is nothing to compare.")
    originals = {image.path: image for image in read_manifest(reference)}
    missing = [copy.path for copy in copies if copy.path not in originals]
    if missing:
        raise DataError(
            f"{reference}: has no {missing[0]} ({len(missing)} of {len(copies)} images of {manifest} are missing). "
            f"Expected the manifest of the dataset that was copied."
        )
    small = next((copy for copy in copies if min(copy.height, copy.width) < WINDOW), None)
    if small is not None:
        raise DataError(
            f"{manifest}: {small.path} has {small.height} x {small.width} pixels (height x width); SSIM needs at least "
            f"{WINDOW} x {WINDOW}. Write a larger `resize:` into the variant's entry."
        )
    return [(copy, originals[copy.path]) for copy in copies]


def _compare(root: Path, reference_root: Path, copy: Picture, original: Picture) -> Likeness:
    image = decode_image(read_indexed(root, copy), root / copy.path)
    reference = decode_image(read_indexed(reference_root, original), reference_root / original.path)
    a, b = _tensors([image, resize(reference, (image.shape[0], image.shape[1]))])
    return Likeness(float(squared_error(a, b)), float(ssim(a, b)))


def _tensors(images: Iterable[RGB]) -> list[Tensor]:
    """(h, w, 3) uint8 each to (1, 3, h, w) uint8."""
    return [torch.tensor(image).permute(2, 0, 1)[None] for image in images]
