"""Study 4 in the workflow: attacks of every kind once on config/test.yaml in a copy of the repository."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pandas as pd
import pytest
from workplace import Workplace, copy_of_repository

TABLES = ("results/tables/privacy_attacks.csv", "results/tables/privacy_risks.csv", "results/tables/tradeoff.csv")
PAGE, FIGURE = "results/statistics/privacy.md", "results/figures/privacy_tradeoff.png"
TARGETS = (*TABLES, PAGE, FIGURE)
OVERLAY = """
models: {bot: {seeds: [0]}}
tables:
  privacy_attacks:
    attacks: [faces_naive, faces_parrot, faces_restored, people_linked]
    variants: [blur]
  privacy_risks: {attacks: [faces_naive, people_linked, membership], variants: [blur]}
  tradeoff:
    attacks: [faces_naive]
    variants: [blur, zero]
    curves: {blur: [blur, zero], mosaic: [blur, zero]}
"""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    folder = tmp_path_factory.mktemp("privacy")
    with copy_of_repository(folder) as workplace:
        overlay = workplace.root / "config/attacked.yaml"
        overlay.write_text(OVERLAY)
        run = workplace.snakemake(*TARGETS, overlay=overlay)
        assert run.status == 0, run.text
        yield workplace


def test_tables_figure_and_page_are_there(finished: Workplace) -> None:
    attacks, risks, tradeoff = (pd.read_csv(finished.root / name).set_index("variant") for name in TABLES)
    assert list(attacks.index) == ["original", "blur"]
    assert attacks.loc["original", "rank1_people_linked"] == 100  # its own file
    assert attacks["rank1_faces_naive"].between(0, 100).all()
    assert pd.isna(attacks.loc["original", "rank1_faces_restored"])  # nothing to undo
    assert set(risks["linkability_by"]) == {"people_linked"}
    assert set(risks["inference_by"]) == {"membership"}
    assert tradeoff.loc["original", "cost"] == 0
    assert "rendered people" in (finished.root / PAGE).read_text()
    assert (finished.root / FIGURE).stat().st_size > 10_000


def test_nothing_is_left_to_be_done(finished: Workplace) -> None:
    assert finished.plan(*TARGETS, overlay=finished.root / "config/attacked.yaml") == set()


def test_a_cell_is_explained(finished: Workplace) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "anonbench", "explain", "privacy_attacks", "--row", "blur", "--column",
         "risk_faces_parrot", "--configfile", "config/test.yaml", "config/attacked.yaml", "--json"],
        cwd=finished.root, env=finished.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "results/attacks/market1501-faces/faces_parrot/blur/seed0.json" in done.stdout
    assert json.loads(done.stdout)
