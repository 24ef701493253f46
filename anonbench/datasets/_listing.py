"""What every dataset adapter returns, and the checks that every dataset must pass."""

from __future__ import annotations

import functools
import inspect
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from anonbench.core.errors import ConfigError, DataError
from anonbench.core.fields import check_types, refuse_unknown
from anonbench.data.images import IMAGE_SUFFIXES
from anonbench.data.left_out import LeftOut
from anonbench.data.pictures import DroppedImage, Listed, ListedPicture
from anonbench.data.tables import MOST, raise_all
from anonbench.datasets import DISTRACTOR_PID, JUNK_PID, SCENE_SPLITS, SPLITS, PersonImage

SIDECAR_SUFFIXES = (".txt", ".md", ".csv", ".json", ".yaml", ".yml")  # text cannot show a face
EXPECT = ("published", "any")
NAMELESS = "name that is not UTF-8, or has a backslash or a control character: rename it"
NOT_PORTABLE = re.compile(r"[\x00-\x1f\x7f\\\udc80-\udcff]")  # bytes that are no UTF-8 arrive as lone surrogates
SHOWN = 5  # names quoted in a message about many files
Image = TypeVar("Image", bound=Listed)


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """What a format is called, what its folder looks like and who gives the data out.

    layout: the tree below the dataset's folder, for messages and docs.
    categories: of its instances, where every dataset of this format has the same.
    """

    title: str
    format: str
    layout: str
    citation: str
    licence: str
    request_from: str
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DatasetListing:
    """Every file below a dataset's root, in exactly one of three groups, each sorted by path.

    images: the images of the protocol: each a `PersonImage`, or in a dataset of scenes a `ListedPicture`.
    dropped: images outside the protocol, and files that may hold images (thumbnail caches, archives), with the reason.
        A copy with hidden faces must leave them out: they would show the faces again.
    sidecars: text and protocol files that a drop-in copy needs, relative to the root.
    columns: of sidecars that are tables of the user's own, the columns that a reader needs. A copy gets no others: a
        name or a place would undo what is hidden.
    Hidden folders, and hidden files that are no images (`.DS_Store`, `.snakemake_timestamp`), are in none.
    splits: path -> "train", "query" or "gallery", one map for each way in which the dataset is divided; the first is
        what `images` says. Empty for a dataset with one division.
    roles: the splits that every dataset of this kind has.
    label_pictures: those sidecars that are image files and show which pixel belongs to what, but nobody.
    """

    images: tuple[Listed, ...]
    dropped: tuple[DroppedImage, ...]
    sidecars: tuple[str, ...]
    splits: tuple[Mapping[str, str], ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    roles: tuple[str, ...] = SPLITS
    label_pictures: frozenset[str] = frozenset()

    @property
    def people(self) -> tuple[PersonImage, ...]:
        """The images of a dataset for re-identification; () of one of scenes, where nobody has an identity."""
        return tuple(image for image in self.images if isinstance(image, PersonImage))


@dataclass(frozen=True, slots=True)
class SplitCounts:
    """Published size of a split. identities counts people alone, without junk and distractors."""

    images: int
    identities: int = 0
    junk: int = 0


def adapter(
    info: DatasetInfo, instances: Callable[..., Any] | None = None
) -> Callable[[Callable[..., DatasetListing]], Callable[..., DatasetListing]]:
    """Decorator of every adapter: attaches `info`; `ConfigError` for an unknown option or a wrong type.

    instances: of a format with pictures of scenes, what reads who and what stands where (`_instances.Reader`).
    """

    def decorate(read: Callable[..., DatasetListing]) -> Callable[..., DatasetListing]:
        known = [p.name for p in inspect.signature(read).parameters.values() if p.kind is p.KEYWORD_ONLY]

        @functools.wraps(read)
        def checked(root: Path, **options: Any) -> DatasetListing:
            where = f"dataset format '{info.format}'"
            refuse_unknown(options, known, where, "option")
            check_types(read, options, where)
            return read(Path(root), **options)

        checked.info = info  # type: ignore[attr-defined]
        checked.instances = instances  # type: ignore[attr-defined]
        return checked

    return decorate


def check_choice(info: DatasetInfo, key: str, value: object, allowed: Collection[str]) -> None:
    """Raise `ConfigError` unless the option `key` has one of its allowed values."""
    if value not in allowed:
        raise ConfigError(
            f"dataset format '{info.format}': option '{key}' is {value!r}; expected one of {', '.join(allowed)}."
        )


def list_files(root: Path, info: DatasetInfo) -> list[str]:
    """Every file below `root` as a sorted relative path with forward slashes; linked files and folders count as real.

    Hidden folders and hidden files that are no images are left out, and so is what `unusable_files` lists.

    Raises `DataError` when there is no such folder (saying what belongs there and who has it), when part of it cannot
    be read, or when a link leads back to a folder above itself.
    """
    if not root.is_dir():
        kind = "is a file, not a folder" if root.exists() else "no such folder"
        raise DataError(f"{root}: {kind}. {describe(info)}")
    return sorted(path for path, why in _walk(str(root)) if why is None)


def unusable_files(root: Path) -> list[DroppedImage]:
    r"""What no job could read or name below `root`, with the reason; bytes of names that are no UTF-8 as `\xff`."""
    found = ((_printable(path), why) for path, why in _walk(str(root)) if why is not None)
    return [DroppedImage(path, why) for path, why in sorted(found)]


def _printable(path: str) -> str:
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _fault_of(entry: os.DirEntry[str]) -> str | None:
    """Why a file cannot be used, None where it can."""
    if NOT_PORTABLE.search(entry.name):
        return NAMELESS
    if not entry.is_file():
        dangling = entry.is_symlink() and not Path(entry.path).exists()
        return "link to a file that is not there" if dangling else "not a regular file (a pipe, socket or device)"
    if not os.access(entry.path, os.R_OK):
        return "no permission to read it"
    return None


def _walk(folder: str, below: str = "", above: tuple[str, ...] = ()) -> Iterator[tuple[str, str | None]]:
    """(path under `below`, why it cannot be used or None) of the files in a folder.

    above: the real paths of the folders that led here.
    """
    real = os.path.realpath(folder)
    if real in above:
        raise DataError(f"{folder}: links back to a folder above it, so its files have no end. Remove the link.")
    try:
        with os.scandir(folder) as found:
            entries = [(entry, entry.is_dir()) for entry in found]
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror}). Fix its permissions.") from error
    for entry, is_folder in entries:
        path, hidden = f"{below}{entry.name}", is_hidden(entry.name)
        if not is_folder:
            if is_image(path) or not hidden:
                yield path, _fault_of(entry)
        elif not hidden and NOT_PORTABLE.search(entry.name):
            yield path, NAMELESS
        elif not hidden:
            yield from _walk(entry.path, f"{path}/", (*above, real))


def describe(info: DatasetInfo) -> str:
    """Two sentences and a tree for error messages: what is expected in a dataset's folder, where it comes from."""
    return f"Expected {info.title} (format '{info.format}') laid out as\n{info.layout}\n{info.request_from}"


def is_image(path: str) -> bool:
    """Whether a file name has the suffix of an image."""
    return path.lower().endswith(IMAGE_SUFFIXES)


def is_hidden(path: str) -> bool:
    """Whether a file's name starts with a dot, such as the `._x.jpg` that macOS leaves beside `x.jpg`."""
    return path.rpartition("/")[2].startswith(".")


def is_text(path: str) -> bool:
    """Whether a file name has the suffix of a text file."""
    return path.lower().endswith(SIDECAR_SUFFIXES)


def complete(
    root: Path,
    info: DatasetInfo,
    images: Iterable[PersonImage],
    files: Iterable[str],
    reason: Callable[[str], str],
    sidecar: Callable[[str], bool] = is_text,
    splits: Sequence[Mapping[str, str]] = (),
    columns: Mapping[str, tuple[str, ...]] | None = None,
) -> DatasetListing:
    """Check the images that an adapter found and sort all other `files` below the root into sidecars and dropped.

    reason: why an image file is not part of the protocol.
    sidecar: whether a file without image suffix belongs into a drop-in copy.
    splits: the divisions of a dataset that has several; each must pass the same checks.
    columns: as `DatasetListing`.

    Raises `DataError` for a path listed twice, an empty split, junk or distractors outside the gallery, an identity
    both in training and in test, or queries of which none has a match under another camera.
    """
    ordered = tuple(sorted(images, key=lambda image: image.path))
    _check_unique(root, ordered)
    for where, divided in _divisions(str(root), ordered, splits):
        _check_splits(root, where, info, divided, SPLITS)
        _check_identities(where, divided)
    others = _others(ordered, files)
    sidecars = [path for path in others if not is_image(path) and sidecar(path)]
    return DatasetListing(
        ordered, _dropped(root, others, sidecars, reason), tuple(sidecars), tuple(splits), dict(columns or {})
    )


def complete_scenes(
    root: Path,
    info: DatasetInfo,
    images: Iterable[ListedPicture],
    files: Iterable[str],
    reason: Callable[[str], str],
    label_picture: Callable[[str], bool] = lambda path: False,
) -> DatasetListing:
    """As `complete`, for pictures of scenes: nobody has an identity, and the splits are train and val.

    label_picture: whether an image file shows labels, such as which pixel belongs to which person. A copy needs it.

    Raises `DataError` for a path listed twice or an empty split.
    """
    ordered = tuple(sorted(images, key=lambda image: image.path))
    _check_unique(root, ordered)
    _check_splits(root, f"{root}: ", info, ordered, SCENE_SPLITS)
    others = _others(ordered, files)
    labels = frozenset(path for path in others if is_image(path) and not is_hidden(path) and label_picture(path))
    sidecars = [path for path in others if path in labels or (not is_image(path) and is_text(path))]
    return DatasetListing(
        ordered,
        _dropped(root, others, sidecars, reason),
        tuple(sidecars),
        roles=SCENE_SPLITS,
        label_pictures=labels,
    )


def _others(images: Iterable[Listed], files: Iterable[str]) -> list[str]:
    return sorted(set(files) - {image.path for image in images})


def _dropped(
    root: Path, others: Iterable[str], sidecars: Iterable[str], reason: Callable[[str], str]
) -> tuple[DroppedImage, ...]:
    kept = set(sidecars)
    left_out = [DroppedImage(path, _why_dropped(path, reason)) for path in others if path not in kept]
    return tuple(sorted(left_out + unusable_files(root), key=lambda image: image.path))


def leave_out(root: Path, listing: DatasetListing, listed: Mapping[str, LeftOut]) -> DatasetListing:
    """The listing without some of its images, which are dropped for the reason given. What is dropped already stays so.

    Raises `DataError` for paths that are no images of the dataset, the first ten of them, and where the images that are
    left fail the checks of `complete`.
    """
    known, dropped = {image.path for image in listing.images}, {image.path for image in listing.dropped}
    raise_all(
        [
            f"{why.where}: {path} is no picture of the dataset. Paths are relative to {root}, with forward slashes, "
            f"and distinguish upper from lower case."
            for path, why in listed.items()
            if path not in known | dropped
        ]
    )
    gone = [DroppedImage(path, why.reason) for path, why in listed.items() if path in known]
    return without(f"{root} without the {len(gone)} images that are left out", listing, gone)


def without(where: str, listing: DatasetListing, gone: Sequence[DroppedImage]) -> DatasetListing:
    """The listing with some of its images dropped.

    where: the folder and what was left out of it, for messages.
    Raises `DataError` where the images that are left fail the checks of `complete`.
    """
    paths = {image.path for image in gone}
    images = tuple(image for image in listing.images if image.path not in paths)
    splits = tuple({path: role for path, role in split.items() if path not in paths} for split in listing.splits)
    for place, divided in _divisions(where, images, splits):
        empty = [role for role in listing.roles if not any(image.split == role for image in divided)]
        if empty:
            raise DataError(f"{place}no image is left for {' and '.join(empty)}. Leave out fewer.")
        if listing.people:
            _check_identities(place, [image for image in divided if isinstance(image, PersonImage)])
    dropped = tuple(sorted((*listing.dropped, *gone), key=lambda image: image.path))
    return replace(listing, images=images, dropped=dropped, splits=splits)


def check_published(
    root: Path, info: DatasetInfo, listing: DatasetListing, published: Mapping[str, SplitCounts], expect: object
) -> None:
    """Compare a listing with the published size of its dataset, unless `expect` is "any"; `DataError` when it differs.

    Raises `ConfigError` when `expect` is neither "published" nor "any".
    """
    check_choice(info, "expect", expect, EXPECT)
    if expect == "any":
        return
    differences = []
    for where, images in _divisions("", listing.images, listing.splits):
        for split, expected in published.items():
            listed = [image for image in images if image.split == split]
            pids = [image.pid for image in listed if isinstance(image, PersonImage)]
            people = {pid for pid in pids if pid not in (JUNK_PID, DISTRACTOR_PID)}
            found = SplitCounts(len(listed), len(people), pids.count(JUNK_PID))
            if found != expected:
                differences.append(f"  {where}{split}: found {_counts(found)}; expected {_counts(expected)}")
    if differences:
        raise DataError(
            f"{root}: not the published {info.title}:\n" + "\n".join(differences) + "\n"
            "Is the copy complete, and nothing added? If it is a subset or rendered on purpose, write `expect: any` "
            "in the dataset's config entry."
        )


def check_twins(root: Path, paths: Iterable[str]) -> None:
    """Raise `DataError` when two image files differ by suffix alone, such as `a.png` and `a.jpg`."""
    seen: dict[PurePosixPath, str] = {}
    for path in sorted(paths):
        stem = PurePosixPath(path).with_suffix("")
        if stem in seen:
            raise DataError(
                f"{root}: {seen[stem]} and {path} are two files for one image. Keep the one that the dataset shipped."
            )
        seen[stem] = path


def some(names: Iterable[object]) -> str:
    """A few names, sorted, and how many more there are: 'a, b, c, d, e and 7 more'."""
    ordered = sorted(names)  # type: ignore[type-var]
    more = len(ordered) - SHOWN
    return ", ".join(map(str, ordered[:SHOWN])) + (f" and {more} more" if more > 0 else "")


def _divisions(
    root: str, images: Sequence[Image], splits: Sequence[Mapping[str, str]]
) -> Iterator[tuple[str, Sequence[Image]]]:
    """(how a message names the division, the images under it) for what the images say and each later split."""
    yield f"{root}: " if root else "", images
    for number, roles in enumerate(splits[1:], 1):
        where = f"split {number}: "
        yield f"{root}: {where}" if root else where, [replace(i, split=roles[i.path]) for i in images]  # type: ignore[type-var]


def _check_unique(root: Path, images: Iterable[Listed]) -> None:
    seen: set[str] = set()
    for image in images:
        if image.path in seen:
            raise DataError(f"{root}: {image.path} is listed twice; expected one entry an image.")
        seen.add(image.path)


def _check_splits(root: Path, where: str, info: DatasetInfo, images: Collection[Listed], roles: Sequence[str]) -> None:
    empty = [split for split in roles if not any(image.split == split for image in images)]
    if empty:
        entries = some(e.name for e in root.iterdir() if not e.name.startswith(".")) or "nothing"
        raise DataError(f"{where}no image for {' and '.join(empty)}; the folder holds {entries}. {describe(info)}")


def _check_identities(where: str, images: Collection[PersonImage]) -> None:
    for image in images:
        if image.pid < JUNK_PID or (image.pid <= DISTRACTOR_PID and image.split != "gallery"):
            raise DataError(
                f"{where}{image.path} has pid {image.pid} in the split {image.split}; expected a pid >= 1 "
                f"(0 = distractor and -1 = junk are for the gallery alone)."
            )
        if max(image.pid, image.camid) > MOST:
            raise DataError(f"{where}{image.path} has pid {image.pid}, camid {image.camid}; expected at most {MOST}.")
    train = {image.pid for image in images if image.split == "train"}
    both = train & {image.pid for image in images if image.split != "train"}
    if both:
        raise DataError(
            f"{where}{len(both)} identities are both in train and in query or gallery: {some(both)}. "
            f"Re-identification is measured on people whom the model has not seen; move each to one side."
        )
    cameras: dict[int, set[int]] = {}
    for image in images:
        if image.split == "gallery":
            cameras.setdefault(image.pid, set()).add(image.camid)
    if not any(cameras.get(image.pid, set()) - {image.camid} for image in images if image.split == "query"):
        raise DataError(
            f"{where}no query has a gallery image of the same identity under another camera, so nothing can be "
            f"measured. Are pid and camid numbered alike in query and gallery?"
        )


def _why_dropped(path: str, reason: Callable[[str], str]) -> str:
    if is_hidden(path):
        return "hidden file"
    if is_image(path):
        return reason(path)
    return "not a text or protocol file: may hold images"


def _counts(counts: SplitCounts) -> str:
    junk = f", {counts.junk:,} junk" if counts.junk else ""
    people = f" of {counts.identities:,} identities" if counts.identities else ""
    return f"{counts.images:,} images{people}{junk}"
