"""COCO's form of ground truth, for pycocotools and every evaluator that takes its dictionary.

scenes = InstanceFile(Path("results/instances/coco.jsonl"))
pictures = [picture for picture in read_manifest(manifest) if picture.split == "val"]
truth = ground_truth(scenes, pictures)      # COCO().dataset = truth; COCO().createIndex()
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anonbench.core.errors import DataError
from anonbench.data.instances import DECIMALS, PERSON, Instance, InstanceFile, Vocabulary
from anonbench.data.pictures import Picture


def ground_truth(scenes: InstanceFile, pictures: Sequence[Picture]) -> dict[str, Any]:
    """The instances of some pictures as COCO's dictionary.

    images: `id` from 1 on by sorted path, `file_name` (the path), `width`, `height`.
    annotations: `id` is the instance's number, `bbox` x, y, width, height, `segmentation` compressed run lengths (left
        out where an instance has no mask), `area` as the dataset counts it.
    categories: `id` from 1 on in the vocabulary's order.

    - An instance that is not scored has `iscrowd` 1 like a crowd: pycocotools overwrites `ignore` with `iscrowd`. A
      detection inside it is then neither right nor wrong.
    - Where people have keypoints, one without has all of them 0 and `num_keypoints` 0, which is how COCO writes it.

    Raises `DataError` for a picture that the file does not list, or a mask of another size than the picture.
    """
    numbers = {name: number for number, name in enumerate(scenes.categories, 1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, picture in enumerate(sorted(pictures, key=lambda picture: picture.path), 1):
        images.append({"id": image_id, "file_name": picture.path, "width": picture.width, "height": picture.height})
        for instance in scenes.of(picture.path):
            _check_size(scenes, picture, instance)
            points = len(scenes.vocabulary.keypoints) if instance.category == PERSON else 0
            row = annotation(instance, points)
            annotations.append(
                {"id": instance.number, "image_id": image_id, "category_id": numbers[instance.category], **row}
            )
    categories = [_category(name, number, scenes.vocabulary) for name, number in numbers.items()]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}


def annotation(instance: Instance, points: int) -> dict[str, Any]:
    """An instance as COCO writes it, but its numbers: `bbox`, `area`, `iscrowd`, `ignore`, `segmentation`, `keypoints`.

    points: how many keypoints it has; 0 for none. Where they are not known, all are 0.
    """
    unscored = int(instance.crowd or instance.ignore)
    row: dict[str, Any] = {
        "bbox": box_of(instance),
        "area": instance.area,
        "iscrowd": unscored,
        "ignore": unscored,
    }
    if instance.mask is not None:
        row["segmentation"] = instance.mask.rle
    if points:
        row["keypoints"] = [value for point in instance.keypoints or ((0, 0, 0),) * points for value in point]
        row["num_keypoints"] = known_points(instance)
    return row


def box_of(instance: Instance) -> list[float]:
    """x, y, width, height; these rounded as the file of instances rounds.

    Else 1.1 - 1 lies beside COCO's own 0.1, and an overlap beside a threshold.
    """
    x0, y0, x1, y1 = instance.box
    return [x0, y0, round(x1 - x0, DECIMALS), round(y1 - y0, DECIMALS)]


def known_points(instance: Instance) -> int:
    return sum(seen > 0 for _, _, seen in instance.keypoints or ())


def _category(name: str, number: int, vocabulary: Vocabulary) -> dict[str, Any]:
    points = {"keypoints": list(vocabulary.keypoints)} if name == PERSON and vocabulary.keypoints else {}
    return {"id": number, "name": name, **points}


def _check_size(scenes: InstanceFile, picture: Picture, instance: Instance) -> None:
    mask = instance.mask
    if mask is not None and (mask.width, mask.height) != (picture.width, picture.height):
        raise DataError(
            f"{scenes.path}: instance {instance.number} of {picture.path} has a mask of {mask.width} x {mask.height} "
            f"pixels; the manifest says {picture.width} x {picture.height}. Make the file again: "
            f"anonbench index-instances"
        )
