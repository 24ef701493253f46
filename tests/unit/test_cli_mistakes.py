"""Whatever a person types, a command answers with a sentence and a status, never with a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anonbench.core.command import Declaration
from anonbench.core.errors import ConfigError
from anonbench.ops.catalog import command_names, declaration, shown
from anonbench.ops.given import read_mapping, read_names, read_rows

Run = Callable[..., Any]
# Those work on the whole folder of the workflow, which the tests of each make.
ON_THE_FOLDER = {"adopt", "dvc_cells", "dvc_settings", "record", "recover", "status", "verify"}
DRAWS = {"render", "render_faces", "render_scenes"}  # with an empty spec the whole default dataset
VALUES = {"int": "2", "count": "2", "float": "0.5", "str": "x", "rows": "[]", "names": "[]"}


def arguments(declared: Declaration, read: Path, written: Path, spec: str) -> list[str]:
    words: list[str] = []
    for option in (option for option in declared.options if option.required):
        kind = {"mapping": spec, "path": str(read), **VALUES}[option.kind]
        value = str(written / option.name) if option.role == "output" else kind
        value = option.choices[0] if option.choices else value
        words += [value] if option.place else [option.flag, value]
    return words


@pytest.mark.parametrize("name", sorted({*command_names()} - ON_THE_FOLDER - DRAWS))
def test_no_mistake_ends_in_a_traceback(
    name: str, run_command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bytes").write_bytes(bytes(range(256)))
    (tmp_path / "text.csv").write_text("a,b\n1,2\n")
    declared, command = declaration(name), shown(name)
    if any(option.required for option in declared.options):
        outcome = run_command(command)
        assert (outcome.status, "arguments are required" in outcome.errors) == (2, True)
    for read, written, spec in (
        ("nothing", "out", "{}"),
        ("bytes", "out", "{}"),
        ("text.csv", "out", '{"method": "x", "format": "x", "rows": "x", "dataset": 1}'),
        ("text.csv", "text.csv/below", "{}"),
    ):
        outcome = run_command(command, *arguments(declared, tmp_path / read, tmp_path / written, spec))
        assert outcome.status in (0, 2), outcome.errors
        assert outcome.status == 0 or outcome.errors.startswith(("anonbench", "usage")), outcome.errors
    assert [p.name for p in tmp_path.glob("out/**/*") if p.is_file()] in ([], ["output"])


@pytest.mark.parametrize("words", [["--help"], ["list", "anonymizers"]])
def test_a_reader_that_has_gone_ends_a_command_quietly(words: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "anonbench", *words], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_an_output_that_takes_nothing_is_said() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "anonbench", "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "anonbench: the output cannot be written (No space left on device).\n")


@pytest.mark.parametrize(
    ("command", "option", "value", "message"),
    [
        (
            "anonymize",
            "--spec",
            {"method": "zero", "jpeg_quality": 95},
            "--spec lacks the key 'box_scale'; expected meth",
        ),
        ("anonymize", "--spec", {"method": "zero", "box_scale": 1}, "--spec lacks the key 'jpeg_quality'"),
        ("index", "--spec", {"root": "x"}, "--spec lacks the key 'format'"),
        ("evaluate-detector", "--labels", {"dataset": "x", "data": "y"}, "--labels lacks the key 'detector'"),
        ("detection", "--rows", [{"dataset": "x", "detector": "y"}], "row 1 of --rows lacks the key 'truth'"),
        ("table", "--spec", {"dataset": "x"}, "--spec lacks the key 'rows'"),
        ("table", "--spec", {"rows": "models"}, "key 'models' is missing"),
        ("table", "--spec", [1], r"'[1]' holds another list; expected keys with values, such as '{\"key\": value}'"),
        ("detection", "--rows", {"dataset": "x"}, "holds keys with values; expected a list of keys with values"),
        ("anonymize", "--plugins", "my_plugin", "holds a text; expected a list of texts, such as '[\"name\", ...]'"),
    ],
)
def test_what_to_add_to_a_spec(
    command: str, option: str, value: object, message: str, run_command: Run, tmp_path: Path
) -> None:
    declared = declaration(command.replace("-", "_"))
    words = arguments(declared, tmp_path, tmp_path / "out", "{}")
    if option in words:
        words[words.index(option) + 1] = json.dumps(value)
    else:
        words += [option, json.dumps(value)]
    outcome = run_command(command, *words)
    assert outcome.status == 2
    assert message.replace("\\", "") in outcome.errors


def test_a_structure_is_read_from_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfmethod: zero\r\nbox_scale: 1.5\r\n")
    (tmp_path / "a.json").write_text('{"lr": 1e-3}')
    (tmp_path / "rows.yaml").write_text("- {dataset: x}\n")
    (tmp_path / "bad.yaml").write_text("a: [\n")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    assert read_mapping(str(tmp_path / "a.yaml")) == {"method": "zero", "box_scale": 1.5}
    assert read_mapping(str(tmp_path / "a.json")) == {"lr": 0.001}
    assert read_rows(str(tmp_path / "rows.yaml")) == [{"dataset": "x"}]
    assert read_names('["a.b"]') == ["a.b"]
    for text, message in (
        (str(tmp_path / "bad.yaml"), r"bad\.yaml: neither JSON nor YAML \(while parsing"),
        (str(tmp_path / "latin.yaml"), r"latin\.yaml:1: not a UTF-8 text file"),
        (str(tmp_path / "rows.yaml"), "holds another list; expected keys with values"),
        (str(tmp_path / "none.yaml"), "neither JSON .* nor a file that is there; .*the path of a file"),
        ("x" * 5000, "neither JSON"),
        ("3", "holds an integer; expected keys with values"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_mapping(text)
