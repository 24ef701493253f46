"""Unpack the archive in which CUHK03 is given out."""

from __future__ import annotations

from pathlib import Path

from anonbench.datasets._cuhk03_mat import unpack as unpack_cuhk03


def unpack(root: Path, output: Path, boxes: str, workers: int) -> None:
    """Extract the images of `cuhk-03.mat` below `root` to the new folder `output`; `root` is only read.

    boxes: "detected" or "labeled".
    """
    unpack_cuhk03(root, output, boxes, workers)
