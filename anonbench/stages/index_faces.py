"""List the pictures on which face detectors are tried: the validation images of a folder in WIDER FACE's layout."""

from __future__ import annotations

from pathlib import Path

from anonbench.core.parallel import parallel_map
from anonbench.data.records import DISTRACTOR_PID, ImageRecord
from anonbench.data.tables import write_manifest
from anonbench.detectors._tinyfaces.face_images import read_wider_face
from anonbench.stages.index import describe_images


def index_faces(root: Path, manifest: Path, workers: int) -> None:
    """Write a manifest of `WIDER_val/images` below `root`, so that `detect` can work on it. Nobody has an identity.

    Every image is decoded once. Raises `DataError` for missing annotations or images.
    """
    paths = [face_image.path.relative_to(root).as_posix() for face_image in read_wider_face(root, "val")]
    records = [ImageRecord(path, DISTRACTOR_PID, 0, "gallery") for path in paths]
    images = parallel_map(describe_images, (root,), records, workers, "index-faces")
    write_manifest(manifest, images)
    print(f"index-faces: {len(images)} images")
