"""Check a plug-in against the contract of its kind, with the promises that the contract tests check."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anonbench.core.errors import ConfigError, DataError, nearest
from anonbench.core.registry import load_plugins
from anonbench.data.extras import say_extras
from anonbench.data.images import IMAGE_SUFFIXES, read_image

KINDS = ("anonymizer", "detector", "model", "dataset")
TRIED = 20  # images of the user's folder on which a detector is tried


def check(kind: str, name: str, spec: Mapping[str, Any], plugins: list[str], root: Path | None = None) -> None:
    """Print a line for every promise that a plug-in keeps.

    kind: one of `KINDS`.
    spec: its parameters, as in its config entry.
    root: a folder in the layout of a dataset format (needed), or with images for a detector (rendered people else).
    Raises `ConfigError` for the first promise that is broken, and for parameters that the plug-in refuses. Raises
    `DataError` when the folder is not what the format expects.
    """
    if kind not in KINDS:
        raise ConfigError(f"unknown kind '{kind}': {nearest(kind, KINDS)}")
    load_plugins(plugins)
    if root is not None and kind not in ("detector", "dataset"):
        raise ConfigError(f"--root is for detectors and datasets; {kind} '{name}' reads no folder. Leave it out.")
    {"anonymizer": _anonymizer, "detector": _detector, "model": _model, "dataset": _dataset}[kind](name, spec, root)


# Imports are inside: a check of an anonymizer need not wait for torch.


def _anonymizer(name: str, spec: Mapping[str, Any], root: Path | None) -> None:
    from anonbench.anonymizers._contract import CONTRACT, AnonymizerSubject
    from anonbench.stages.anonymize import ENTRY_KEYS
    from anonbench.stages.anonymize_whole import ENTRY_KEYS as WHOLE_KEYS

    _print(CONTRACT.hold(AnonymizerSubject(name, _without(spec, (*ENTRY_KEYS, *WHOLE_KEYS)))))


def _detector(name: str, spec: Mapping[str, Any], root: Path | None) -> None:
    from anonbench.detectors._contract import CONTRACT, DetectorSubject, write_samples
    from anonbench.stages.detect import ENTRY_KEYS

    parameters = _without(spec, ENTRY_KEYS)
    if root is not None:
        _print(CONTRACT.hold(DetectorSubject(name, parameters, root, _images_below(root))))
        return
    with tempfile.TemporaryDirectory() as folder:
        images, people = write_samples(Path(folder))
        _print(CONTRACT.hold(DetectorSubject(name, parameters, Path(folder), images, people)))


def _model(name: str, spec: Mapping[str, Any], root: Path | None) -> None:
    from anonbench.tasks.reid.models._contract import CONTRACT, ModelSubject

    # `recipe` names another entry of the config, which is not at hand.
    _print(CONTRACT.hold(ModelSubject(name, _without(spec, ("recipe",)))))


def _dataset(name: str, spec: Mapping[str, Any], root: Path | None) -> None:
    from anonbench.datasets._contract import CONTRACT, DatasetSubject, describe_listing
    from anonbench.stages.index import ENTRY_KEYS

    if root is None:
        raise ConfigError(f"dataset format '{name}': add --root: your data's folder, or a small example of its layout.")
    subject = DatasetSubject(name, _without(spec, ENTRY_KEYS), root)
    _print(CONTRACT.hold(subject))
    held = {picture.path: found for picture, found in subject.described}
    print("\n".join([*describe_listing(subject.listing), *say_extras(held)]))


def _print(kept: Any) -> None:
    for line in kept:
        print(f"ok: {line}", flush=True)


def _without(spec: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """A config entry's parameters: a whole entry may be given as it stands."""
    return {key: value for key, value in spec.items() if key != "method" and key not in keys}


def _images_below(root: Path) -> dict[str, Any]:
    """The first images below a folder by their relative path, spread evenly over it."""
    files = (Path(base, name) for base, _, names in os.walk(root, followlinks=True) for name in names)
    paths = sorted(p.relative_to(root).as_posix() for p in files if p.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise DataError(f"{root}: no image ({', '.join(IMAGE_SUFFIXES)}) below it. Give the folder of a dataset.")
    step = max(1, len(paths) // TRIED)
    return {path: read_image(root / path) for path in paths[::step][:TRIED]}
