"""Attack one variant: what somebody finds out from its pictures (Study 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from anonbench.attacks import ATTACKS
from anonbench.attacks._assess import assess
from anonbench.attacks._outcome import Trial, write_outcome, write_trials
from anonbench.attacks._search import Findings, read_pictures
from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.registry import load_plugins
from anonbench.data.annotations import FILE, read_annotations
from anonbench.data.pictures import Picture
from anonbench.stages.cut_faces import FACE_HEIGHT
from anonbench.tasks.detection.groups import height_classes
from anonbench.tasks.reid.people import read_people

HEIGHTS_PX = (12, 16, 24, 48)  # bounds of the classes of face heights


@command("evaluate", plugin="anonbench.attacks:ATTACKS")
def attack(
    probes: Input,
    gallery: Input,
    manifest: Input,
    people: Input,
    spec: Spec,
    labels: Spec,
    output: Output,
    trials: Output,
    truth: Input | None = None,
    resamples: int = 2000,
    seed: int = 0,
    threads: int = 1,
    plugins: Sequence[str] = (),
) -> None:
    """Find out what an attack that searches a gallery learns from the pictures of one variant.

    probes: features of the anonymized pictures (.npz of `embed` or `recognize`).
    gallery: features of the pictures that the attacker has.
    manifest: the probes' pictures (CSV); faces say how high they are.
    people: the pictures that they were cut out of (CSV of `index`); the same where whole pictures are attacked.
    spec: the attack's config entry, `{method, **parameters}`.
    labels: what the outcome belongs to: dataset, attack, variant, run, split, seed, probes, gallery, recognizer.
    output: the outcome (JSON).
    trials: a row a probe (CSV).
    truth: annotated faces of the pictures (CSV, or a dataset's folder that holds one as ground_truth/annotations.csv),
        whose views and skin tones become groups.
    resamples: bootstrap draws of people for the intervals.
    seed: of the draws.
    """
    load_plugins(plugins)
    plugin = ATTACKS.create(spec)
    asked, known = read_pictures(probes, plugin.probe_splits), read_pictures(gallery, plugin.gallery_splits)
    found = _grouped(plugin(asked, known), read_people(manifest), truth)
    tested = {picture.path for picture in read_people(people) if picture.split in plugin.probe_splits}
    parts = assess(found, resamples, seed)
    missing = len(tested - set(asked.paths.tolist()))
    write_trials(trials, found.trials)
    write_outcome(output, {**labels, "method": spec["method"], "without": missing, **parts})
    first, risk = parts["identification"]["rank1"], parts["risk"]
    print(
        f"attack: {100 * first:.1f} % found at rank 1 of {parts['n_probes']} probes (at random "
        f"{100 * parts['baseline']['rank1']:.1f} %), risk {risk['value']:.3f} [{risk['low']:.3f}, {risk['high']:.3f}]"
        + (f"; void: {risk['why']}" if risk["void"] else "")
    )


def _grouped(found: Findings, pictures: Sequence[Picture], truth: Path | None) -> Findings:
    """The findings with the groups of each probe: the height of its face, the view, the skin tone."""
    groups: dict[str, dict[str, str]] = {p.path: _size_group(p) for p in pictures}
    if truth is not None:
        for path, faces in read_annotations(truth / FILE if truth.is_dir() else truth).regions.items():
            shown = [face for face in faces if face.visible]
            if path in groups and shown:
                largest = max(shown, key=lambda face: face.region.height)
                named = {"view": "view", "skin_tone": "tone"}
                groups[path] |= {word: largest.attributes.get(key, "") for key, word in named.items()}
    names = list(dict.fromkeys(name for path in groups for name in groups[path]))
    return replace(found, trials=[_with(trial, groups.get(trial.path, {}), names) for trial in found.trials])


def _with(trial: Trial, groups: Mapping[str, str], names: Sequence[str]) -> Trial:
    return replace(trial, groups={name: groups.get(name, "") for name in names})


def _size_group(picture: Picture) -> dict[str, str]:
    height = picture.labels.get(FACE_HEIGHT)
    if height is None:
        return {}
    return {"size": next(name for name, low, high in height_classes(HEIGHTS_PX) if low <= height < high)}
