"""Study 2 in the workflow: its tables, figures and pages once on config/test.yaml in a copy of the repository."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pandas as pd
import pytest
import yaml
from PIL import Image
from workplace import Workplace, copy_of_repository, planned

DATASET = "market1501-rendered"
TABLES = tuple(f"results/tables/reversible_table{n}.csv" for n in (1, 3, 4, 5))
FIGURE = "results/figures/reversible_figure7.svg"
PAGES = "results/human_eval/pages"
TARGETS = (*TABLES, FIGURE, PAGES)
KEYS = f"results/keys/{DATASET}/agw/upgraded_blurred/seed0"
PROTECTED = f"results/images/{DATASET}/blurred_upgraded-seed0"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    with copy_of_repository(tmp_path_factory.mktemp("reversible")) as workplace:
        run = workplace.snakemake(*TARGETS)
        assert run.status == 0, run.text
        yield workplace


def anonbench(workplace: Workplace, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "anonbench", *arguments],
        cwd=workplace.root, env=workplace.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_table_has_numbers(finished: Workplace) -> None:
    for name in TABLES:
        frame = pd.read_csv(finished.root / name)
        assert len(frame) >= 2
        assert frame.select_dtypes("number").notna().any(axis=1).all(), name
    crossed = pd.read_csv(finished.root / TABLES[-1])
    assert len(crossed) == 2 * 4 + 1, "four settings of two trainings, and the upper bound"
    assert crossed["rank1"].between(0, 100).all()


def test_nothing_is_left_to_be_done(finished: Workplace) -> None:
    assert finished.plan(*TARGETS) == set()


def test_every_artifact_is_what_the_code_would_make(finished: Workplace) -> None:
    text = anonbench(finished, "verify", *TARGETS[:-1], "--configfile", "config/test.yaml")
    assert "ok" in text


def test_a_protected_copy_takes_the_originals_place(finished: Workplace) -> None:
    """Same names and tree, whole pictures at the size asked for, stored without loss; no key in it."""
    root = finished.root
    originals, copies = (pd.read_csv(root / f"results/manifests/{DATASET}/{n}.csv", dtype=str)
                         for n in ("original", "blurred_upgraded-seed0"))  # fmt: skip
    assert list(copies["path"]) == list(originals["path"])
    assert list(copies["pid"]) == list(originals["pid"])
    with Image.open(root / PROTECTED / copies["path"][0]) as picture:
        assert (picture.format, picture.size) == ("PNG", (48, 64))
    assert {file.name for file in (root / KEYS).iterdir()} == {"anonymizer.pt", "recovery.pt"}
    assert not [file for file in (root / PROTECTED).rglob("*") if file.suffix == ".pt"]


def test_recovery_depends_on_the_stored_copy_and_the_key(finished: Workplace) -> None:
    target = f"results/images/{DATASET}/blurred_recovered-seed0"
    stamp = json.loads(
        (finished.root / f"results/stamps/anonymize_whole/{DATASET}/blurred_recovered-seed0.json").read_text()
    )
    assert {f"{KEYS}/recovery.pt", f"results/manifests/{DATASET}/blurred_upgraded-seed0.csv"} <= stamp["inputs"].keys()
    manifest = finished.root / f"results/manifests/{DATASET}/blurred_upgraded-seed0.csv"
    before = manifest.read_text()
    try:
        lines = before.splitlines(keepends=True)
        manifest.write_text("".join([lines[0], *lines[2:]]))
        assert target in finished.plan("results/tables/reversible_table3.csv")
    finally:
        manifest.write_text(before)


def test_another_training_setting_reruns_what_it_reaches(finished: Workplace, tmp_path) -> None:  # type: ignore[no-untyped-def]
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(yaml.safe_dump({"reversible_recipes": {"small": {"l1_weight": 50.0}}}))
    again = finished.plan("results/tables/reversible_table3.csv", overlay=overlay)
    assert f"results/models/{DATASET}/agw/upgraded_blurred/seed0/model.pt" in again
    assert f"results/images/{DATASET}/blurred" not in again, "desensitized pictures know no training"


def test_a_cell_can_be_explained(finished: Workplace) -> None:
    text = anonbench(finished, "explain", "reversible_table5", "--row", "upgraded_blurred original blurred_upgraded",
                     "--column", "rank1", "--configfile", "config/test.yaml")  # fmt: skip
    assert "train_anonymizer" in text
    assert "anonymize_whole" in text


def test_keys_are_not_uploaded(finished: Workplace) -> None:
    """dvc.yaml as shipped, of the default configuration."""
    stages = yaml.safe_load((finished.root / "dvc.yaml").read_text())["stages"]
    outs = [out for stage in ("train_anonymizer", "train_restoration") for out in stages[stage]["do"]["outs"]]
    keys = [(path, kept) for out in outs for path, kept in out.items() if path.startswith("results/keys/")]
    assert len(keys) == 4
    assert all(kept == {"persist": True, "push": False} for _, kept in keys)


def test_the_pages_name_no_variant_and_the_key_stays_behind(finished: Workplace) -> None:
    pages = sorted((finished.root / PAGES).glob("*.html"))
    assert len(pages) == 2
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "blurred" not in text
        assert "bounding_box" not in text
    assert "blurred_upgraded" in (finished.root / "results/human_eval/key.json").read_text()
    assert planned(finished.snakemake("--dry-run", PAGES)) == set()
