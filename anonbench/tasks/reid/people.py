"""Manifests of people with identities: what training, embedding and counting need."""

from __future__ import annotations

from pathlib import Path

from anonbench.core.errors import DataError
from anonbench.data.pictures import Picture, read_manifest
from anonbench.datasets import IDENTITY, JUNK_PID, SPLITS


def read_people(manifest: Path, splits: Path | None = None, split: int | None = None) -> list[Picture]:
    """The pictures of a manifest for re-identification: labelled pid and camid, in train, query and gallery.

    splits, split: roles from another split of the dataset than the manifest's (`data.pictures.read_manifest`).
    Raises `DataError` for a manifest whose pictures have no identities, or with a split of another kind.
    """
    return read_manifest(manifest, splits, split, needs=IDENTITY, roles=SPLITS)


def read_training_people(manifest: Path, splits: Path | None = None, split: int | None = None) -> list[Picture]:
    """The pictures of the training split.

    splits, split: as for `read_people`.
    Raises `DataError` where there is none, or one of nobody in particular.
    """
    people = [picture for picture in read_people(manifest, splits, split) if picture.split == "train"]
    if not people:
        raise DataError(f"{manifest}: no image has split 'train'. Does this data set come without a training split?")
    junk = [picture.path for picture in people if picture.labels["pid"] == JUNK_PID]
    if junk:
        raise DataError(
            f"{manifest}: {len(junk)} images of split 'train' have pid {JUNK_PID} (junk), first {junk[0]}; "
            f"expected an identity, pid >= 0. Leave them out of the data set."
        )
    return people
