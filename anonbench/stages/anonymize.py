"""Write a copy of a dataset in which the detected faces are hidden."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from anonbench.anonymizers import ANONYMIZERS
from anonbench.anonymizers._apply import anonymize_image
from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.errors import DataError
from anonbench.core.files import atomic_folder
from anonbench.core.parallel import parallel_map
from anonbench.core.registry import load_plugins
from anonbench.core.shards import open_shards, shard_key
from anonbench.data.images import clip_box, decode_image, encode_image, read_bytes, sha256
from anonbench.data.records import Detection, IndexedImage
from anonbench.data.seeding import image_generator
from anonbench.data.tables import read_detections, read_manifest, read_sidecars, write_manifest

# Keys of a variant's config entry that are not parameters of its anonymizer.
ENTRY_KEYS = ("detector", "box_scale", "jpeg_quality")


@command("anonymize", plugin="anonbench.anonymizers:ANONYMIZERS")
def anonymize(
    manifest: Input,
    detections: Input,
    root: Input,
    spec: Spec,
    sidecars: Input,
    output: Output,
    output_manifest: Output,
    threads: int = 1,
    plugins: Sequence[str] = (),
    resume_dir: Path | None = None,
    code: str = "",
) -> None:
    """Write a copy of a dataset in which the detected faces are hidden: same tree, names and formats.

    An image without a box is copied byte for byte. JPEG is re-encoded only where pixels are hidden. Nothing that is not
    in the manifest is copied, since it might show the faces again.

    manifest: the images (CSV of `index`).
    detections: their face boxes (CSV of `detect`).
    root: folder that their paths are relative to; only read.
    spec: config entry of the variant, `{method, detector, box_scale, jpeg_quality, **parameters}`.
    sidecars: list of the text and protocol files below `root` that the copy needs too (CSV of `index`).
    output: new folder for the copy.
    output_manifest: its manifest (CSV).
    resume_dir: where the images written so far are kept, so that a killed run goes on. Removed on success, and used for
        the same entry, images, boxes and code only.
    """
    images = read_manifest(manifest)
    boxes = read_detections(detections)
    extra = read_sidecars(sidecars)
    missing = [image.path for image in images if image.path not in boxes]
    if missing or len(boxes) != len(images):
        what = f"{missing[0]} is not in it" if missing else "it lists images that the manifest does not"
        raise DataError(f"{detections}: does not belong to {manifest}: {what}. Run the detection again.")
    load_plugins(plugins)
    plugin = ANONYMIZERS.create(spec, ignore=ENTRY_KEYS)
    jobs = [(image, boxes[image.path]) for image in images]
    data = [
        (i.path, i.width, i.height, i.sha256, [(d.x0, d.y0, d.x1, d.y1, d.score) for d in found]) for i, found in jobs
    ]
    key = shard_key(plugin, root, dict(spec), data, extra, code)
    with open_shards(resume_dir, key, "anonymize") as shards, atomic_folder(output, shards.scratch) as folder:
        for parent in sorted({Path(path).parent for path in (*(i.path for i in images), *extra)}):
            (folder / parent).mkdir(parents=True, exist_ok=True)
        for name in extra:
            (folder / name).write_bytes(read_bytes(root / name))
        written = {path: digest for path, digest in shards.finished.items() if _is_intact(folder / path, digest)}

        def keep(job: tuple[IndexedImage, list[Detection]], digest: str) -> None:
            written[job[0].path] = digest
            shards.add(job[0].path, digest)

        left = [job for job in jobs if job[0].path not in written]
        parallel_map(
            open_anonymizer, (root, folder, dict(spec), list(plugins)), left, threads, "anonymize", receive=keep
        )
        # Before the folder appears: were it the last step, a full disk would leave a variant without a manifest.
        write_manifest(output_manifest, [dataclasses.replace(image, sha256=written[image.path]) for image in images])
    changed = sum(written[image.path] != image.sha256 for image in images)
    print(f"anonymize: {changed} of {len(images)} images changed, {len(images) - changed} copied byte for byte")


def _is_intact(file: Path, digest: str) -> bool:
    """Whether a file has been written to the end: after a power cut it may be there and be empty."""
    return file.is_file() and sha256(file.read_bytes()) == digest


def open_anonymizer(
    root: Path, folder: Path, variant: Mapping[str, Any], plugins: list[str]
) -> Callable[[tuple[IndexedImage, list[Detection]]], str]:
    """A function that writes the anonymized copy of one image to `folder` and returns the SHA-256 of the file."""
    load_plugins(plugins)
    anonymizer = ANONYMIZERS.create(variant, ignore=ENTRY_KEYS)
    scale, quality = float(variant["box_scale"]), int(variant["jpeg_quality"])

    def write(job: tuple[IndexedImage, list[Detection]]) -> str:
        image, detections = job
        source = root / image.path
        data = read_bytes(source)
        if sha256(data) != image.sha256:
            raise DataError(f"{source}: has changed since it was indexed. Index the dataset again.")
        boxes = [clip_box(d, image.width, image.height, scale) for d in detections]
        inside = [box for box in boxes if box is not None]
        if inside:
            pixels = anonymize_image(decode_image(data, source), inside, anonymizer, image_generator(image.path))
            data = encode_image(pixels, source.suffix, quality)
        (folder / image.path).write_bytes(data)
        return sha256(data)

    return write
