"""What a network finds in pictures, on disk: COCO's list of results, with the names of pictures and categories.

    {"categories": ["person", "car"], "finds": ["boxes", "masks"], "results": [
      {"image": "val/a.jpg", "category": "person", "bbox": [x, y, width, height], "score": 0.9,
       "segmentation": {"size": [height, width], "counts": "…"}},
    …]}

A network of keypoints has `keypoints` (x, y, visibility of each, in one list) instead of `segmentation`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonbench.core.errors import DataError
from anonbench.core.files import atomic_file
from anonbench.tasks.instances.matches import KINDS

FIELDS = {"masks": "segmentation", "boxes": "bbox", "keypoints": "keypoints"}
"""Where a result holds what it finds."""


@dataclass(frozen=True)
class Predictions:
    """The results of a network.

    categories: those that it knows. Others are not to be scored.
    finds: of masks, boxes and keypoints what it predicts.
    results: as in the file, by picture in the network's order; a picture without any is missing.
    """

    categories: tuple[str, ...]
    finds: tuple[str, ...]
    results: Mapping[str, Sequence[Mapping[str, Any]]]


def write_predictions(
    path: Path, categories: Sequence[str], finds: Sequence[str], results: Iterable[Mapping[str, Any]]
) -> int:
    """Write results as they come; returns how many there were."""
    count = 0
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        head = json.dumps({"categories": list(categories), "finds": list(finds)}, ensure_ascii=False)
        file.write(f'{head[:-1]}, "results": [')
        for result in results:
            file.write((",\n" if count else "\n") + json.dumps(result, ensure_ascii=False, separators=(",", ":")))
            count += 1
        file.write("\n]}\n")
    return count


def read_predictions(path: Path) -> Predictions:
    """Raises `DataError` when the file is missing, damaged or lacks something."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        finds = tuple(content["finds"])
        by_picture: dict[str, list[Mapping[str, Any]]] = {}
        for result in content["results"]:
            missing = [key for key in ("category", "score", *(FIELDS[kind] for kind in finds)) if key not in result]
            if missing:
                raise ValueError(f"a result lacks {missing[0]}")
            by_picture.setdefault(result["image"], []).append(result)
        if unknown := set(finds) - set(KINDS):
            raise ValueError(f"finds {unknown}")
        return Predictions(tuple(content["categories"]), finds, by_picture)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: no file of predictions ({type(error).__name__}: {error}). Make it again: anonbench "
            f"predict-instances"
        ) from None
