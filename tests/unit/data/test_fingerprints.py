"""Fingerprints: which pictures are one picture, changed."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from anonbench.data.fingerprints import ALIKE, BITS, distances, fingerprint, tells
from anonbench.data.images import RGB


def test_a_changed_copy_is_near_and_another_picture_is_far(rendered_crops: list[RGB]) -> None:
    prints = np.stack([fingerprint(image) for image in rendered_crops])
    own = distances(prints, prints)
    assert (own.diagonal() == 0).all()
    assert own[~np.eye(len(own), dtype=bool)].min() > ALIKE
    for image, mark in zip(rendered_crops, prints, strict=True):
        buffer = io.BytesIO()
        smaller = Image.fromarray(image).resize((96, 192))
        smaller.save(buffer, "JPEG", quality=60)
        boxed = image.copy()
        boxed[20:50, 40:80] = 0
        for changed in (np.asarray(Image.open(buffer)), boxed):
            assert distances(mark[None], fingerprint(changed)[None])[0, 0] <= ALIKE


def test_bits_are_counted_one_by_one() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 256, (3, BITS // 8), dtype=np.uint8) for _ in range(2))
    naive = [[int(np.unpackbits(x ^ y).sum()) for y in b] for x in a]
    assert distances(a.view(np.uint64), b.view(np.uint64)).tolist() == naive


def test_a_picture_of_one_colour_tells_nothing(rendered_crops: list[RGB]) -> None:
    assert not tells(np.full((64, 32, 3), 90, np.uint8))
    assert all(tells(image) for image in rendered_crops)
