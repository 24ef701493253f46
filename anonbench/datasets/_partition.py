"""Partitions as RSL-NEU/person-reid-benchmark writes them: a MATLAB structure of masks, or an array of them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
from numpy.typing import NDArray

from anonbench.core.errors import DataError

NAME = "partition"
MASKS = ("idx_train", "idx_test", "idx_probe", "idx_gallery")
UNREADABLE = (OSError, ValueError, TypeError, NotImplementedError, zlib.error, scipy.io.matlab.MatReadError)


def read_partition(file: Path, paths: Sequence[str]) -> list[dict[str, str]]:
    """The splits of a partition file, each a map image path -> role; `paths` in the order of the dataset's lists.

    The file holds a structure `partition`, or an array of them, of masks: `idx_train` and `idx_test` (N,) over all
    images, `idx_probe` and `idx_gallery` (rounds, T) over the T test images in their order. Every round of every
    structure is a split: those of the first structure come first. Both kinds of MATLAB file are read, up to version 7
    and 7.3.

    Source: `TrainTestSplits/partition_prepare.m` of RSL-NEU/person-reid-benchmark (Karanam et al. 2018), and its
    files Partition_viper.mat (10 structures of 2 rounds) and Partition_caviar.mat (10 of 1), both version 7.3. The
    dataset's own file comes on request and was not tried.

    Raises `DataError` when it cannot be read, its masks have other sizes, or one image is in two parts.
    """
    structures = _read_hdf5(file) if h5py.is_hdf5(file) else _read_classic(file)
    splits: list[dict[str, str]] = []
    for number, structure in enumerate(structures, 1):
        name = NAME if len(structures) == 1 else f"{NAME}({number})"
        absent = [key for key in MASKS if key not in structure]
        if absent:
            raise DataError(f"{file}: {name} has no {' and no '.join(absent)}. Expected {', '.join(MASKS)}.")
        splits += _rounds(f"{file}: {name}", structure, paths)
    if not splits:
        raise DataError(f"{file}: has no structure '{NAME}', or an empty one. Expected {', '.join(MASKS)} in it.")
    return splits


def _rounds(where: str, structure: Mapping[str, Any], paths: Sequence[str]) -> list[dict[str, str]]:
    masks = {key: _mask(where, structure, key, len(paths)) for key in MASKS[:2]}
    train, test = masks["idx_train"][0], masks["idx_test"][0]
    tested = np.flatnonzero(test)
    probes, galleries = (_mask(where, structure, key, len(tested)) for key in MASKS[2:])
    if len(probes) != len(galleries) or (train & test).any() or (probes & galleries).any():
        raise DataError(f"{where} contradicts itself: an image is in two parts, or a split lacks one.")
    parts = (
        {"train": np.flatnonzero(train), "query": tested[probe], "gallery": tested[gallery]}
        for probe, gallery in zip(probes, galleries, strict=True)
    )
    return [{paths[i]: split for split, found in part.items() for i in found.tolist()} for part in parts]


def _mask(where: str, structure: Mapping[str, Any], key: str, length: int) -> NDArray[np.bool_]:
    """(rounds, length) bool."""
    mask = np.atleast_2d(np.asarray(structure[key]))
    if mask.shape[1] != length or len(mask) == 0 or not np.isin(mask, (0, 1)).all():
        raise DataError(f"{where}: {key} is not a mask of {length} images in its rows; found the shape {mask.shape}.")
    return mask.astype(bool)


def _read_classic(file: Path) -> list[Mapping[str, Any]]:
    """The structures of a MATLAB file up to version 7."""
    try:
        found = scipy.io.loadmat(file, simplify_cells=True).get(NAME)
    except UNREADABLE as error:
        raise DataError(f"{file}: not a readable MATLAB file ({error}). Fetch it again.") from error
    several = found if isinstance(found, list | tuple | np.ndarray) else [found]
    return [entry for entry in np.ravel(np.asarray(several, object)) if isinstance(entry, dict)]


def _read_hdf5(file: Path) -> list[Mapping[str, Any]]:
    """The structures of a MATLAB file of version 7.3. MATLAB's (a, b) is (b, a) there.

    A field of one structure is a data set; of an array of structures it is a matrix of references, one a structure.
    """
    try:
        with h5py.File(file, "r") as content:
            group = content.get(NAME)
            if not isinstance(group, h5py.Group):
                return []
            fields = {key: group[key] for key in MASKS if key in group}
            if not any(field.dtype.kind == "O" for field in fields.values()):
                return [{key: field[()].T for key, field in fields.items()}]
            columns = {key: [content[ref][()].T for ref in np.ravel(field[()])] for key, field in fields.items()}
    except (*UNREADABLE, KeyError, RuntimeError, AttributeError) as error:
        raise DataError(f"{file}: not a readable MATLAB 7.3 (HDF5) file ({error}). Fetch it again.") from error
    count = max(map(len, columns.values()))
    return [{key: column[i] for key, column in columns.items() if i < len(column)} for i in range(count)]
