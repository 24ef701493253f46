"""What a long stage has finished is found again by the same job, and by no other."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from anonbench.core.errors import DataError
from anonbench.core.shards import Shards, open_shards, shard_key


def interrupted(folder: Path, key: str = "k", seconds: float = 0.0, **results: object) -> None:
    """A run that finishes some results and is stopped then."""
    with contextlib.suppress(KeyboardInterrupt), open_shards(folder, key, "detect", seconds) as shards:
        for name, result in results.items():
            shards.add(name, result)
        raise KeyboardInterrupt


def found(folder: Path, key: str = "k") -> dict[str, object]:
    """What the next run finds; the folder stays as it is."""
    with contextlib.suppress(KeyboardInterrupt), open_shards(folder, key, "detect") as shards:
        seen = dict(shards.finished)
        raise KeyboardInterrupt
    return seen


def test_the_next_run_finds_what_was_finished_and_success_removes_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "resume"
    with caplog.at_level(logging.INFO):
        interrupted(folder, a=[[0.1, 2, 1 / 3]], b=[])
        assert "detect: 2 finished images are kept; the next run does the others." in caplog.text
        interrupted(folder, c=[[np.float32(0.1), 5]])
        assert "detect: 2 images were finished before; going on with the others." in caplog.text
    with open_shards(folder, "k", "detect") as shards:
        assert shards.finished == {"a": [[0.1, 2, 1 / 3]], "b": [], "c": [[float(np.float32(0.1)), 5]]}
        shards.add("d", [])
    assert not folder.exists()


def test_a_shard_is_written_when_its_time_has_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with open_shards(tmp_path / "r", "k", "detect", seconds=15) as shards:
        for seconds, written in ((14, 0), (1, 1), (14, 1), (2, 2)):
            now[0] += seconds
            shards.add(f"at {now[0]}", [])
            assert len(list((tmp_path / "r").glob("0*.json"))) == written


def test_a_kill_leaves_what_the_last_shard_holds(tmp_path: Path) -> None:
    shards = Shards(tmp_path, "detect", {}, 1000)
    shards.add("a", 1)
    shards.save()
    shards.add("b", 2)  # killed here
    (tmp_path / "key").write_text("k")
    assert found(tmp_path) == {"a": 1}


def refuse_to_remove_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """As NFS does while a file in them is open: it gets another name instead of being removed."""

    def busy(path: object, **options: object) -> None:
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(path))

    monkeypatch.setattr(os, "rmdir", busy)


def test_work_that_is_done_does_not_fail_over_what_it_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_to_remove_folders(monkeypatch)
    with open_shards(tmp_path / "r", "k", "detect", 0) as shards:
        shards.add("a", 1)
    assert found(tmp_path / "r") == {}


def test_the_lock_is_closed_before_its_folder_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remove = shutil.rmtree

    def watched(folder: Path, **options: bool) -> None:
        links = Path("/proc/self/fd").iterdir()
        assert [link for link in links if folder in Path(os.path.realpath(link)).parents] == []
        remove(folder, **options)

    monkeypatch.setattr(shutil, "rmtree", watched)
    with open_shards(tmp_path / "r", "k", "detect", 0) as shards:
        shards.add("a", 1)
    assert not (tmp_path / "r").exists()


def test_a_state_of_other_settings_is_removed_with_a_message(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "r"
    interrupted(folder, a=1)
    (folder / "files/cam0").mkdir(parents=True)
    (folder / "files/cam0/old.jpg").write_text("a face that is to be hidden otherwise")
    with contextlib.suppress(KeyboardInterrupt), open_shards(folder, "other", "anonymize", 0) as shards:
        assert shards.finished == {}
        assert not (folder / "files").exists()
        shards.add("b", 2)
        raise KeyboardInterrupt
    assert (
        "r: belongs to other settings, images or another version of the code; anonymize starts afresh." in caplog.text
    )
    assert found(folder, "other") == {"b": 2}
    assert found(folder, "k") == {}


def test_files_of_a_run_that_was_killed_before_its_first_shard_are_not_taken_for_those_of_another(
    tmp_path: Path,
) -> None:
    (tmp_path / "r/files").mkdir(parents=True)
    (tmp_path / "r/files/old.jpg").touch()
    (tmp_path / "r/key").write_text("other")
    with open_shards(tmp_path / "r", "k", "anonymize") as shards:
        assert shards.scratch == tmp_path / "r/files"
        assert not shards.scratch.exists()


@pytest.mark.parametrize("damage", [lambda t: t[: len(t) // 2], lambda t: "", lambda t: t.replace("1", "7")])
def test_a_damaged_shard_is_done_again(damage: object, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    interrupted(tmp_path / "r", a=1, b=2)
    shard = tmp_path / "r/000001.json"
    assert json.loads(shard.read_text().splitlines()[1]) == {"a": 1}
    shard.write_text(damage(shard.read_text()))  # type: ignore[operator]
    assert found(tmp_path / "r") == {"b": 2}
    assert f"{shard}: damaged; what it held is done again." in caplog.text


def test_a_failure_before_anything_was_finished_leaves_nothing(tmp_path: Path) -> None:
    interrupted(tmp_path / "r")
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_of_the_same_job_is_refused_and_disturbs_nothing(tmp_path: Path) -> None:
    with open_shards(tmp_path / "r", "k", "detect", 0) as shards:
        shards.add("a", 1)
        with (
            pytest.raises(DataError, match=r"r: another run of the same job is at work \(process \d+ on .*\)\. Wait"),
            open_shards(tmp_path / "r", "other", "detect"),
        ):
            pytest.fail("must not get here")
        assert (tmp_path / "r/000001.json").exists()


def test_without_a_folder_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with contextlib.suppress(KeyboardInterrupt), open_shards(None, "k", "detect", 0) as shards:
        assert shards.scratch is None
        shards.add("a", 1)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@dataclass(frozen=True)
class Plugin:
    file: str = "boxes.csv"
    scale: float = 2.0


def test_the_key_depends_on_parameters_settings_root_and_the_files_that_a_plugin_names(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "boxes.csv").write_text("path\n")
    key = shard_key(Plugin(), tmp_path / "one", {"a": 1}, "code")
    assert shard_key(Plugin(), tmp_path / "one", {"a": 1}, "code") == key
    others = [
        shard_key(Plugin(scale=3.0), tmp_path / "one", {"a": 1}, "code"),
        shard_key(Plugin(), tmp_path / "two", {"a": 1}, "code"),
        shard_key(Plugin(), tmp_path / "one", {"a": 2}, "code"),
        shard_key(Plugin(), tmp_path / "one", {"a": 1}, "other code"),
    ]
    (tmp_path / "one/boxes.csv").write_text("path,x0\n")
    others.append(shard_key(Plugin(), tmp_path / "one", {"a": 1}, "code"))
    assert len({key, *others}) == 6
