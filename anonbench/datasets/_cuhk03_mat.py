"""Extract the images of the official CUHK03 release from `cuhk-03.mat`.

The file is HDF5 (MATLAB 7.3). `detected` and `labeled` are cell arrays of five camera pairs; a pair is a cell array of
persons x 10 images, the first five from one view and the last five from the other. An absent image is empty. HDF5
stores MATLAB's arrays with their axes in reverse order.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import h5py
import numpy as np

from anonbench.core.errors import DataError
from anonbench.core.files import atomic_folder, write_bytes
from anonbench.core.parallel import end_with_parent
from anonbench.core.progress import ProgressBar
from anonbench.data.images import RGB, encode_image, read_bytes
from anonbench.datasets._listing import check_choice
from anonbench.datasets.cuhk03 import BOXES, INFO, find_protocol, protocol_name

IMAGES_PER_VIEW = 5
PERSONS_PER_TASK = 50
Task = tuple[int, int, int]  # camera pair, first person, one past the last; all counted from zero


def unpack(root: Path, output: Path, boxes: str = "detected", workers: int = 1) -> int:
    """Write the images as lossless PNG into `output/images_{boxes}` and the protocol file beside; returns their number.

    root: the folder of the release, with `cuhk-03.mat` in it or in `cuhk03_release/`, and the protocol file
        `cuhk03_new_protocol_config_{boxes}.mat` beside that. Nothing is written below it.
    output: a folder outside `root`. `images_{boxes}` appears there when it is complete.
    workers: processes. The result does not depend on their number.

    Images are called `{pair}_{person:03d}_{view}_{image:02d}.png`, counted from one, as in the protocol's file list.

    Raises `DataError` for missing or malformed files, and when `output` lies below `root` or is taken already.
    """
    check_choice(INFO, "boxes", boxes, BOXES)
    source = find_release(root)
    protocol = find_protocol(root if (root / protocol_name(boxes)).is_file() else source.parent, boxes)
    if output.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{output}: lies inside {root}, which is never written to. Choose a folder elsewhere.")

    tasks = list(_tasks(source, boxes))
    with atomic_folder(output / f"images_{boxes}") as folder:
        write_bytes(output / protocol_name(boxes), read_bytes(protocol))
        arguments = ([source] * len(tasks), [boxes] * len(tasks), tasks, [folder] * len(tasks))
        if workers <= 1:
            return _total(map(_extract, *arguments), len(tasks), boxes)
        with ProcessPoolExecutor(workers, initializer=end_with_parent) as pool:
            return _total(pool.map(_extract, *arguments), len(tasks), boxes)


def find_release(root: Path) -> Path:
    """The path of `cuhk-03.mat`. Raises `DataError` when it is missing."""
    for path in (root / "cuhk-03.mat", root / "cuhk03_release" / "cuhk-03.mat"):
        if path.is_file():
            return path
    raise DataError(
        f"{root}: holds neither cuhk-03.mat nor cuhk03_release/cuhk-03.mat, the official release. {INFO.request_from}"
    )


def _total(counts: Iterator[int], tasks: int, boxes: str) -> int:
    total = 0
    with ProgressBar(tasks, f"unpack CUHK03 {boxes}", "batches") as bar:
        for count in counts:
            total += count
            bar.update()
    return total


def _tasks(source: Path, boxes: str) -> Iterator[Task]:
    with _open(source, boxes) as release:
        for pair, reference in enumerate(release[boxes][0]):
            persons = release[reference].shape[1]
            for first in range(0, persons, PERSONS_PER_TASK):
                yield pair, first, min(first + PERSONS_PER_TASK, persons)


def _extract(source: Path, boxes: str, task: Task, folder: Path) -> int:
    """Write the images of some persons; runs in a worker process."""
    pair, first, end = task
    count = 0
    with _open(source, boxes) as release:
        cells = release[release[boxes][0][pair]]  # (10, persons) references
        for person in range(first, end):
            for number in range(cells.shape[0]):
                name = f"{pair + 1}_{person + 1:03d}_{number // IMAGES_PER_VIEW + 1}_{number + 1:02d}.png"
                image = _image(release[cells[number, person]], f"{source} ({boxes}, {name})")
                if image is not None:
                    (folder / name).write_bytes(encode_image(image, ".png", jpeg_quality=100))
                    count += 1
    return count


def _image(cell: h5py.Dataset, where: str) -> RGB | None:
    """(H, W, 3) uint8 RGB from a cell (3, W, H), or None for MATLAB's empty array."""
    if cell.attrs.get("MATLAB_empty", 0):
        return None
    if cell.ndim != 3 or cell.shape[0] != 3 or cell.dtype != np.uint8:
        raise DataError(f"{where}: holds {cell.dtype} of shape {cell.shape}; expected uint8 of (3, width, height).")
    try:
        return np.ascontiguousarray(cell[()].T)
    except OSError as error:
        raise DataError(f"{where}: cannot be read ({error}). The file is damaged; fetch it again.") from error


def _open(source: Path, boxes: str) -> h5py.File:
    try:
        release = h5py.File(source, "r")
    except OSError as error:
        raise DataError(f"{source}: not a readable MATLAB 7.3 (HDF5) file ({error}). Fetch it again.") from error
    if boxes not in release or release[boxes].ndim != 2:
        found = ", ".join(sorted(key for key in release if not key.startswith("#"))) or "nothing"
        release.close()
        raise DataError(f"{source}: has no cell array '{boxes}'; found {found}. Is it the official cuhk-03.mat?")
    return release
