"""What a trained network finds in a picture, as COCO's results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco_masks
from torch import Tensor, nn

from anonbench.tasks.instances.scenes import as_floats

LEAST_PROBABILITY = 0.5  # of a pixel of a mask
DIGITS = 2  # of boxes and keypoints, in pixels


def predict(network: nn.Module, path: str, picture: Tensor, categories: Sequence[str]) -> list[dict[str, Any]]:
    """The results of one picture, best first, in pixels of the picture.

    picture: (3, H, W) uint8.
    categories: class k of the network is categories[k - 1].
    """
    device = next(network.parameters()).device
    with torch.inference_mode():
        (found,) = network(as_floats([picture], device))
    found = {name: value.cpu() for name, value in found.items()}
    corners = found["boxes"].tolist()
    masks = _packed(found["masks"]) if "masks" in found else None
    results: list[dict[str, Any]] = []
    for number, (x0, y0, x1, y1) in enumerate(corners):
        result: dict[str, Any] = {
            "image": path,
            "category": categories[int(found["labels"][number]) - 1],
            "bbox": [round(value, DIGITS) for value in (x0, y0, x1 - x0, y1 - y0)],
            "score": float(found["scores"][number]),
        }
        if masks is not None:
            result["segmentation"] = masks[number]
        if "keypoints" in found:
            points = found["keypoints"][number][:, :2].tolist()
            result["keypoints"] = [v for x, y in points for v in (round(x, DIGITS), round(y, DIGITS), 1)]
        results.append(result)
    return results


def _packed(probabilities: Tensor) -> list[Mapping[str, Any]]:
    """(N, 1, H, W) probabilities as COCO's masks."""
    pixels = (probabilities[:, 0] > LEAST_PROBABILITY).numpy().astype(np.uint8)  # (N, H, W)
    if not len(pixels):
        return []
    packed = coco_masks.encode(np.asfortranarray(pixels.transpose(1, 2, 0)))
    return [{"size": mask["size"], "counts": mask["counts"].decode()} for mask in packed]
