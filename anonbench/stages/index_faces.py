"""List the pictures on which face detectors are tried: the validation images of a folder in WIDER FACE's layout."""

from __future__ import annotations

from anonbench.core.command import Input, Output, command
from anonbench.core.parallel import parallel_map
from anonbench.data.records import DISTRACTOR_PID, ImageRecord
from anonbench.data.tables import write_manifest
from anonbench.detectors._tinyfaces.face_images import read_wider_face
from anonbench.stages.index import describe_images


@command("data")
def index_faces(root: Input, output: Output, threads: int = 1) -> None:
    """List the validation images of a folder in WIDER FACE's layout, so that `detect` can work on them.

    Nobody has an identity. Every image is decoded once. Raises `DataError` for missing annotations or images.

    root: folder with `WIDER_val/images` and their annotations; only read.
    output: manifest (CSV), a row an image.
    """
    paths = [face_image.path.relative_to(root).as_posix() for face_image in read_wider_face(root, "val")]
    records = [ImageRecord(path, DISTRACTOR_PID, 0, "gallery") for path in paths]
    images = parallel_map(describe_images, (root,), records, threads, "index-faces")
    write_manifest(output, images)
    print(f"index-faces: {len(images)} images")
