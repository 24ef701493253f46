"""What Snakemake puts before every job's command, for folders of any name; the command of a rule."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from anonbench.core.errors import ConfigError
from anonbench.ops.catalog import job_prefix, shell_command

NAMES = [
    "my study",
    "it's",
    'say "x"',
    "100%",
    "a$HOME",
    "a{b}c",
    "a;b",
    "a\\b",
    "a*b?",
    "#x",
    "~x",
    "-x",
    "a`b`",
    "[a]",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_programs_beside_the_interpreter_are_found(name: str, tmp_path: Path) -> None:
    program = tmp_path / name / "bin/anonbench"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho ours\n")
    program.chmod(0o755)
    command = job_prefix(program.parent, tmp_path).format() + "anonbench"  # Snakemake formats it
    assert subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout == "ours\n"


def test_a_folder_that_path_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a:b/bin: a colon separates folders in PATH"):
        job_prefix(tmp_path / "a:b/bin", tmp_path)


def test_a_repository_that_snakemake_cannot_read(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"a\{b: Snakemake takes what is in braces for a variable. Give the folder anot"
    ):
        job_prefix(tmp_path, tmp_path / "a{b")


def test_a_rule_gives_threads_to_a_command_that_takes_them() -> None:
    """The command of docs/add-a-step.md takes none."""
    assert "--threads {threads}" in shell_command("index")
    assert shell_command("unite") == (
        "anonbench unite --manifest {input.manifest:q} --detections {input.detections:q} --output {output.output:q} "
        "--stamp {output.stamp:q} --code {params.code} > {log:q} 2>&1"
    )
