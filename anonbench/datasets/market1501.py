"""Market-1501 in its native layout; also the layout in which rendered people are written."""

from __future__ import annotations

import re
from pathlib import Path

from anonbench.datasets import DATASETS
from anonbench.datasets._listing import (
    DatasetInfo,
    DatasetListing,
    SplitCounts,
    adapter,
    check_published,
    complete,
    is_text,
    list_files,
)
from anonbench.datasets._three_folders import named_images, why_outside

INFO = DatasetInfo(
    title="Market-1501",
    format="market1501",
    layout="""\
  bounding_box_train/0002_c1s1_000451_03.jpg   (identity 0002, camera 1, sequence 1, frame 000451, box 03)
  query/0001_c1s1_001051_00.jpg
  bounding_box_test/0000_c1s1_000151_01.jpg    (0000 = distractor, -1 = junk)
  gt_bbox/, gt_query/, readme.txt              (optional)""",
    citation="Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015",
    licence=(
        "For academic research. Pedestrians on a campus, filmed without a record of individual consent: do not "
        "publish faces from it, and check what your institution requires."
    ),
    request_from="It comes from its authors: https://zheng-lab.cecs.anu.edu.au/Project/project_reid.html",
)
NAME = re.compile(r"(?P<pid>-1|\d{4,})_c(?P<camid>\d+)s\d+_\d+_\d+\.[A-Za-z]+")
EXPECTED_NAME = (
    "Market-1501 name; expected <pid>_c<camera>s<sequence>_<frame>_<box>.jpg such as 0002_c1s1_000451_03.jpg"
)

# Distractors (0000) are not checked: the authors' page says 2,793, yet 19,732 boxes without 3,819 junk and the 13,115
# of the 750 people leave 2,798.
PUBLISHED = {
    "train": SplitCounts(images=12_936, identities=751),
    "query": SplitCounts(images=3_368, identities=750),
    "gallery": SplitCounts(images=19_732, identities=750, junk=3_819),
}


@DATASETS.register("market1501")
@adapter(INFO)
def read(root: Path, *, expect: str = "published") -> DatasetListing:
    """List a folder in Market-1501's layout.

    expect: "published" checks the numbers of images, identities and junk images. "any" is for subsets and rendered
        people.

    Junk (-1) and distractors (0000) stay in the gallery as pid -1 and 0. The evaluation ignores junk. The hand-drawn
    boxes in `gt_bbox` are dropped. The per-query index files in `gt_query` are sidecars.

    Raises `DataError` for a wrong layout, an image with a foreign name in one of the three folders, or wrong counts.
    """
    files = list_files(root, INFO)
    images = named_images(root, files, NAME, EXPECTED_NAME)
    listing = complete(root, INFO, images, files, _reason, _is_sidecar)
    check_published(root, INFO, listing, PUBLISHED, expect)
    return listing


def _reason(path: str) -> str:
    if path.startswith("gt_bbox/"):
        return "hand-drawn box, not part of the re-identification protocol"
    return why_outside(path)


def _is_sidecar(path: str) -> bool:
    return is_text(path) or (path.startswith("gt_query/") and path.endswith(".mat"))
