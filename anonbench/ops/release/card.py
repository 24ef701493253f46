"""The method card and the page for the recipient: what was done, what it found, what remains. In plain words.

Neither says that a copy is safe, nor what the law calls it: nobody measured that.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anonbench import __version__
from anonbench.data.pictures import Picture
from anonbench.ops.leaks import KINDS, Finding
from anonbench.ops.release.known import AUDIT, Known, Recall
from anonbench.ops.release.layout import CARD, CROISSANT, IMAGES, MANIFEST, SIGNATURE, SUMS, TERMS

NOT_PARAMETERS = ("detector", "gpu", "control", "plugins")
MADE_BY_OTHERS = "Made by another tool, which anonbench did not run."
REMAINS = (
    "People are known by more than a face: clothes, build, gait, hair, what they carry, where and when they were, and "
    "with whom. None of that is changed outside what was hidden."
)
SHOWN = 5  # files named of each kind


@dataclass(frozen=True)
class Written:
    """What was written of one picture.

    sha256: of the file.
    changed: whether its bytes are others than those of the variant.
    encoded: why its pixels were encoded anew; "" where they were not.
    """

    sha256: str
    changed: bool
    encoded: str


@dataclass(frozen=True)
class Facts:
    """What the pages tell, beside what is `Known`.

    licence: as the owner gave it.
    pictures: as they are in the release.
    written: path -> what was done to it.
    sidecars: files beside the pictures; addresses: those of them in which web addresses stand.
    leaks: findings of the audit of leaks in the finished folder, notes among them.
    compared: pictures that it could compare with their originals.
    without_audit: the owner's reason; "" where nothing is lacking.
    signed: whether there is a signature.
    """

    licence: str
    pictures: Sequence[Picture]
    written: Mapping[str, Written]
    sidecars: Sequence[str]
    addresses: Sequence[str]
    leaks: Sequence[Finding]
    compared: int
    without_audit: str
    signed: bool


def describe(known: Known) -> str:
    """What the method does, in a sentence."""
    method = known.entry.get("method")
    if method == "files":
        return MADE_BY_OTHERS
    from anonbench.anonymizers import ANONYMIZERS

    text = (ANONYMIZERS.get(str(method)).__doc__ or "").strip()
    return " ".join(text.partition("\n\n")[0].split()) or f"Method {method}."


def parameters(entry: Mapping[str, Any], without: Iterable[str] = NOT_PARAMETERS) -> dict[str, Any]:
    """A config entry without paths, which belong to the owner's machine."""
    kept = {key: value for key, value in entry.items() if key not in without}
    return {key: value for key, value in kept.items() if not _is_path(value)}


def recall_in_words(recall: Recall) -> list[str]:
    """What was found and what was missed, with intervals."""
    share = recall.recall
    lines = [
        f"Known by {recall.source} ({recall.images:,} pictures): of {share['n']:,} faces "
        f"{_percent(share['value'])} were found (Wilson, {100 * recall.confidence:g} %: {_interval(share)})."
    ]
    leaks = recall.leaks
    if recall.source == AUDIT and leaks:
        lines.append(
            f"Pictures in which a face was not found, and is visible: {_percent(leaks['value'])} of all "
            f"({_interval(leaks)})."
        )
    elif leaks:
        lines.append(f"Pictures in which a face was not found, and is visible: {leaks['hits']:,} of {leaks['n']:,}.")
    return lines


def missed_in_words(known: Known, without_audit: str) -> list[str]:
    """The same, or why nothing is known."""
    if known.recall is not None:
        return recall_in_words(known.recall)
    if not known.needs_audit:
        return ["Whole pictures are hidden: nothing had to be found first."]
    return [
        f"**Not known.** {_sentence(known.why)} How many faces are still visible, nobody has counted.",
        f"The owner's reason to release it all the same: {_sentence(without_audit)}",
    ]


def attacks_in_words(known: Known) -> list[str]:
    """What attacks found out, one line each; that none were made, where none were."""
    if not known.outcomes:
        return ["None were measured: nobody has tried to recognize the people of this copy with anonbench's attacks."]
    lines = []
    for outcome in known.outcomes:
        risk, name = outcome["risk"], f"{outcome['attack']} ({outcome['method']}, {outcome['run']})"
        rank1 = outcome["identification"].get("rank1")
        found = (
            ""
            if rank1 is None
            else f"; of {outcome['n_probes']:,} pictures {_percent(rank1)} were given the right name"
        )
        if risk.get("void"):
            lines.append(
                f"{name}: no statement, since {risk.get('why') or 'the attack did not beat its baseline'}{found}."
            )
        elif risk.get("value") is None:
            lines.append(f"{name}: no risk was computed{found}.")
        else:
            interval = f"{_percent(risk['low'])} to {_percent(risk['high'])}"
            worst = (outcome["worst"] or {}).get("rank1")
            most = "" if worst is None else f"; the person found most often in {_percent(worst)} of the pictures"
            lines.append(f"{name}: risk {_percent(risk['value'])} ({interval}){found}{most}.")
    return lines


def leaks_in_words(facts: Facts) -> list[str]:
    """What the audit of leaks says about the finished folder."""
    counts = Counter(finding.kind for finding in facts.leaks if finding.is_leak)
    lines = [f"{kind}: {number:,}. {_sentence(KINDS[kind])}" for kind, number in counts.items()] or [
        "Nothing was found."
    ]
    if not facts.compared:
        return [*lines, "There were no originals of the same size, so pixels were not compared with them."]
    unchanged = sum(finding.kind == "unchanged" for finding in facts.leaks)
    lines.append(f"Pictures in which nothing differs from the original: {unchanged:,} of {facts.compared:,}.")
    return lines


def card(known: Known, facts: Facts) -> str:
    """The method card (Markdown)."""
    sections = {
        "What was done": [describe(known), "", *_method(known)],
        "What was done to the files": _on_files(facts),
        "What was missed": [*_points(missed_in_words(known, facts.without_audit)), *_points(_left_visible(facts))],
        "What remains": _points(
            [REMAINS, "Names of files, and labels of people and cameras, are those of the dataset."]
        ),
        "Attacks on this copy": _points(attacks_in_words(known)),
        "Audit of leaks in the finished folder": _points(
            [*leaks_in_words(facts), "It looks for mistakes. Without a finding nothing is proved."]
        ),
    }
    people = "The people are drawn: nobody real is shown." if known.rendered else "The pictures show real people."
    lines = [f"# Method card: {known.dataset}, {known.stored}", "", people, ""]
    for title, text in sections.items():
        lines += [f"## {title}", "", *text, ""]
    return "\n".join(lines)


def _method(known: Known) -> list[str]:
    by_tool = known.entry.get("method") == "files"
    hidden = "as the other tool decided" if by_tool else "whole pictures"
    if known.detections is not None:
        hidden = f"what the detector `{known.detector_name}` found"
    lines = [f"Hidden: {hidden}."]
    lines.append(
        f"Method: `{known.entry.get('method')}`, {_listed(parameters(known.entry, (*NOT_PARAMETERS, 'method')))}."
    )
    if known.detections is not None:
        settings = _listed(parameters(known.detector, ("method",)))
        lines.append(f"Detector: `{known.detector.get('method')}`, {settings}.")
    stamp = known.stamp
    if stamp is None:
        lines.append("There is no stamp of the job that made it. The settings are those of the owner's configuration.")
        lines.append(f"Released with anonbench {__version__}.")
    else:
        versions = ", ".join(f"{name} {value}" for name, value in stamp.versions.items() if value)
        lines.append(f"Made with: {versions}; digest of the code {stamp.code or 'not recorded'}.")
    return _points(lines)


def _on_files(facts: Facts) -> list[str]:
    changed, encoded = _changes(facts)
    pixels = "No pixel was changed by that"
    if encoded:
        pixels += f", but in {encoded:,} that had to be encoded anew: {_reasons(facts)}"
    lines = [
        f"{len(facts.pictures):,} pictures. Metadata, previews and further pictures were taken out of {changed:,} of "
        f"them. {pixels}.",
        f"Beside them: {_files(facts.sidecars)}.",
    ]
    if facts.addresses:
        lines.append(f"**Web addresses stand in {_files(facts.addresses)}.** Originals may be found there.")
    return _points(lines)


def _left_visible(facts: Facts) -> list[str]:
    if not any("visible" in picture.labels for picture in facts.pictures):
        return []
    visible = sum(picture.labels.get("visible", 0) for picture in facts.pictures)
    return [f"People who are annotated and have no region of their own, and are visible: {visible:,}."]


def _points(lines: Iterable[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def readme(known: Known, facts: Facts) -> str:
    """The page for the recipient (Markdown)."""
    people = "drawn people" if known.rendered else "people"
    signed = f"- `{SIGNATURE}`: the owner's signature of that file.\n" if facts.signed else ""
    splits = Counter(picture.split for picture in facts.pictures)
    counts = ", ".join(f"{split} {number:,}" for split, number in sorted(splits.items()))
    return f"""# {known.dataset}, {known.stored}

{len(facts.pictures):,} pictures of {people} ({counts}). What was hidden in them, {CARD} says.

- `{IMAGES}/`: the pictures, in the dataset's own tree; {_files(facts.sidecars)} beside them.
- `{MANIFEST}`: a row for each picture: path below `{IMAGES}/`, split, width, height, SHA-256, labels.
- `{CARD}`: what was done, what was missed, what remains. **Read it first.**
- `{TERMS}`: what the owner asks of you. Licence: {facts.licence}
- `{CROISSANT}`: the same for machines.
- `{SUMS}`: the SHA-256 of every file.
{signed}
Is it whole?

```sh
sha256sum -c {SUMS}         # every file that is listed
anonbench release --check .      # further files and the signature too
```

{REMAINS} If you see a face that should be hidden, tell
whoever gave you this folder.
"""


def _changes(facts: Facts) -> tuple[int, int]:
    found = facts.written.values()
    return sum(one.changed for one in found), sum(bool(one.encoded) for one in found)


def _reasons(facts: Facts) -> str:
    counts = Counter(one.encoded for one in facts.written.values() if one.encoded)
    return ", ".join(f"{reason} {number:,}" for reason, number in sorted(counts.items()))


def _files(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:SHOWN])
    more = len(names) - SHOWN
    return (shown + (f" and {more:,} more" if more > 0 else "")) or "nothing"


def _listed(values: Mapping[str, Any]) -> str:
    return (
        ", ".join(f"{key} {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()) or "no parameters"
    )


def _is_path(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_is_path(part) for part in value.values())
    if isinstance(value, list | tuple):
        return any(_is_path(part) for part in value)
    return isinstance(value, str) and ("/" in value or "\\" in value)


def _interval(share: Mapping[str, Any]) -> str:
    low, high = share["wilson"]
    return f"{_percent(low)} to {_percent(high)}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")
