"""Keep the faces that belong to the annotated people of a scene dataset."""

from __future__ import annotations

from collections.abc import Sequence

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.registry import load_plugins
from anonbench.data.instances import InstanceFile
from anonbench.data.people import hindrance, people_of
from anonbench.data.pictures import read_manifest
from anonbench.data.regions import read_regions_of, write_regions
from anonbench.detectors import DETECTORS


@command("detect", plugin="anonbench.detectors:DETECTORS", needs={"spec": ("method",)})
def match_faces(
    manifest: Input, detections: Input, instances: Input, spec: Spec, output: Output, plugins: Sequence[str] = ()
) -> None:
    """Keep the faces that belong to the annotated people of a scene dataset, one a person.

    manifest: the images (CSV of `index`).
    detections: the faces that a detector found in them (CSV of `detect`).
    instances: who and what stands where (file of `index_instances`).
    spec: config entry of the detector, `{method: matched_faces, **parameters}`.
    output: the faces of people (CSV). Images without one are listed as such.
    """
    load_plugins(plugins)
    images, scenes, detector = read_manifest(manifest), InstanceFile(instances), DETECTORS.create(spec)
    found = read_regions_of(detections, manifest, [image.path for image in images])
    kept, people = {}, 0
    for image in images:
        there = scenes.of(image.path)
        kept[image.path] = detector.regions(there, found[image.path])
        people += sum(hindrance(person) is None for person in people_of(there, detector.categories))
    write_regions(output, kept)
    faces, all_faces = (sum(len(regions) for regions in several.values()) for several in (kept, found))
    share = f" ({faces / people:.1%})" if people else ""
    print(
        f"match-faces: {faces} of {people} people have a face{share}; {all_faces - faces} of {all_faces} boxes belong "
        f"to nobody and are left out, faces in groups and of ignored people among them"
    )
