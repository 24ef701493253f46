"""A declaration: options, help, footprint and the settings that a rule asks for follow from a function."""

from __future__ import annotations

from pathlib import Path

import pytest

from anonbench.core.command import (
    REQUIRED,
    RUN_OPTIONS,
    Declaration,
    asked_settings,
    declared_functions,
    footprint,
    read_declaration,
)
from anonbench.ops.catalog import command_names, declaration, shell_command

SOURCE = '''
@command("report", beside={"output": (".md",), "metrics": (".queries.csv",)}, gpu=True)
def collect(
    metrics: list[Input],
    spec: Spec,
    label: str,
    output: Output,
    published: Input | None = None,
    alpha: float = 0.05,
    kinds: Sequence[str] = ("a", "b"),
    rows: Literal["models", "data"] = "models",
    wide: bool = False,
    *,
    threads: int = 1,
    plugins: Sequence[str] = (),
    resume_dir: Path | None = None,
) -> None:
    """Collect metrics.

    More words.

    metrics: files, one a run,
        and one a setting.
    spec, label: what it is.
    alpha: level, 0..1.

    Source: nowhere.
    """


def helper() -> None: ...


@command("help")
def wrong(x: complex) -> None:
    """Wrong."""
'''


@pytest.fixture
def declared(tmp_path: Path) -> Declaration:
    (tmp_path / "collect.py").write_text(SOURCE)
    return read_declaration(tmp_path / "collect.py", "anonbench.stages.collect", "collect")


def test_the_declaration_is_read_without_importing(declared: Declaration) -> None:
    assert (declared.name, declared.group, declared.help, declared.gpu) == (
        "collect",
        "report",
        "Collect metrics.",
        True,
    )
    assert declared.description == "Collect metrics.\n\nMore words.\n\nSource: nowhere."
    found = {o.name: (o.role, o.kind, o.many, o.default) for o in declared.options}
    assert found == {
        "metrics": ("input", "path", True, REQUIRED),
        "spec": ("setting", "mapping", False, REQUIRED),
        "label": ("setting", "str", False, REQUIRED),
        "output": ("output", "path", False, REQUIRED),
        "published": ("input", "path", False, None),
        "alpha": ("setting", "float", False, 0.05),
        "kinds": ("setting", "str", True, ("a", "b")),
        "rows": ("setting", "str", False, "models"),
        "wide": ("setting", "flag", False, False),
        "threads": ("run", "count", False, 1),
        "plugins": ("run", "names", False, ()),
        "resume_dir": ("run", "path", False, None),
    }
    rows = declared.option("rows")
    assert rows is not None
    assert rows.choices == ("models", "data")


def test_help_of_options_comes_from_the_docstring(declared: Declaration) -> None:
    texts = {o.name: o.help for o in declared.options}
    assert texts["metrics"] == "files, one a run, and one a setting."
    assert texts["spec"] == texts["label"] == "what it is."
    assert texts["alpha"] == "level, 0..1."
    assert texts["threads"] == RUN_OPTIONS["threads"]


def test_footprint_sorts_values_and_adds_what_lies_beside(declared: Declaration) -> None:
    values = {
        "metrics": [Path("m/a.json"), Path("m/b.json")], "spec": {"x": 1}, "label": "l", "output": Path("t.csv"),
        "published": None, "alpha": 0.1, "threads": 4, "plugins": [], "resume_dir": Path("r"),
    }  # fmt: skip
    found = footprint(declared, values)
    assert list(map(str, found.inputs)) == ["m/a.json", "m/b.json", "m/a.queries.csv", "m/b.queries.csv"]
    assert list(map(str, found.outputs)) == ["t.csv", "t.md"]
    assert found.settings == {"spec": {"x": 1}, "label": "l", "alpha": 0.1, "plugins": []}


def test_settings_of_a_rule_are_those_of_the_command_with_its_defaults(declared: Declaration) -> None:
    params = {"spec": '{"x": 1}', "label": "l", "alpha": "", "plugins": "[]", "code": "0", "resume_dir": "r"}
    assert asked_settings(declared, params) == {
        "spec": {"x": 1}, "label": "l", "alpha": 0.05, "kinds": ["a", "b"], "rows": "models", "wide": False,
        "plugins": [],
    }  # fmt: skip


def test_what_is_no_declaration(tmp_path: Path) -> None:
    file = tmp_path / "other.py"
    file.write_text(SOURCE)
    assert declared_functions(file) == ("collect", "wrong")
    for name in ("helper", "gone"):
        with pytest.raises(LookupError, match=name):
            read_declaration(file, "m", name)
    with pytest.raises(TypeError, match=r"x: complex is no type of an option. Known: Input, Output"):
        read_declaration(file, "m", "wrong")


@pytest.mark.parametrize("name", command_names())
def test_every_command_explains_itself_and_its_options(name: str) -> None:
    declared = declaration(name)
    assert declared.help.endswith(".")
    assert [option.name for option in declared.options if not option.help] == []
    assert {key for key in declared.beside if declared.option(key) is None} == set()


def test_the_shell_command_of_a_rule() -> None:
    assert shell_command("embed", without=["batch_size"]) == (
        "anonbench embed --checkpoint {input.checkpoint:q} --manifest {input.manifest:q} --root {input.root:q}"
        " --output {output.output:q} --device {params.device:q} --splits {input.splits:q} --split {params.split:q}"
        " --plugins {params.plugins:q} --stamp {output.stamp:q} --code {params.code} --threads {threads}"
        " > {log:q} 2>&1"
    )


def test_an_unknown_command_names_the_nearest() -> None:
    with pytest.raises(LookupError, match=r"unknown command 'evaluat': did you mean 'evaluate'\?"):
        declaration("evaluat")


@pytest.mark.parametrize("name", command_names())
def test_a_command_that_runs_a_plugin_is_given_those_from_outside(name: str) -> None:
    declared = declaration(name)
    assert not declared.plugin or declared.option("plugins")
