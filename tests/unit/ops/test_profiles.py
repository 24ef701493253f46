"""The Snakemake profiles: what they may say, and that the command of docs/cluster.md plans what it promises."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PROFILES = ROOT / "workflow/profiles"


def profile(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((PROFILES / name / "config.yaml").read_text())
    return loaded


def test_the_default_profile_overrides_nothing_of_another() -> None:
    """Snakemake reads it with every call, over the profile that the call names."""
    assert (ROOT / "profiles/default").resolve() == PROFILES / "default"
    for other in sorted(path.name for path in PROFILES.iterdir() if path.name != "default"):
        assert profile("default").keys() & profile(other).keys() == set(), other
    assert profile("default").keys() & {"cores", "jobs", "retries", "resources", "default-resources"} == set()


def test_no_rule_has_retries() -> None:
    """They would multiply with the profile's."""
    rules = "".join(file.read_text() for file in (ROOT / "workflow/rules").glob("*.smk"))
    assert re.findall(r"^\s+retries:.*$", rules, re.MULTILINE) == []


def test_the_slurm_profile_is_whole() -> None:
    slurm = profile("slurm")
    partitions = yaml.safe_load((ROOT / slurm["slurm-partition-config"]).read_text())["partitions"]
    assert sum(limits.get("max_gpu", 0) > 0 for limits in partitions.values()) == 1
    assert any(limits.get("max_gpu", 0) == 0 for limits in partitions.values())
    assert slurm["retries"] > 0
    # Where ended jobs stay in squeue for less than three first waits, the plug-in turns to sacct. Usual: 300 s.
    assert 3 * slurm["slurm-init-seconds-before-status-checks"] <= 300
    assert Path(slurm["slurm-logdir"]).parts > ("logs",), "the plug-in removes old logs there"
    assert not {"groups", "slurm-array-jobs"} & slurm.keys()


@pytest.mark.slow
def test_the_study_is_planned_for_gpus() -> None:
    pytest.importorskip("snakemake_executor_plugin_slurm")
    target = "results/tables/table3.csv"
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--profile", "workflow/profiles/slurm",
         "--configfile", "config/paper.yaml", "--dry-run", target],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    asked = dict(
        re.findall(r"^rule (\w+):\n(?:    .*\n)*?    resources: (.*)$", done.stdout + done.stderr, re.MULTILINE)
    )
    resources = {rule: dict(re.findall(r"(\w+)=([\w.]+)", text)) for rule, text in asked.items()}
    assert resources.keys() >= {"index", "detect", "anonymize", "train", "embed", "evaluate", "table"}
    for rule, found in resources.items():
        assert found["nodes"] == "1"
        assert int(found["mem_mb"]) >= 1000, "two nested Pythons of Snakemake take 300 MB"
        assert int(found["runtime"]) >= 1
        assert int(found.get("gpu", 0)) == (rule in ("train", "embed")), rule
