"""Check every artifact of the workflow against its stamp, and every stamp against today's code, settings and inputs.

An artifact's verdict:

- `ok`: it is the file that its stamp describes, made by the current code, settings and inputs.
- `missing`: it is not there.
- `changed`: its bytes are not those that its stamp describes.
- `stale`: its bytes are, but the code, settings or inputs have changed, or it is made from something stale.
- `no stamp`: nothing says how it was made.
- `foreign`: it is below results/, and no job of this configuration makes it.
- `not asked for`: it is not there, was never made here, and the last run had other targets.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anonbench.core import command
from anonbench.core.command import NO_SETTINGS
from anonbench.core.errors import DataError
from anonbench.core.hashing import content_sha256, file_sha256
from anonbench.data.pictures import read_manifest
from anonbench.ops.catalog import declaration
from anonbench.ops.dag import Job, upstream_first
from anonbench.ops.dvc.cells import SETTINGS, stage_name
from anonbench.ops.provenance import Stamp, read_stamp

OK, MISSING, CHANGED, STALE, NO_STAMP, FOREIGN, NOT_ASKED = VERDICTS = (
    "ok", "missing", "changed", "stale", "no stamp", "foreign", "not asked for",
)  # fmt: skip
RESULTS = "results"
# Below results/, but no artifacts: run times, states of unfinished work, the journal, what DVC compares settings by.
NO_ARTIFACTS = ("results/benchmarks", "results/.resume", "results/.status", SETTINGS, "results/README.md")
NO_ARTIFACT_NAMES = (".snakemake_timestamp", ".gitignore", ".DS_Store")
READS_RAW = ("index", "unpack")
STANDS_ON = "depends on stale"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is true of one artifact.

    job: what makes it, named as its stage in DVC.
    reasons: why it is not ok.
    """

    path: str
    verdict: str
    job: str = ""
    reasons: tuple[str, ...] = ()


class Verifier:
    """The verdicts on a workflow's artifacts. Every file is hashed once, when a verdict first needs it.

    jobs: the whole chain of what is asked for.
    root: the folder that their paths are relative to.
    asked: targets of the last run, files or names of rules. What these do not
        need, and what was never made, is not missing. Empty: everything is asked for.
    """

    def __init__(self, jobs: Iterable[Job], root: Path, asked: Sequence[str] = ()) -> None:
        self.root = root
        self.jobs = upstream_first(jobs)
        self.producers = {path: job for job in self.jobs for path in job.artifacts}
        self._asked = self._needed_for(asked)
        self._hashes: dict[str, str | None] = {}
        self._stamps: dict[str, Stamp | None] = {}
        self._own: dict[str, tuple[str, ...]] = {}
        self._reasons: dict[str, tuple[str, ...]] = {}

    def findings(self) -> list[Finding]:
        """One finding an artifact, what others are made from first."""
        return [self.finding(job, path) for job in self.jobs for path in job.artifacts]

    def finding(self, job: Job, path: str) -> Finding:
        """The verdict on one artifact of a job."""
        name, stamp, reasons = stage_name(job), self.stamp(job), self.reasons(job)
        if not (self.root / path).exists():
            return Finding(path, MISSING if self.was_to_be_made(job) else NOT_ASKED, name)
        if stamp is None:
            return Finding(path, NO_STAMP, name, (f"there is no readable {job.stamp or 'stamp'}",))
        recorded = stamp.outputs.get(path)
        if recorded is None:
            return Finding(path, NO_STAMP, name, (f"{job.stamp} holds no hash of it",))
        if self.sha256(path) != recorded:
            return Finding(path, CHANGED, name, (*self._difference(job, path, recorded), *reasons))
        return Finding(path, STALE if reasons else OK, name, reasons)

    def was_to_be_made(self, job: Job) -> bool:
        """Whether the last run asked for a job, or any of its outputs is there from another time."""
        wanted = self._asked is None or job.outputs[0] in self._asked
        return wanted or any((self.root / path).exists() for path in job.outputs)

    def _needed_for(self, targets: Sequence[str]) -> set[str] | None:
        """The jobs of targets and all above them, by their first outputs. None where the targets are everything."""
        known = {name for job in self.jobs for name in (job.rule, *job.outputs)}
        if not targets or not known.issuperset(targets):  # such as `all`
            return None
        left = [job for job in self.jobs if {job.rule, *job.outputs}.intersection(targets)]
        found: set[str] = set()
        while left:
            job = left.pop()
            if job.outputs[0] not in found:
                found.add(job.outputs[0])
                left += self.upstream(job)
        return found

    def stamp(self, job: Job) -> Stamp | None:
        """A job's stamp; None when it is not there or not readable."""
        if job.stamp is None:
            return None
        if job.stamp not in self._stamps:
            try:
                self._stamps[job.stamp] = read_stamp(self.root / job.stamp)
            except DataError:
                self._stamps[job.stamp] = None
        return self._stamps[job.stamp]

    def sha256(self, path: str) -> str | None:
        """Of a file or folder as it is now; None when it is not there."""
        if path not in self._hashes:
            self._hashes[path] = content_sha256(self.root / path)
        return self._hashes[path]

    def reasons(self, job: Job) -> tuple[str, ...]:
        """Why the tree would not make the job's artifacts as they were made, itself or for what they are made from."""
        key = job.outputs[0]
        if key not in self._reasons:
            self._reasons[key] = ()  # the graph has no cycles; a broken one must not hang
            above = dict.fromkeys(name for up in self.upstream(job) for name in self._stale_sources(up))
            stands_on = (f"{STANDS_ON} {_few(list(above))}",) if above else ()
            self._reasons[key] = (*self._own_reasons(job), *stands_on) if self.stamp(job) else ()
        return self._reasons[key]

    def upstream(self, job: Job) -> list[Job]:
        """The jobs that make a job's inputs, each once."""
        found = {up.outputs[0]: up for path in job.inputs if (up := self.producers.get(path)) is not None}
        return list(found.values())

    def _stale_sources(self, job: Job) -> Sequence[str]:
        """The job itself where it is stale by itself, else those above it that are."""
        if self.reasons(job) and self._own_reasons(job):
            return [stage_name(job)]
        return [name for up in self.upstream(job) for name in self._stale_sources(up)] if self.reasons(job) else []

    def _own_reasons(self, job: Job) -> tuple[str, ...]:
        stamp = self.stamp(job)
        if stamp is None:
            return ()
        key = job.outputs[0]
        if key not in self._own:
            self._own[key] = (*_other_code(job, stamp), *_other_settings(job, stamp), *self._other_inputs(job, stamp))
        return self._own[key]

    def _other_inputs(self, job: Job, stamp: Stamp) -> Iterable[str]:
        for path in job.inputs:
            if path in stamp.inputs and stamp.inputs[path] is None:
                yield from self._other_folder(job, path)
            elif path not in stamp.inputs:
                yield f"input {path} is not in its stamp"
            elif self._now(path) not in (None, stamp.inputs[path]):
                yield f"input {path} was {_short(stamp.inputs[path])}, is {_short(self._now(path))}"
        siblings = {path for up in self.upstream(job) for path in up.artifacts}
        for path, recorded in stamp.inputs.items():
            if path in job.inputs or recorded is None:
                continue
            if path not in siblings:
                yield f"was made from {path} too, which it would not read now"
            elif self._now(path) not in (None, recorded):
                yield f"input {path} was {_short(recorded)}, is {_short(self._now(path))}"

    def _other_folder(self, job: Job, path: str) -> Iterable[str]:
        """A folder among the inputs, checked against the stamp of what made it. The user's own: the manifest."""
        producer = self.producers.get(path)
        if producer is not None:
            if (self.root / path).exists() and self.finding(producer, path).verdict == CHANGED:
                yield f"input {path} has changed"
        elif job.rule == "index":
            differing = differing_images(self.root / path, self.root / job.artifacts[0])
            if differing:
                yield f"input {path} is not what was indexed: {_few(differing)}"

    def _now(self, path: str) -> str | None:
        """The hash of an input. Of one that is not here, what its stamp says. None when nothing is known."""
        found = self.sha256(path)
        if found is None and path in self.producers:
            stamp = self.stamp(self.producers[path])
            return stamp.outputs.get(path) if stamp else None
        return found

    def _difference(self, job: Job, path: str, recorded: str) -> Iterable[str]:
        yield f"is {_short(self.sha256(path))}, its stamp says {_short(recorded)}"
        if path not in job.folders:
            return
        manifest = self._manifest_of(job, path)
        differing = differing_images(self.root / path, self.root / manifest) if manifest else []
        if differing:
            yield f"not as in {manifest}: {_few(differing)}"

    def _manifest_of(self, job: Job, folder: str) -> str | None:
        """The manifest with the hashes of a folder's images: the job's own, or that of the index made from it."""
        indexes = [other for other in self.jobs if other.rule == "index" and folder in other.inputs]
        return next((path for made in (job, *indexes) for path in made.artifacts if path.endswith(".csv")), None)


def asked_settings(job: Job) -> dict[str, Any]:
    """The settings that the workflow would give the job's command now, with the names and types that stamps have."""
    try:
        declared = declaration(job.rule)
    except LookupError:  # a rule that somebody else has added
        return {name: value for name, value in job.params.items() if name not in NO_SETTINGS}
    return command.asked_settings(declared, job.params)


def differing_images(root: Path, manifest: Path) -> list[str]:
    """The images that are not below `root` as a manifest lists them, by path. None when there is no manifest."""
    if not manifest.is_file() or not root.is_dir():
        return []
    return [image.path for image in read_manifest(manifest) if file_sha256(root / image.path) != image.sha256]


def foreign_files(jobs: Iterable[Job], root: Path) -> list[Finding]:
    """What is below results/ and is made by no job. A folder that holds nothing else is named as one."""
    made = {output for job in jobs for output in job.outputs}
    parents = {str(parent) for output in made for parent in Path(output).parents}
    found: list[Finding] = []

    def walk(folder: Path) -> None:
        for entry in sorted(folder.iterdir()):
            path = entry.relative_to(root).as_posix()
            if path in made or path in NO_ARTIFACTS or entry.name in NO_ARTIFACT_NAMES:
                continue
            if entry.is_dir() and not entry.is_symlink() and path in parents:
                walk(entry)
            elif not entry.is_dir():
                found.append(Finding(path, FOREIGN))
            elif count := sum(f.is_file() and f.name not in NO_ARTIFACT_NAMES for f in entry.rglob("*")):
                found.append(Finding(f"{path}/", FOREIGN, reasons=(f"{count} files",)))

    if (root / RESULTS).is_dir():
        walk(root / RESULTS)
    return found


def failed(findings: Iterable[Finding], allow_missing: bool = False) -> bool:
    """Whether anything is not as the tree would make it. What no stamp vouches for is not confirmed either."""
    good = (OK, FOREIGN, NOT_ASKED, MISSING) if allow_missing else (OK, FOREIGN, NOT_ASKED)
    return any(finding.verdict not in good for finding in findings)


def absent_data(jobs: Iterable[Job], root: Path) -> list[str]:
    """The raw datasets that are not here: their images cannot be checked against their manifests."""
    made = {path for job in jobs for path in job.artifacts}
    raw = {path for job in jobs if job.rule in READS_RAW for path in job.inputs} - made
    return sorted(path for path in raw if not (root / path).exists())


def as_text(findings: Sequence[Finding], absent: Sequence[str] = ()) -> str:
    """A line of counts, then what is not ok, artifacts of one job with the same reasons together.

    absent: what `absent_data` found.
    """
    counts = Counter(finding.verdict for finding in findings)
    artifacts = len(findings) - counts[FOREIGN] - counts[NOT_ASKED]
    lines = [f"{artifacts} artifacts: " + ", ".join(f"{counts[v]} {v}" for v in VERDICTS if counts[v] or v == OK)]
    lines += [f"not compared, since it is not here: {path}" for path in absent]
    groups: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for finding in sorted(findings, key=lambda f: (VERDICTS.index(f.verdict), _inherited(f))):
        if finding.verdict not in (OK, FOREIGN, NOT_ASKED):
            job = "" if finding.verdict == MISSING or _inherited(finding) else f"  {finding.job}"
            groups.setdefault((finding.verdict, job, finding.reasons), []).append(finding.path)
    for (verdict, job, reasons), paths in groups.items():
        lines += ["", f"{verdict}{job}", *(f"    {reason}" for reason in reasons), *(f"  {path}" for path in paths)]
    strange = [finding for finding in findings if finding.verdict == FOREIGN]
    if strange:
        lines += ["", "foreign: no job of this configuration makes them"]
        lines += [f"  {f.path}" + (f"  {f.reasons[0]}" if f.reasons else "") for f in strange]
    return "\n".join(lines)


def as_json(findings: Sequence[Finding], absent: Sequence[str] = ()) -> str:
    """`{counts: {verdict: n}, absent: [path], artifacts: [{path, verdict, job, reasons}]}`"""
    counts = Counter(finding.verdict for finding in findings)
    artifacts = [asdict(finding) for finding in findings]
    return json.dumps({"counts": {v: counts[v] for v in VERDICTS}, "absent": absent, "artifacts": artifacts}, indent=1)


def _inherited(finding: Finding) -> bool:
    """Whether an artifact is stale for nothing but what it is made from."""
    return finding.verdict == STALE and all(reason.startswith(STANDS_ON) for reason in finding.reasons)


def _other_code(job: Job, stamp: Stamp) -> Iterable[str]:
    if "code" in job.params and stamp.code != job.params["code"]:
        yield f"code was {stamp.code or 'not recorded'}, is {job.params['code']}"


def _other_settings(job: Job, stamp: Stamp) -> Iterable[str]:
    for name, now in asked_settings(job).items():
        if name not in stamp.settings:
            yield f"setting {name} is not in its stamp"
        elif stamp.settings[name] != now:
            yield from _differences(name, stamp.settings[name], now)


def _differences(name: str, then: Any, now: Any) -> Iterable[str]:
    """Each value that differs, by its dotted name: `spec.training.epochs was 1, is 2`."""
    if not (isinstance(then, Mapping) and isinstance(now, Mapping)):
        yield f"{name} was {_value(then)}, is {_value(now)}"
        return
    for key in dict.fromkeys((*then, *now)):
        if key not in then:
            yield f"{name}.{key} was not set, is {_value(now[key])}"
        elif key not in now:
            yield f"{name}.{key} was {_value(then[key])}, is not set"
        elif then[key] != now[key]:
            yield from _differences(f"{name}.{key}", then[key], now[key])


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "not there"


def _few(names: Sequence[str], shown: int = 3) -> str:
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
