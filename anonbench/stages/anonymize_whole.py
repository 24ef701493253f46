"""Write a copy of a dataset in which every picture is hidden as a whole.

    anonbench anonymize-whole --manifest original.csv --root data/raw/market1501 --sidecars sidecars.csv \\
        --spec '{"method": "mosaic", "cell_px": 12, "resize": [128, 64]}' --output mosaic --output-manifest mosaic.csv
"""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from anonbench.anonymizers import ANONYMIZERS
from anonbench.anonymizers._apply import hide, is_learned
from anonbench.core import checks
from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.errors import ConfigError
from anonbench.core.fields import build
from anonbench.core.registry import load_plugins
from anonbench.core.shards import shard_key
from anonbench.data.images import RGB, decode_image, read_bytes, resize, sha256
from anonbench.data.left_out import left_out_of
from anonbench.data.pictures import Picture, read_manifest, read_sidecars
from anonbench.data.regions import Region
from anonbench.data.seeding import image_generator
from anonbench.stages._copies import Job, Sidecars, Writer, demand_weights, read_indexed, write_copies

LABEL = "anonymize_whole"
SUFFIXES = {"png": (".png",), "jpeg": (".jpg", ".jpeg")}
CHROMA = {"4:4:4": 0, "4:2:0": 2}  # Pillow's numbers
# What says where something is in a picture, in its pixels: columns of a table, keys of a text.
PLACE = re.compile(r"x|y|w|h|width|height|left|top|right|bottom|box|bbox\w*|[xy]\d|[xy](?:min|max)|\w+_[xy]")
PLACES_IN_TEXT = re.compile(rb"\b(?:bbox|boxes|keypoints|segmentation|x0|xmin)\b[\"']?\s*:")


@dataclass(frozen=True)
class Storage:
    """How the pictures of a copy are stored: keys of a variant's entry that its anonymizer does not have.

    resize: height and width in pixels to which every picture is brought before it is hidden; null: its own size.
    encoding: png keeps every value, which a recovery needs; or jpeg.
    jpeg_quality: 1..100, of jpeg alone.
    chroma: of jpeg alone, "4:4:4" or "4:2:0": whether colour has all pixels or one of four.
    """

    resize: tuple[int, int] | None = None
    encoding: str = "png"
    jpeg_quality: int | None = None
    chroma: str | None = None

    def __post_init__(self) -> None:
        for side in self.resize or ():
            checks.integer("resize", side, 1)
        checks.choice("encoding", self.encoding, SUFFIXES)
        if self.encoding == "jpeg":
            checks.integer("jpeg_quality", self.jpeg_quality, 1)
            checks.number("jpeg_quality", self.jpeg_quality, 1, 100)
            checks.choice("chroma", self.chroma, CHROMA)
            return
        for name, value in (("jpeg_quality", self.jpeg_quality), ("chroma", self.chroma)):
            if value is not None:
                raise ValueError(f"{name} is {value}, and a {self.encoding} has none; take it out, or encode as jpeg")

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Storage:
        """Raises `ConfigError` for a value that is none, and an entry that has a detector."""
        if entry.get("detector"):
            raise ConfigError(
                f"detector is '{entry['detector']}', and this hides whole pictures; write `detector: null`, or hide "
                f"what it finds (on the command line: anonbench anonymize)"
            )
        keys = {field.name for field in dataclasses.fields(cls)}
        return build(cls, {key: value for key, value in entry.items() if key in keys}, "variant of whole pictures")

    def encode(self, image: RGB) -> bytes:
        """(H, W, 3) uint8 as a file that holds these pixels and nothing else."""
        buffer = io.BytesIO()
        if self.encoding == "png":
            Image.fromarray(image).save(buffer, "PNG")
        else:
            subsampling = CHROMA[str(self.chroma)]
            Image.fromarray(image).save(buffer, "JPEG", quality=self.jpeg_quality, subsampling=subsampling)
        return buffer.getvalue()

    def size_of(self, image: Picture) -> tuple[int, int]:
        """Height and width of a picture's copy."""
        return self.resize or (image.height, image.width)


# Keys of a variant's config entry that are not parameters of its anonymizer.
ENTRY_KEYS = ("detector", "gpu", "of", "training", *(field.name for field in dataclasses.fields(Storage)))


@command("anonymize", gpu=True, plugin="anonbench.anonymizers:ANONYMIZERS", needs={"spec": ("method",)})
def anonymize_whole(
    manifest: Input,
    root: Input,
    spec: Spec,
    output: Output,
    output_manifest: Output,
    sidecars: Input | None = None,
    weights: Input | None = None,
    dropped: Input | None = None,
    device: str | None = None,
    threads: int = 1,
    plugins: Sequence[str] = (),
    resume_dir: Path | None = None,
    code: str = "",
) -> None:
    """Write a copy of a dataset in which every picture is hidden as a whole: same tree, same names.

    Every picture of the manifest is decoded, resized (Pillow's bilinear filter), hidden and encoded anew. Nothing else
    of its file survives: no EXIF, comment, colour profile, preview, grey or palette mode, no further picture.

    A copy takes the original's place, so files keep their names whatever their format: a PNG may be called 0001.jpg.
    Readers that look at the first bytes (Pillow, OpenCV, torchreid, this package) do not mind. Labels and splits of
    the manifest stay; width, height and SHA-256 are the copy's.

    Where pictures change their size, text files that say where something is in them (columns such as x0, bbox, nose_x;
    keys such as bbox in JSON and YAML) would be wrong, so that the copy has none of these. They are named.

    manifest: the images (CSV of `index`); with `of` in the entry the manifest of that other variant's stored copy.
    root: folder that their paths are relative to; only read. With `of` that stored copy: what it lost is lost.
    spec: config entry of the variant, `{method, resize: [height, width] | null, encoding: png | jpeg, **parameters}`;
        with jpeg also `{jpeg_quality: 1..100, chroma: "4:4:4" | "4:2:0"}`.
    sidecars: list of the text and protocol files that the copy needs too (CSV of `index`). Of tables the columns that a
        reader needs are copied. Left out: the copy has none.
    output: new folder for the copy.
    output_manifest: its manifest (CSV).
    weights: file of weights, for a learned anonymizer.
    dropped: list of the images that are left out (CSV of `index`), where some are on request: rows about them are left
        out of such tables too.
    device: cuda, or auto where there is a GPU: takes a free one for this job. cpu hides all. Left out: the anonymizer's
        own choice.
    resume_dir: where the images written so far are kept, so that a killed run goes on. Removed on success, and used for
        the same entry, weights, images and code only.
    """
    images = read_manifest(manifest)
    load_plugins(plugins)
    entry = {**spec, "weights": str(weights)} if weights else dict(spec)
    storage = Storage.of(entry)
    plugin = ANONYMIZERS.create(entry, ignore=ENTRY_KEYS)
    demand_weights(plugin, entry["method"])
    copies = [dataclasses.replace(i, height=storage.size_of(i)[0], width=storage.size_of(i)[1]) for i in images]
    _demand_sizes(plugin, entry["method"], copies)
    resized = any(copy != image for copy, image in zip(copies, images, strict=True))
    files, misplaced = _sort_sidecars(root, read_sidecars(sidecars) if sidecars else {}, resized, bool(entry.get("of")))
    beside = Sidecars(root, files, left_out_of(dropped) if dropped else [])
    data = [(image.path, image.sha256) for image in images]
    jobs: list[Job] = [
        (image, [Region((0, 0, copy.width, copy.height), "body", source="default")])
        for image, copy in zip(images, copies, strict=True)
    ]
    size = int(plugin.batch) if is_learned(plugin) else 1
    write_copies(
        LABEL, [jobs[first : first + size] for first in range(0, len(jobs), size)], copies, beside, open_writer,
        (entry, list(plugins)), output, output_manifest, threads=threads, resume_dir=resume_dir,
        key=shard_key(plugin, root, entry, data, files, code),
    )  # fmt: skip
    _say(copies, storage, misplaced)
    beside.say(LABEL)
    beside.say_named(LABEL)


def open_writer(root: Path, folder: Path, entry: Mapping[str, Any], plugins: list[str]) -> Writer:
    """A function that writes the hidden copies of some images to `folder` and returns the SHA-256 of each file."""
    load_plugins(plugins)
    anonymizer, storage = ANONYMIZERS.create(entry, ignore=ENTRY_KEYS), Storage.of(entry)

    def write(batch: Sequence[Job]) -> list[str]:
        pictures = [
            resize(decode_image(read_indexed(root, image), root / image.path), storage.size_of(image))
            for image, _ in batch
        ]
        rngs = [image_generator(image.path) for image, _ in batch]
        made = hide(pictures, [regions for _, regions in batch], anonymizer, rngs)
        files = [storage.encode(picture) for picture in made]
        for (image, _), data in zip(batch, files, strict=True):
            (folder / image.path).write_bytes(data)
        return [sha256(data) for data in files]

    return write


def _demand_sizes(plugin: Any, method: str, copies: Sequence[Picture]) -> None:
    """Raise `ConfigError` for the first picture of a size that the anonymizer does not take."""
    step = getattr(plugin, "multiple_px", 1)
    wrong = next((copy for copy in copies if copy.height % step or copy.width % step), None)
    if wrong is not None:
        raise ConfigError(
            f"anonymizer '{method}' takes pictures whose height and width are multiples of {step} pixels with these "
            f"weights; {wrong.path} has {wrong.height} x {wrong.width} (height x width). Write the `resize:` it was "
            f"trained with into the variant's entry, or train a generator with fewer levels."
        )


def _sort_sidecars(
    root: Path, files: Mapping[str, tuple[str, ...]], resized: bool, is_copy: bool
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The files that go with the copy, and those left out since they say where something is in pictures of other sizes.

    is_copy: `root` is a copy itself, which may have been made without such files; its own log names them.
    """
    there = {name: columns for name, columns in files.items() if not is_copy or (root / name).exists()}
    misplaced = [name for name, columns in there.items() if resized and _says_where(root / name, columns)]
    return {name: columns for name, columns in there.items() if name not in misplaced}, misplaced


def _says_where(file: Path, columns: Sequence[str]) -> bool:
    """Whether a text file names places in pictures. columns: of a table, those that a copy gets; () for all."""
    suffix = file.suffix.lower()
    if suffix in (".json", ".yaml", ".yml"):
        return PLACES_IN_TEXT.search(read_bytes(file)) is not None
    if suffix != ".csv":
        return False
    header = read_bytes(file).decode("utf-8-sig", errors="replace").partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    found = columns or next(csv.reader([header.strip()], delimiter=delimiter), [])
    return any(PLACE.fullmatch(name.strip().lower()) for name in found)


def _say(copies: Sequence[Picture], storage: Storage, misplaced: Sequence[str]) -> None:
    """What was done, and all that a reader would not expect."""
    sizes = sorted({(copy.height, copy.width) for copy in copies})
    size = f"{sizes[0][0]} x {sizes[0][1]} pixels (height x width)" if len(sizes) == 1 else f"{len(sizes)} sizes"
    jpeg = f" of quality {storage.jpeg_quality}, {storage.chroma}" if storage.encoding == "jpeg" else ""
    print(f"{LABEL}: {len(copies)} images hidden as a whole, {storage.encoding}{jpeg}, {size}")
    others = [copy.path for copy in copies if Path(copy.path).suffix.lower() not in SUFFIXES[storage.encoding]]
    if others:
        print(
            f"{LABEL}: {len(others)} files are {storage.encoding} whatever their names say, the first: {others[0]}. "
            f"Readers that look at the first bytes (Pillow, OpenCV, torchreid) do not mind."
        )
    if misplaced:
        named = ", ".join(misplaced[:5]) + (", …" if misplaced[5:] else "")
        print(f"{LABEL}: left out, since they say where something is in pictures of another size: {named}")
