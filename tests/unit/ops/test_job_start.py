"""What Snakemake reads again before every job of a cluster must not load what the job does not need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_a_job_that_draws_pictures_starts_without_torch(tmp_path: Path) -> None:
    """Loading torch takes seconds, and a cluster's job reads the whole workflow."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/__init__.py").write_text("raise ImportError('this job needs no torch')")
    (tmp_path / "torch/version.py").write_text("cuda = None\n")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--mode", "subprocess", "--cores", "1", "--nolock", "-n",
         "--configfile", "config/test.yaml", "--target-jobs", "render:dataset=viper-rendered",
         "--allowed-rules", "render"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (tmp_path, ROOT)))},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
