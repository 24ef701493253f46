"""Unpack the archive in which CUHK03 is given out."""

from __future__ import annotations

from typing import Literal

from anonbench.core.command import Input, Output, command
from anonbench.datasets._cuhk03_mat import unpack as unpack_cuhk03


@command("data")
def unpack(root: Input, output: Output, boxes: Literal["detected", "labeled"] = "detected", threads: int = 1) -> None:
    """Extract the images of CUHK03's cuhk-03.mat.

    root: folder with `cuhk-03.mat`; only read.
    output: new folder for the images.
    boxes: crops by a detector, or drawn by hand.
    """
    unpack_cuhk03(root, output, boxes, threads)
