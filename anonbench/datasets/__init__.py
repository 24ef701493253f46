"""Dataset adapters: one module a native layout, each a function from folder to records.

`DATASETS.get("market1501")(root, **options)` returns a `_listing.DatasetListing`; the function's attribute `info` is a
`_listing.DatasetInfo`. An adapter reads names and protocol files, decodes no image and writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from anonbench.core.registry import Registry

DATASETS = Registry("dataset format", __name__)

SPLITS = ("train", "query", "gallery")  # of re-identification
SCENE_SPLITS = ("train", "val")  # of pictures with instances
JUNK_PID = -1  # an image that is neither right nor wrong: ignored in every ranking
DISTRACTOR_PID = 0  # a person (or a false detection) whom no query looks for: always wrong in a ranking
IDENTITY = ("pid", "camid")  # labels of a picture for re-identification


@dataclass(frozen=True, slots=True)
class PersonImage:
    """One image of a re-identification dataset, as its names and protocol files tell.

    path: relative to the dataset's root, with forward slashes.
    pid: person identity as the dataset numbers it; -1 = junk, 0 = distractor (both in the gallery only).
    camid: camera as the dataset numbers it, >= 0.
    split: one of `SPLITS`.
    """

    path: str
    pid: int
    camid: int
    split: str

    @property
    def labels(self) -> Mapping[str, int]:
        """What a manifest says of the image beside path, split and file (`data.pictures.Picture`)."""
        return {"pid": self.pid, "camid": self.camid}
