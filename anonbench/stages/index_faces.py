"""List the pictures on which face detectors are tried: the validation images of a folder in WIDER FACE's layout."""

from __future__ import annotations

from anonbench.core.command import Input, Output, command
from anonbench.core.parallel import parallel_map
from anonbench.data.pictures import ListedPicture, describe_images, write_manifest
from anonbench.data.wider_face import read_wider_face

SPLIT = "val"


@command("data")
def index_faces(root: Input, output: Output, threads: int = 1) -> None:
    """List the validation images of a folder in WIDER FACE's layout, so that `detect` can work on them.

    Nobody has an identity. Every image is decoded once. Raises `DataError` for missing annotations or images.

    root: folder with `WIDER_val/images` and their annotations; only read.
    output: manifest (CSV), a row an image.
    """
    faces = read_wider_face(root, SPLIT)
    listed = [ListedPicture(image.path.relative_to(root).as_posix(), SPLIT) for image in faces]
    images = [picture for picture, _ in parallel_map(describe_images, (root,), listed, threads, "index-faces")]
    write_manifest(output, images)
    print(f"index-faces: {len(images)} images")
