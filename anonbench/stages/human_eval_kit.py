"""Make the kit of a human evaluation: pages that need no server, and the key that stays behind."""

from __future__ import annotations

from typing import Literal

from anonbench.core.command import Input, Output, Spec, command
from anonbench.core.errors import ConfigError
from anonbench.core.files import atomic_folder
from anonbench.data.entries import REAL_PEOPLE
from anonbench.studies.reversible.human.kit import Source, check_allowed, make_kit, pages, write_folder, write_key
from anonbench.studies.reversible.human.pairs import read_study


@command("study", needs={"spec": ("groups",)})
def human_eval_kit(
    manifests: list[Input],
    roots: list[Input],
    variants: list[str],
    spec: Spec,
    output: Output,
    key: Output,
    people: Literal["real", "rendered"] = "real",
    label: str = "",
    seed: int = 0,
) -> None:
    """Make pages on which people judge whether two pictures show the same person (Study 2's Table 2).

    Each participant gets one page, a file that a browser opens from disk. `anonbench human-eval collect` reads what
    they send back.

    manifests: of each variant (CSV of `index`, or as the stored copy has it).
    roots: image folders of the variants, in the same order.
    variants: their names, in the same order.
    spec: `{groups: [{name, left, right, published}], pairs, participants, controls, repeats, raw, upper, real_people,
        contact}`: left and right are variants; all but groups may be left out.
    output: folder for the pages, one a participant.
    key: which pair is what (JSON). It must not be sent to participants.
    people: who is shown. Real ones need `real_people: true` in the spec.
    label: which data is shown, in words, for the key.
    seed: of the draw.
    """
    study = read_study(spec)
    warning = "" if people == "rendered" else REAL_PEOPLE
    check_allowed(study, warning)
    if not len(manifests) == len(roots) == len(variants):
        raise ConfigError(
            f"{len(variants)} variants, {len(manifests)} manifests and {len(roots)} roots; expected as many of each."
        )
    if key.resolve().is_relative_to(output.resolve()):
        raise ConfigError(f"{key}: lies in the folder that is sent to participants. Write the key somewhere else.")
    sources = [Source.read(*given) for given in zip(variants, manifests, roots, strict=True)]
    kit = make_kit(sources, study, seed, label)
    with atomic_folder(output) as folder:
        count = write_folder(folder, pages(kit, sources, warning), real_people=bool(warning))
        write_key(key, kit)
    print(
        f"human-eval-kit: {count} pages of {len(kit.forms[0])} pairs in {output}, kit {kit.id}\n"
        f"Send each participant one page, and nobody the key ({key})."
    )
