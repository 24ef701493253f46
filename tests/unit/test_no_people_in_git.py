"""Images of real people never enter git: every image and archive that git holds or ever held is one of a few we made.

What counts is the content: a JPEG called `notes.txt` is found, and so is one inside an SVG. What was removed in a later
commit is found in the history, where everybody who clones still gets it.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from dataset_writers import write_image

ROOT = Path(__file__).parents[2]

# Each image in git, and the script that draws it from rendered people. Real people have no place here.
ALLOWED = {"docs/images/variants.png": "docs/images/make_variants.py"}

IMAGE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jp2", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".heic", ".avif",
    ".ico", ".raw", ".mp4", ".avi", ".mov", ".mkv", ".webm",
)  # fmt: skip
IMAGE_STARTS = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|RIFF....(WEBP|AVI )|II\*\0|MM\0\*|BM....\0\0\0\0|P[1-6]\s+\d+\s+\d+\s"
    rb"|....ftyp|\0\0\0\x0cjP  |\x1aE\xdf\xa3",
    re.DOTALL,
)
INSIDE_TEXT = re.compile(rb"data:(image/(?!svg)|video/)[^,\"']{0,60};base64,\s*[A-Za-z0-9+/\s]{200}")

# May hold images: arrays, tensors, MATLAB files, archives, documents.
ARCHIVE_SUFFIXES = (
    ".npz", ".npy", ".pt", ".pth", ".ckpt", ".mat", ".h5", ".hdf5", ".pkl", ".pickle", ".zip", ".tar", ".gz", ".tgz",
    ".bz2", ".xz", ".zst", ".7z", ".rar", ".lmdb", ".mdb", ".tfrecord", ".parquet", ".sqlite", ".db", ".pdf",
)  # fmt: skip
ARCHIVE_STARTS = re.compile(
    rb"PK\x03\x04|\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!|\x28\xb5\x2f\xfd|\x93NUMPY|\x89HDF|MATLAB \d|SQLite|%PDF|PAR1"
    rb"|\x80[\x02-\x05]|.{257}ustar",
    re.DOTALL,
)
SMALL = 1_000  # bytes: less than any archive with a picture of a face needs


def what_it_holds(path: str, data: bytes) -> str | None:
    """Why a file is suspect, None when it is not."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in IMAGE_SUFFIXES or IMAGE_STARTS.match(data):
        return "an image"
    if INSIDE_TEXT.search(data):
        return "an image inside text"
    if len(data) > SMALL and (suffix in ARCHIVE_SUFFIXES or ARCHIVE_STARTS.match(data)):
        return f"an archive or array of {len(data):,} bytes"
    return None


def git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def in_the_index(repository: Path) -> dict[str, str]:
    """Path of each file in git's index -> object."""
    lines = git(repository, "ls-files", "--stage", "-z").split("\0")[:-1]
    return {path: entry.split()[1] for entry, path in (line.split("\t", 1) for line in lines)}


def in_the_history(repository: Path) -> Iterator[tuple[str, str]]:
    """(path, object) of each file of each commit of each branch and tag, as it was at first and as it was changed."""
    # Raw lines of what commits add and change, merges against each parent: one object may have had several paths.
    log = git(
        repository, "log", "--all", "-m", "--root", "--raw", "--no-abbrev", "--no-renames", "--format=",
        "--diff-filter=AMT", "-z",
    )  # fmt: skip
    parts = log.split("\0")[:-1]
    for entry, path in zip(parts[::2], parts[1::2], strict=True):
        yield path, entry.split()[3]


def contents(repository: Path, objects: list[str]) -> Iterator[bytes]:
    """The bytes of each object, by one process."""
    with tempfile.TemporaryFile() as names:
        names.write("".join(f"{name}\n" for name in objects).encode())
        names.seek(0)
        command = ["git", "-C", str(repository), "cat-file", "--batch"]
        with subprocess.Popen(command, stdin=names, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for name in objects:
                found, kind, size = process.stdout.readline().split()
                assert (found.decode(), kind) == (name, b"blob"), f"{name} is {kind!r}"
                yield process.stdout.read(int(size))
                process.stdout.read(1)


def suspects(repository: Path, paths: dict[str, set[str]]) -> list[str]:
    """A line for each (object -> its paths) that may show people."""
    objects = sorted(paths)
    return sorted(
        f"{path} ({name[:8]}): {why}"
        for name, data in zip(objects, contents(repository, objects), strict=True)
        for path in paths[name]
        if (why := what_it_holds(path, data)) and path not in ALLOWED
    )


def suspects_now(repository: Path) -> list[str]:
    return suspects(repository, {name: {path} for path, name in in_the_index(repository).items()})


def suspects_ever(repository: Path) -> list[str]:
    paths: dict[str, set[str]] = {}
    for path, name in in_the_history(repository):
        paths.setdefault(name, set()).add(path)
    return suspects(repository, paths)


@pytest.fixture(scope="module")
def ours() -> Path:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is nothing that could have entered git")
    return ROOT


def test_no_image_is_in_git(ours: Path) -> None:
    assert suspects_now(ours) == []


def test_no_image_was_ever_in_git(ours: Path) -> None:
    if git(ours, "rev-parse", "--is-shallow-repository").strip() == "true":
        pytest.skip("shallow clone: the history is not here (git fetch --unshallow)")
    assert suspects_ever(ours) == []


def test_what_is_allowed_is_drawn_by_a_script(ours: Path) -> None:
    tracked = in_the_index(ours)
    for picture, script in ALLOWED.items():
        assert picture in tracked, f"{picture} is gone: take it out of ALLOWED"
        assert script in tracked
        text = (ours / script).read_text()
        assert PurePosixPath(picture).name in text
        assert "rendered" in text
        assert "data/raw" not in text


def test_raw_data_is_ignored(ours: Path) -> None:
    for path in ("data/raw/some-data", "data/raw/some-data/query/a.jpg", "data/raw/a.zip", "data/rendered/x/a.png"):
        done = subprocess.run(["git", "-C", ours, "check-ignore", "-q", "--no-index", path], check=False)
        assert done.returncode == 0, f"git would take {path}"
    for path in ("data/raw/some-data.dvc", "data/raw/.gitkeep"):
        done = subprocess.run(["git", "-C", ours, "check-ignore", "-q", "--no-index", path], check=False)
        assert done.returncode == 1, f"git would not take {path}"
    assert [p for p in in_the_index(ours) if p.startswith("data/") and not p.endswith((".dvc", "/.gitkeep"))] == []


# --- the search itself ---


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "code.py").write_text("print('BM PK GIF8 P6')\n")
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-qm", "x")


def jpeg(folder: Path) -> None:
    write_image(folder / "a face.jpg")


def renamed(folder: Path) -> None:
    write_image(folder / "a.png")
    (folder / "a.png").rename(folder / "notes.txt")


def base64(folder: Path) -> None:
    (folder / "a.svg").write_text('<image href="data:image/jpeg;base64,' + "/9j/4AAQ" * 40 + '"/>')


def array(folder: Path) -> None:
    np.savez(folder / "crops.npz", np.zeros((20, 20, 3), np.uint8))


def archive(folder: Path) -> None:
    with zipfile.ZipFile(folder / "docs.bin", "w") as file:
        file.writestr("a", bytes(2000))


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (jpeg, r"a face\.jpg \(\w{8}\): an image"),
        (renamed, r"notes\.txt \(\w{8}\): an image"),
        (base64, r"a\.svg \(\w{8}\): an image inside text"),
        (array, r"crops\.npz \(\w{8}\): an archive or array of 1,\d\d\d bytes"),
        (archive, r"docs\.bin \(\w{8}\): an archive or array of 2,\d\d\d bytes"),
    ],
)
def test_it_is_found_now_and_after_its_removal(repository: Path, write: Callable[[Path], None], expected: str) -> None:
    write(repository)
    assert suspects_now(repository) == []  # not in git yet
    git(repository, "add", "--all")
    (found,) = suspects_now(repository)
    assert re.fullmatch(expected, found)
    assert suspects_ever(repository) == []  # not committed yet

    commit(repository)
    for path in git(repository, "ls-files", "-z").split("\0")[:-1]:
        if path != "code.py":
            (repository / path).unlink()
    commit(repository)
    assert suspects_now(repository) == []
    assert suspects_ever(repository) == [found]


def test_other_branches_later_versions_and_merges(repository: Path) -> None:
    main = git(repository, "branch", "--show-current").strip()
    git(repository, "checkout", "-qb", "other")
    renamed(repository)
    commit(repository)
    git(repository, "checkout", "-q", main)
    (repository / "log.txt").write_text("text\n")
    commit(repository)
    write_image(repository / "b.png", seed=1)
    (repository / "b.png").replace(repository / "log.txt")  # a text file that becomes an image
    commit(repository)
    found = [line.split(" ")[0] for line in suspects_ever(repository)]
    assert found == ["log.txt", "notes.txt"]
    git(repository, "-c", "user.name=T", "-c", "user.email=t@example.org", "merge", "-q", "-m", "m", "other")
    assert sorted({line.split(" ")[0] for line in suspects_ever(repository)}) == ["log.txt", "notes.txt"]


def test_text_and_small_archives_pass(repository: Path) -> None:
    (repository / "code.py").write_text("'data:image/png;base64,iVBORw0KGgo='  # a short example\n")
    (repository / "plot.svg").write_text("<svg><path d='M0 0'/></svg>")
    np.savez(repository / "tiny.npz", np.zeros(3))
    commit(repository)
    assert suspects_ever(repository) == []
