"""The study's data files agree with what the dataset adapters check a download against."""

from __future__ import annotations

from pathlib import Path

from anonbench.data.results import read_frame
from anonbench.datasets import cuhk03, dukemtmcreid, market1501, viper
from anonbench.studies.reid_faces.contradictions import SIZE_COLUMNS, protocol_sizes

PROTOCOLS = Path(__file__).parents[4] / "config/published/reid_faces/protocols.csv"


def test_protocols_are_those_of_the_adapters() -> None:
    """Airport's split is nobody's protocol."""
    splits = {
        "market1501": market1501.PUBLISHED,
        "dukemtmcreid": dukemtmcreid.PUBLISHED,
        "viper": viper.PUBLISHED,
        "cuhk03": cuhk03.PUBLISHED["detected"],
    }
    assert protocol_sizes(read_frame(PROTOCOLS, SIZE_COLUMNS)) == {
        dataset: {name: found[name].images for name in ("query", "gallery")} for dataset, found in splits.items()
    }
