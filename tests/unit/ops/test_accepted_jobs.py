"""The jobs behind pictures that another tool has anonymized, as Snakemake resolves them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from anonbench.core.errors import ConfigError
from anonbench.data import paths
from anonbench.ops.dag import workflow_jobs

ROOT = Path(__file__).parents[3]
DATASET, OTHER = "market1501-rendered", "viper-rendered"


def test_the_folder_of_a_dataset_is_an_input_and_regions_where_they_are_asked_for(tmp_path: Path) -> None:
    here, there = tmp_path / "here", "data/not_there"
    here.mkdir()
    variants = {
        "theirs": {"method": "files", "root": {DATASET: str(here)}, "detector": "centerface"},
        "plain": {"method": "files", "root": there, "detector": None, "tolerance": 0},
    }
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({"variants": variants}))
    jobs = workflow_jobs([tmp_path / "my.yaml"], [paths.images(DATASET, "theirs"), paths.images(OTHER, "plain")], ROOT)
    found = {job.wildcards["variant"]: job for job in jobs if job.rule == "accept_copy"}
    boxes = paths.detections(DATASET, "centerface")
    common = {paths.manifest(DATASET), paths.sidecars(DATASET), paths.rendered(DATASET)}
    assert set(found["theirs"].inputs) == {*common, str(here), boxes}
    assert set(found["plain"].inputs) == {paths.manifest(OTHER), paths.sidecars(OTHER), paths.rendered(OTHER), there}
    assert found["plain"].params["spec"] == '{"detector": null, "method": "files", "tolerance": 0}'
    assert not [job for job in jobs if job.rule.startswith("anonymize")]


def test_a_dataset_without_a_folder_says_what_to_write(tmp_path: Path) -> None:
    variants = {"theirs": {"method": "files", "root": {DATASET: "data/theirs"}, "detector": None}}
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({"variants": variants}))
    with pytest.raises(
        ConfigError, match=rf"variants\.theirs\.root names no folder for {OTHER}; write {OTHER}: <folder>"
    ):
        workflow_jobs([tmp_path / "my.yaml"], [paths.images(OTHER, "theirs")], ROOT, params=False)
