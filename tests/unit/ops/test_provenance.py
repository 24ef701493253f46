"""The code digest and the stamps."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from anonbench.cli import Command
from anonbench.core.command import footprint
from anonbench.core.errors import DataError
from anonbench.core.hashing import content_sha256, file_sha256, folder_sha256
from anonbench.ops import provenance
from anonbench.ops.provenance import code_digest, read_stamp, write_stamp

Write = Callable[[str, str], None]
FILES = {
    "__init__.py": "",
    "stages/__init__.py": "",
    "stages/hide.py": '''"""Hide."""
import numpy
from anonbench.data.tables import read
from anonbench import errors


def hide(x):
    """Hides x."""
    from anonbench.late import helper  # inside a function, too

    return read(helper(x))
''',
    "data/__init__.py": "",
    "data/tables.py": "import anonbench.core.errors\n\n\ndef read(x):\n    return x\n",
    "errors.py": "class Error(Exception):\n    pass\n",
    "late/__init__.py": "from anonbench.late.deep import helper\n",
    "late/deep.py": "def helper(x):\n    return x\n",
    "unrelated.py": "A = 1\n",
}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """A package `anonbench` of a few lines in place of ours; returns what replaces one of its files."""
    clock = 1_700_000_000

    def replace(name: str, text: str) -> None:
        nonlocal clock
        clock += 1  # edits within the resolution of file times count, too
        path = tmp_path / "anonbench" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        os.utime(path, (clock, clock))
        provenance._source.cache_clear()

    for name, text in FILES.items():
        replace(name, text)
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "anonbench/ops/provenance.py"))
    provenance._source.cache_clear()
    yield replace
    provenance._source.cache_clear()


def digest() -> str:
    return code_digest("anonbench.stages.hide")


def test_it_is_twelve_digits_and_repeatable(write: Write) -> None:
    assert len(digest()) == 12
    assert int(digest(), 16) >= 0
    assert digest() == digest()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("stages/hide.py", "read(helper(x))", "read(helper(-x))"),
        ("stages/hide.py", "import numpy", "import pandas"),
        ("data/tables.py", "return x", "return x + 1"),
        ("data/tables.py", "def read(x)", "def read(x, y=1)"),
        ("errors.py", "Exception", "ValueError"),  # through `import anonbench.core.errors` and `from anonbench import`
        ("late/deep.py", "return x", "return 'x'"),  # through a package, from within a function
        ("late/__init__.py", "import helper", "import helper as other"),
    ],
)
def test_it_changes_with_the_code_of_whatever_is_imported(name: str, old: str, new: str, write: Write) -> None:
    before = digest()
    assert old in FILES[name]
    write(name, FILES[name].replace(old, new))
    assert digest() != before
    write(name, FILES[name])
    assert digest() == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("stages/hide.py", "# inside a function, too", "# anywhere"),
        ("stages/hide.py", '"""Hides x."""', '"""Hides x, all of it.\n\n    With reasons.\n    """'),
        ("stages/hide.py", '"""Hide."""', '"""Hide something."""\n# why'),
        ("stages/hide.py", "read(helper(x))", "read(\n        helper(x),\n    )"),
        ("data/tables.py", "def read(x):\n", 'def read(x):\n    """Now with a docstring."""\n'),
        ("data/tables.py", "def read(x):\n", '"""About a constant above."""\n\n\ndef read(x):\n'),
        ("unrelated.py", "A = 1", "A = 2"),
        ("errors.py", "\n    pass", "\n    # nothing\n    pass"),
    ],
)
def test_it_ignores_comments_docstrings_layout_and_unrelated_modules(
    name: str, old: str, new: str, write: Write
) -> None:
    before = digest()
    assert old in FILES[name]
    write(name, FILES[name].replace(old, new))
    assert digest() == before


def test_a_text_that_is_no_docstring_counts(write: Write) -> None:
    write("data/tables.py", "def read(x):\n    return 'a'\n")
    before = digest()
    write("data/tables.py", "def read(x):\n    return 'b'\n")
    assert digest() != before


def test_a_new_module_counts_from_its_import_on(write: Write) -> None:
    before = digest()
    write("extra.py", "B = 1\n")
    assert digest() == before
    write("data/tables.py", FILES["data/tables.py"] + "from anonbench.extra import B\n")
    with_import = digest()
    assert with_import != before
    write("extra.py", "B = 2\n")
    assert digest() != with_import


def test_circular_imports_end(write: Write) -> None:
    write("errors.py", "import anonbench.data.tables\n")
    assert digest()


def test_a_plugin_module_counts_with_what_it_imports_of_ours(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path / "outside")
    plugin = tmp_path / "outside/outside_hide.py"
    plugin.parent.mkdir()
    digests = [digest()]
    for number, code in enumerate(("X = 1\n", "X = 2\n", "X = 2  # two\n", "import anonbench.unrelated\nX = 2\n")):
        plugin.write_text(code)
        os.utime(plugin, (number, number))
        digests.append(code_digest("anonbench.stages.hide", "outside_hide"))
    assert digests[2] == digests[3]
    assert len(set(digests)) == 4
    write("unrelated.py", "A = 3\n")
    assert code_digest("anonbench.stages.hide", "outside_hide") != digests[-1]


def test_other_packages_are_pinned_by_version_and_do_not_count(write: Write) -> None:
    assert code_digest("numpy_that_is_not_there", "anonbench.not_there") == code_digest()


def test_the_stages_of_the_repository_depend_on_what_they_should() -> None:
    anonymize = code_digest("anonbench.stages.anonymize")
    assert anonymize != code_digest("anonbench.stages.anonymize", "anonbench.anonymizers.zero")
    assert code_digest("anonbench.stages.detect") != anonymize


# --- stamps ---


def test_a_stamp_says_what_was_made_of_what(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"in")
    (tmp_path / "out.csv").write_bytes(b"out")
    (tmp_path / "folder").mkdir()
    write_stamp(
        tmp_path / "stamps/s.json", "table", {"seed": 3}, [tmp_path / "in.csv", tmp_path / "folder"],
        [tmp_path / "out.csv", tmp_path / "folder"], "0123456789ab", 1.23456,
    )  # fmt: skip
    stamp = json.loads((tmp_path / "stamps/s.json").read_text())
    assert stamp["stage"] == "table"
    assert stamp["settings"] == {"seed": 3}
    assert stamp["inputs"] == {
        str(tmp_path / "in.csv"): hashlib.sha256(b"in").hexdigest(),
        str(tmp_path / "folder"): None,
    }
    assert stamp["outputs"] == {
        str(tmp_path / "out.csv"): hashlib.sha256(b"out").hexdigest(),
        str(tmp_path / "folder"): hashlib.sha256(b"[]").hexdigest(),
    }
    assert stamp["code"] == "0123456789ab"
    assert stamp["seconds"] == 1.23
    assert 0 < stamp["cpu_seconds"] < 3600
    assert 20 < stamp["memory_mb"] < 10_000  # this very process
    assert stamp["threads"] == 1
    assert set(stamp["machine"]) == {"platform", "python", "kind", "device"}
    assert stamp["machine"]["device"]
    assert all(stamp["versions"][name] for name in ("anonbench", "torch", "numpy"))


def test_the_hash_of_what_is_not_there(tmp_path: Path) -> None:
    assert file_sha256(tmp_path / "gone") is None
    assert content_sha256(tmp_path / "gone") is None


def test_a_stamp_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_stamp(tmp_path / "s.json", "train", {"spec": {"epochs": 2}}, [], [tmp_path / "gone"], "0123456789ab", 2)
    stamp = read_stamp(tmp_path / "s.json")
    assert (stamp.stage, stamp.settings, stamp.code, stamp.seconds) == (
        "train",
        {"spec": {"epochs": 2}},
        "0123456789ab",
        2,
    )
    assert stamp.outputs == {str(tmp_path / "gone"): None}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stage": "train"}', "\udcff"])
def test_what_is_no_stamp(text: str, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=r"s\.json: not a stamp \(.*\)\. Make its artifact again\."):
        read_stamp(tmp_path / "s.json")


# --- folders ---


def build(folder: Path, files: dict[str, bytes]) -> str:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder_sha256(folder)


def test_the_hash_of_a_folder_is_that_of_its_sorted_list(tmp_path: Path) -> None:
    found = build(tmp_path / "one", {"b/1.jpg": b"x", "a.jpg": b"y", "b.jpg": b"z"})
    listed = [
        [name, hashlib.sha256(data).hexdigest()] for name, data in (("a.jpg", b"y"), ("b.jpg", b"z"), ("b/1.jpg", b"x"))
    ]
    assert found == hashlib.sha256(json.dumps(listed).encode()).hexdigest()
    assert content_sha256(tmp_path / "one") == found
    assert build(tmp_path / "two", {"b.jpg": b"z", "a.jpg": b"y", "b/1.jpg": b"x"}) == found


@pytest.mark.parametrize(
    "files",
    [
        {"a.jpg": b"y", "b/1.jpg": b"X"},  # other bytes
        {"a.jpg": b"y", "b/2.jpg": b"x"},  # another name
        {"a.jpg": b"y", "c/1.jpg": b"x"},  # another folder
        {"a.jpg": b"x", "b/1.jpg": b"y"},  # exchanged
        {"a.jpg": b"y"},
        {"a.jpg": b"y", "b/1.jpg": b"x", "b/2.jpg": b""},
    ],
)
def test_the_hash_of_a_folder_changes_with_names_and_bytes(files: dict[str, bytes], tmp_path: Path) -> None:
    assert build(tmp_path / "one", {"a.jpg": b"y", "b/1.jpg": b"x"}) != build(tmp_path / "two", files)


def test_hidden_files_empty_folders_and_times_do_not_count(tmp_path: Path) -> None:
    before = build(tmp_path, {"a.jpg": b"y", "b/1.jpg": b"x"})
    (tmp_path / "empty").mkdir()
    os.utime(tmp_path / "a.jpg", (1, 1))
    assert build(tmp_path, {".snakemake_timestamp": b"1", ".DS_Store/x": b"2", "b/.hidden": b"3"}) == before


# --- what a command reads, writes and was told ---


def footprint_of(*words: str) -> tuple[list[str], list[str], dict[str, object]]:
    command = Command.from_words(words)
    found = footprint(command.declared, command.values)
    return list(map(str, found.inputs)), list(map(str, found.outputs)), dict(found.settings)


def test_files_that_lie_beside_those_that_are_named() -> None:
    inputs, outputs, settings = footprint_of(
        "table", "--files", "m/a.json", "m/b.json", "p.csv", "--roles", "metrics", "metrics", "published",
        "--name", "t1", "--spec", '{"rows": "models"}', "--label", "mine", "--output", "t/t1.csv",
        "--threads", "3", "--stamp", "s.json", "--code", "0",
    )  # fmt: skip
    assert inputs == ["m/a.json", "m/b.json", "p.csv"]
    assert {"t/t1.csv", "t/t1.md", "t/t1.tex", "t/t1.runs.csv", "t/t1.compare.csv"} <= set(outputs)
    roles = ["metrics", "metrics", "published"]
    assert settings == {"spec": {"rows": "models"}, "label": "mine", "name": "t1", "roles": roles, "plugins": []}

    inputs, outputs, settings = footprint_of(
        "cells", "--metrics", "m/a.json", "--margin", "1", "--resamples", "50", "--output", "c.csv"
    )
    assert (inputs, outputs) == (["m/a.json", "m/a.queries.csv"], ["c.csv"])
    assert settings == {"margin": 1.0, "alpha": 0.05, "resamples": 50}


def test_what_one_command_writes_another_reads() -> None:
    inputs, outputs, settings = footprint_of(
        "index", "--root", "raw", "--spec", "{}", "--output", "m.csv", "--dropped", "d.csv", "--sidecars", "s.csv",
        "--splits", "splits.csv",
    )  # fmt: skip
    assert (inputs, outputs) == (["raw"], ["m.csv", "d.csv", "s.csv", "splits.csv"])
    inputs, outputs, settings = footprint_of(
        "train", "--manifest", "m.csv", "--root", "raw", "--spec", "{}", "--seed", "3", "--splits", "splits.csv",
        "--split", "1", "--output", "m.pt", "--history", "h.csv", "--resume-dir", "tmp",
    )  # fmt: skip
    assert (inputs, outputs) == (["m.csv", "raw", "splits.csv"], ["m.pt", "h.csv"])
    known = {"spec": {}, "seed": 3, "split": 1, "trained_on": "", "device": "auto", "plugins": []}
    assert settings == known
