"""Take the annotated people of a scene dataset as regions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.registry import load_plugins
from anonbench.data.instances import InstanceFile
from anonbench.data.people import hindrance, people_of
from anonbench.data.pictures import read_manifest
from anonbench.data.regions import write_regions
from anonbench.detectors import DETECTORS


@command("detect", plugin="anonbench.detectors:DETECTORS", needs={"spec": ("method",)})
def bodies(manifest: Input, instances: Input, spec: Spec, output: Output, plugins: Sequence[str] = ()) -> None:
    """Take the annotated people of a scene dataset as regions: their masks, dilated, and their keypoints.

    Groups and ignored people are no regions, and stay visible in every copy. They are counted.

    manifest: the images (CSV of `index`).
    instances: who and what stands where (file of `index_instances`, or of `estimate_pose`, which adds keypoints).
    spec: config entry of the detector, `{method: annotated_bodies, **parameters}`.
    output: the people's regions (CSV). Images without a person are listed as such.
    """
    load_plugins(plugins)
    images, scenes, detector = read_manifest(manifest), InstanceFile(instances), DETECTORS.create(spec)
    found, why = {}, Counter[str]()
    for image in images:
        there = scenes.of(image.path)
        found[image.path] = detector.regions(there)
        why.update(hindrance(person) or "can be hidden" for person in people_of(there, detector.categories))
    write_regions(output, found)
    regions, pictures = sum(map(len, found.values())), sum(map(bool, found.values()))
    print(
        f"bodies: {regions} people in {pictures} of {len(images)} images; left visible: {why['crowd']} groups, "
        f"{why['ignored']} whom the dataset ignores, {why['no mask']} without a mask, "
        f"{why['can be hidden'] - regions} with an empty one"
    )
