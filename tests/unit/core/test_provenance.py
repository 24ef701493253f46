"""The code digest and the stamps."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from anonbench import provenance
from anonbench.provenance import code_digest, file_sha256, write_stamp

Write = Callable[[str, str], None]
FILES = {
    "__init__.py": "",
    "stages/__init__.py": "",
    "stages/hide.py": '''"""Hide."""
import numpy
from anonbench.tables import read
from anonbench import errors


def hide(x):
    """Hides x."""
    from anonbench.late import helper  # inside a function, too

    return read(helper(x))
''',
    "tables.py": "import anonbench.errors\n\n\ndef read(x):\n    return x\n",
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
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "anonbench/provenance.py"))
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
        ("tables.py", "return x", "return x + 1"),
        ("tables.py", "def read(x)", "def read(x, y=1)"),
        ("errors.py", "Exception", "ValueError"),  # through `import anonbench.errors` and `from anonbench import`
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
        ("tables.py", "def read(x):\n", 'def read(x):\n    """Now with a docstring."""\n'),
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
    write("tables.py", "def read(x):\n    return 'a'\n")
    before = digest()
    write("tables.py", "def read(x):\n    return 'b'\n")
    assert digest() != before


def test_a_new_module_counts_from_its_import_on(write: Write) -> None:
    before = digest()
    write("extra.py", "B = 1\n")
    assert digest() == before
    write("tables.py", FILES["tables.py"] + "from anonbench.extra import B\n")
    with_import = digest()
    assert with_import != before
    write("extra.py", "B = 2\n")
    assert digest() != with_import


def test_circular_imports_end(write: Write) -> None:
    write("errors.py", "import anonbench.tables\n")
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
        [tmp_path / "out.csv"], "0123456789ab", 1.23456,
    )  # fmt: skip
    stamp = json.loads((tmp_path / "stamps/s.json").read_text())
    assert stamp["stage"] == "table"
    assert stamp["settings"] == {"seed": 3}
    assert stamp["inputs"] == {
        str(tmp_path / "in.csv"): hashlib.sha256(b"in").hexdigest(),
        str(tmp_path / "folder"): None,
    }
    assert stamp["outputs"] == {str(tmp_path / "out.csv"): hashlib.sha256(b"out").hexdigest()}
    assert stamp["code"] == "0123456789ab"
    assert stamp["seconds"] == 1.23
    assert set(stamp["machine"]) == {"platform", "python", "device"}
    assert stamp["machine"]["device"]
    assert all(stamp["versions"][name] for name in ("anonbench", "torch", "numpy"))


def test_the_hash_of_what_is_not_there(tmp_path: Path) -> None:
    assert file_sha256(tmp_path / "gone") is None
