"""What DVC cannot read is said in a sentence."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from anonbench.core.errors import AnonbenchError, DataError
from anonbench.ops.dvc import adopt, record
from anonbench.ops.dvc.errors import in_words
from anonbench.ops.dvc.record import open_repo

MERGE = "schema: '2.0'\nstages:\n<<<<<<< HEAD\n  a: {cmd: x}\n=======\n  b: {cmd: y}\n>>>>>>> other\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of DVC with one stage; no workflow is asked."""
    from dvc.repo import Repo

    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    folder = tmp_path / "study"
    folder.mkdir()
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    Repo.init(str(folder)).close()
    (folder / "dvc.yaml").write_text("stages:\n  a:\n    cmd: touch a.txt\n    outs: [a.txt]\n")
    (folder / "a.txt").touch()
    monkeypatch.setattr(adopt, "write_settings", lambda root: None)
    for name, answer in (("write_pipeline", []), ("write_settings", None), ("_up_to_date", ({"a.txt"}, set()))):
        monkeypatch.setattr(record, name, lambda *_, answer=answer, **__: answer)
    return folder


COMMANDS = {"adopt": lambda root: adopt.adopt(root), "record": lambda root: record.record(root)}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("file", ["dvc.lock", "dvc.yaml", ".dvc/config", "data/raw/market.dvc"])
def test_marks_of_a_merge(file: str, command: str, root: Path) -> None:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(MERGE)
    with pytest.raises(DataError, match=rf"{file}:3: has the marks of a merge .*`git checkout --ours {file}`"):
        COMMANDS[command](root)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("dvc.lock", "schema: '2.0'\nstages: {a: {cmd: x, outs: 3}}\n"),
        ("dvc.lock", "stages: ["),
        ("dvc.lock", "\x00\x01"),
        ("dvc.yaml", "stages: {a: {nonsense: 1}}\n"),
        ("data/raw/market.dvc", "outs: ["),
        (".dvc/config", "[core\n"),
        (".dvc/config", "[core]\nnonsense = 1\n"),
    ],
)
def test_files_that_cannot_be_read(file: str, text: str, command: str, root: Path) -> None:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(text)
    with pytest.raises(AnonbenchError, match="DVC cannot"):
        COMMANDS[command](root)


def test_another_dvc_at_work(root: Path) -> None:
    with open_repo(root) as repo, repo.lock, pytest.raises(DataError, match="DVC cannot go on: Unable to acquire lock"):
        COMMANDS["adopt"](root)


def test_our_own_mistakes_stay_what_they_are(root: Path) -> None:
    def mistake() -> None:
        with in_words(root):
            raise KeyError("ours")

    check: Callable[[], None] = mistake
    with pytest.raises(KeyError):
        check()
