"""Score the predictions of a network of instances against what is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.errors import ConfigError, DataError, nearest
from anonbench.core.fields import refuse_unknown
from anonbench.core.files import write_text
from anonbench.data.instances import InstanceFile
from anonbench.data.pictures import read_manifest
from anonbench.tasks.instances.matches import CITYSCAPES, COCO, PROTOCOLS, write_matches
from anonbench.tasks.instances.predictions import Predictions, read_predictions
from anonbench.tasks.instances.scores import score

SPLIT = "val"  # that networks of instances are tested on


@command("evaluate")
def evaluate_instances(
    predictions: Input, instances: Input, manifest: Input, spec: Spec, labels: Spec, output: Output, matches: Output
) -> None:
    """Score the predictions of a network of instances against what is there.

    predictions: results of `predict-instances` (JSON).
    instances: what is in the dataset's pictures (JSON lines of `index-instances`).
    manifest: the pictures that were tested (CSV); those of the split `val` count, with predictions or without.
    spec: `{protocol: coco | cityscapes}`.
    labels: what the numbers belong to (dataset, model, seed, variants). Copied into the scores.
    output: scores, 0..1 (JSON).
    matches: which predictions are right, by picture (.npz), for resamples of the pictures.
    """
    protocol = read_protocol(spec)
    found = read_predictions(predictions)
    known = InstanceFile(instances)
    pictures = [picture.path for picture in read_manifest(manifest) if picture.split == SPLIT]
    if not pictures:
        raise DataError(f"{manifest}: lists no picture of the split '{SPLIT}'.")
    _check_agreement(predictions, found, known, pictures)
    truths = {path: known.of(path) for path in pictures}
    voids = {path: void for path in pictures if (void := known.void(path))} if protocol == CITYSCAPES else {}
    values, by_kind = score(protocol, truths, found, voids)
    counts: dict[str, Any] = {
        "n_pictures": len(pictures),
        "n_instances": sum(len(listed) for listed in truths.values()),
        "n_predictions": sum(len(listed) for listed in found.results.values()),
    }
    write_matches(matches, by_kind)
    write_text(output, json.dumps({**labels, "protocol": protocol, **values, **counts}, indent=1) + "\n")
    shown = ", ".join(f"{name} {100 * values[name]:.1f} %" for name in MAIN if values.get(name) is not None)
    print(f"evaluate_instances: {shown or 'nothing to be found'}, {len(pictures)} pictures")


MAIN = ("AP", "AP50", "AP_person", "box_AP", "keypoint_AP")


def read_protocol(spec: Any) -> str:
    """The protocol that a spec asks for. Raises `ConfigError` for an unknown key or value."""
    refuse_unknown(spec, ("protocol",), "evaluation")
    protocol = spec.get("protocol", COCO)
    if protocol not in PROTOCOLS:
        raise ConfigError(f"evaluation.protocol is {protocol!r}: {nearest(str(protocol), PROTOCOLS)}")
    return str(protocol)


def _check_agreement(path: Path, found: Predictions, known: InstanceFile, pictures: list[str]) -> None:
    """Raise `DataError` for predictions that belong to other pictures or categories: they would all count as wrong."""
    if others := sorted(set(found.results) - set(pictures)):
        raise DataError(
            f"{path}: has predictions for {others[0]}, which the manifest does not list in its split '{SPLIT}'. "
            f"Predict again on that manifest."
        )
    if unknown := [name for name in found.categories if name not in known.categories]:
        raise DataError(
            f"{path}: predicts '{unknown[0]}', which {known.path} does not know: "
            f"{nearest(unknown[0], known.categories)}"
        )
