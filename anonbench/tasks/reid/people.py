"""Manifests of people with identities: what training, embedding and counting need."""

from __future__ import annotations

from pathlib import Path

from anonbench.data.pictures import Picture, read_manifest
from anonbench.datasets import IDENTITY, SPLITS


def read_people(manifest: Path, splits: Path | None = None, split: int | None = None) -> list[Picture]:
    """The pictures of a manifest for re-identification: labelled pid and camid, in train, query and gallery.

    splits, split: roles from another split of the dataset than the manifest's (`data.pictures.read_manifest`).
    Raises `DataError` for a manifest whose pictures have no identities, or with a split of another kind.
    """
    return read_manifest(manifest, splits, split, needs=IDENTITY, roles=SPLITS)
