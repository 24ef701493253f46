"""Atomic files and folders: all or nothing, and a message where nothing can be written."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

import pytest

from anonbench.core import files
from anonbench.core.errors import DataError
from anonbench.core.files import atomic_file, atomic_folder, write_bytes, write_text


def write_and_fail(path: Path, failure: type[BaseException]) -> None:
    path.write_text("half")
    raise failure


def test_writes_into_folders_that_are_not_there_yet(tmp_path: Path) -> None:
    write_text(tmp_path / "a/b/c.txt", "σ\n")
    assert (tmp_path / "a/b/c.txt").read_bytes() == "σ\n".encode()
    write_bytes(tmp_path / "a/b/d.bin", b"\0")
    assert sorted(p.name for p in (tmp_path / "a/b").iterdir()) == ["c.txt", "d.bin"]


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with atomic_file(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent  # a rename is atomic within one disk only
    assert path.read_text() == "new"


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, FileNotFoundError])
def test_a_failure_leaves_the_old_file_and_nothing_else(failure: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(failure), atomic_file(path) as temporary:
        write_and_fail(temporary, failure)
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]
    assert path.read_text() == "old"


def test_a_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "a/out") as folder:
        (folder / "x").write_text("x")
        assert not (tmp_path / "a/out").exists()
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["out"]
    assert (tmp_path / "a/out/x").read_text() == "x"


def test_a_folder_has_no_name_before_the_disk_has_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(folder: Path) -> None:
        assert (folder / "x").read_text() == "x"
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "_all_to_disk", full)
    with pytest.raises(DataError, match="Make room on that disk"), atomic_folder(tmp_path / "out") as folder:
        (folder / "x").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_refuses_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        @staticmethod
        def syncfs(number: int) -> int:
            assert os.path.samestat(os.fstat(number), tmp_path.stat())
            ctypes.set_errno(errno.EDQUOT)
            return -1

    files._all_to_disk(tmp_path)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Library)
    with pytest.raises(OSError, match=os.strerror(errno.EDQUOT)):
        files._all_to_disk(tmp_path)


def test_an_empty_folder_is_replaced_and_one_with_content_kept(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "x").write_text("x")
    with (
        pytest.raises(DataError, match=r"out: already there and not empty\. Move it away"),
        atomic_folder(tmp_path / "out"),
    ):
        pytest.fail("must not get here")
    assert (tmp_path / "out/x").read_text() == "x"


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_no_folder(failure: type[BaseException], tmp_path: Path) -> None:
    with pytest.raises(failure), atomic_folder(tmp_path / "out") as folder:
        write_and_fail(folder / "x", failure)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("mine")
    with pytest.raises(
        DataError, match=r"a\.csv: cannot be written .*There is a file where a folder is needed: move it"
    ):
        write_text(tmp_path / "results/a.csv", "x")
    with pytest.raises(DataError, match=r"a/b\.csv: cannot be written .*There is a file where a folder is needed"):
        write_text(tmp_path / "results/a/b.csv", "x")
    with (
        pytest.raises(DataError, match="There is a file where a folder is needed"),
        atomic_folder(tmp_path / "results/a"),
    ):
        pytest.fail("must not get here")
    message = "results: is a file, but the output is a folder"
    with pytest.raises(DataError, match=message), atomic_folder(tmp_path / "results"):
        pytest.fail("must not get here")
    assert (tmp_path / "results").read_text() == "mine"


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(DataError, match=r"a\.csv: cannot be written .*There is a folder where a file is needed"):
        write_text(tmp_path / "a.csv", "x")
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "Check who owns its folder"),
        (errno.EPERM, "Check who owns its folder"),
        (errno.EROFS, "Choose an output on a disk that can be written to"),
        (errno.ENOSPC, "Make room on that disk"),
        (errno.EDQUOT, "Make room within your quota"),
    ],
)
def test_what_the_system_refuses_becomes_advice(
    number: int, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", refuse)
        with pytest.raises(DataError, match=rf"a\.csv: cannot be written \({os.strerror(number)}: .*\)\. {advice}\."):
            write_text(tmp_path / "a.csv", "x")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", refuse)
        with pytest.raises(DataError, match=rf"out: cannot be written .*{advice}"), atomic_folder(tmp_path / "out"):
            pytest.fail("must not get here")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="the permissions of root are not restricted")
def test_a_folder_of_somebody_else(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DataError, match=r"a\.csv: cannot be written \(Permission denied"):
            write_text(tmp_path / "a.csv", "x")
    finally:
        tmp_path.chmod(0o700)


def test_other_failures_keep_their_name(tmp_path: Path) -> None:
    """A bug of ours is not to be taken for a full disk."""
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "a.csv"):
        (tmp_path / "missing").read_text()


def test_a_full_disk_is_named_with_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda p: Path(p) == tmp_path)
    with (
        pytest.raises(
            DataError,
            match=rf"a\.csv: .* {tmp_path} has [\d,.]+ of [\d,.]+ MB and room for \d+ more files left\)\. Make room",
        ),
        atomic_file(tmp_path / "new/a.csv"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_folder_that_is_kept_stays_after_a_failure_and_is_gone_after_success(tmp_path: Path) -> None:
    kept, path = tmp_path / "resume/files", tmp_path / "images/zero"
    with pytest.raises(RuntimeError), atomic_folder(path, kept) as folder:
        write_and_fail(folder / "x", RuntimeError)
    assert (kept / "x").read_text() == "half"
    assert not path.exists()
    with atomic_folder(path, kept) as folder:
        assert folder == kept
        (folder / "y").write_text("y")
    assert sorted(p.name for p in path.iterdir()) == ["x", "y"]
    assert not kept.exists()


def test_a_kept_folder_on_another_disk_is_copied_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, path = tmp_path / "resume/files", tmp_path / "images/zero"
    rename = Path.rename

    def across(self: Path, target: Path) -> Path:
        if self == kept:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", across)
    with atomic_folder(path, kept) as folder:
        (folder / "cam").mkdir()
        (folder / "cam/x").write_text("x")
        assert not path.exists()
    assert (path / "cam/x").read_text() == "x"
    assert [p.name for p in path.parent.iterdir()] == ["zero"]
