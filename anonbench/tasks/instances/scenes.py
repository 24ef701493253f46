"""Pictures of scenes and what is to be learnt or found in them, read a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anonbench.core.memory import available_memory
from anonbench.data.images import read_image
from anonbench.data.instances import PERSON, Instance, InstanceFile, Vocabulary
from anonbench.data.pictures import Picture
from anonbench.training.loading import MEMORY_SHARE

Target = dict[str, Tensor]
Wanted = tuple[str, ...]
"""Kinds of targets: boxes, and masks or keypoints."""


@dataclass(frozen=True)
class SceneBatch:
    """Pictures with what is to be learnt in each.

    pictures: (3, H, W) uint8, each of its own size.
    targets: boxes (N, 4) float, labels (N,) int64 from 1 on, and masks (N, H, W) uint8 or keypoints (N, K, 3) float.
    """

    pictures: Sequence[Tensor]
    targets: Sequence[Target]

    def __len__(self) -> int:
        return len(self.pictures)


def read_picture(file: Path) -> Tensor:
    """(3, H, W) uint8 RGB. Raises `DataError` for a file that is missing or damaged."""
    return torch.from_numpy(read_image(file)).permute(2, 0, 1).contiguous()


class Pictures:
    """The decoded pictures below a folder, kept in memory when all of them fit into half of what is left."""

    def __init__(self, root: Path, pictures: Sequence[Picture]) -> None:
        self.root = root
        size = sum(3 * picture.width * picture.height for picture in pictures)
        self.keeps = size <= MEMORY_SHARE * available_memory()
        self._kept: dict[str, Tensor] = {}

    def read(self, path: str) -> Tensor:
        """As `read_picture`; not to be changed."""
        if path in self._kept:
            return self._kept[path]
        image = read_picture(self.root / path)
        if self.keeps:
            self._kept[path] = image
        return image


class Truth:
    """What is to be learnt in pictures, as targets of torchvision's detectors.

    file: the instances.
    wanted: kinds of targets.
    categories: the classes; class k of a network is categories[k - 1]. Others are not learnt.
    least_side: shortest side of a box that is learnt, in pixels.

    Crowds and what the dataset ignores are no targets, as in detectron2: what a network proposes there counts as
    background. So is an instance without a mask where masks are wanted.
    """

    def __init__(self, file: InstanceFile, wanted: Wanted, categories: Sequence[str], least_side: float = 1.0) -> None:
        self.file, self.wanted, self.least_side = file, wanted, least_side
        self.labels = {name: number for number, name in enumerate(categories, start=1)}
        self._lock = Lock()

    @property
    def vocabulary(self) -> Vocabulary:
        return self.file.vocabulary

    def instances(self, path: str) -> list[Instance]:
        """Those of a picture that are learnt."""
        with self._lock:  # the file makes its list of pictures at the first call
            listed = self.file.of(path)
        return [instance for instance in listed if self._is_learnt(instance)]

    def teaches(self, found: Sequence[Instance]) -> bool:
        """Whether a picture's instances give anything to learn: for keypoints, somebody with a known one."""
        if "keypoints" in self.wanted:
            return any(seen > 0 for instance in found for _, _, seen in instance.keypoints or ())
        return bool(found)

    def target(self, path: str, size: tuple[int, int], mirrored: bool) -> Target:
        """size: height and width of the picture. mirrored: left for right."""
        height, width = size
        found = self.instances(path)
        boxes = torch.tensor([instance.box for instance in found], dtype=torch.float32).reshape(-1, 4)
        if mirrored:
            boxes = boxes[:, [2, 1, 0, 3]] * torch.tensor([-1.0, 1, -1, 1]) + torch.tensor([width, 0.0, width, 0])
        target = {"boxes": boxes, "labels": torch.tensor([self.labels[i.category] for i in found], dtype=torch.int64)}
        if "masks" in self.wanted:
            masks = np.zeros((len(found), height, width), np.uint8)
            for number, instance in enumerate(found):
                assert instance.mask is not None
                masks[number] = instance.mask.unpack()
            target["masks"] = torch.from_numpy(masks[:, :, ::-1].copy() if mirrored else masks)
        if "keypoints" in self.wanted:
            target["keypoints"] = self._keypoints(found, width, mirrored)
        return target

    def _keypoints(self, found: Sequence[Instance], width: int, mirrored: bool) -> Tensor:
        count = len(self.vocabulary.keypoints)
        nobody = ((0.0, 0.0, 0),) * count
        points = torch.tensor([instance.keypoints or nobody for instance in found], dtype=torch.float32)
        points = points.reshape(-1, count, 3)
        if mirrored:
            points = points[:, self.vocabulary.mirrored]
            points[:, :, 0] = width - 1 - points[:, :, 0]  # COCO counts pixels: the first one is 0
        return points

    def _is_learnt(self, instance: Instance) -> bool:
        x0, y0, x1, y1 = instance.box
        return (
            instance.category in self.labels
            and not (instance.crowd or instance.ignore)
            and min(x1 - x0, y1 - y0) >= self.least_side
            and not ("masks" in self.wanted and instance.mask is None)
        )


def learnt_categories(vocabulary: Vocabulary, people_alone: bool, without: Sequence[str]) -> tuple[str, ...]:
    """The classes of a network for a dataset."""
    known = (PERSON,) if people_alone else vocabulary.categories
    return tuple(name for name in known if name not in without)


def as_target(target: Target, device: torch.device) -> dict[str, Any]:
    return {name: value.to(device, non_blocking=True) for name, value in target.items()}


def as_floats(pictures: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """(3, H, W) uint8 pictures as floats in 0..1 on a device."""
    return [picture.to(device, non_blocking=True).float() / 255 for picture in pictures]
