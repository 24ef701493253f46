"""Where an artifact comes from: a digest of the code that made it, and a stamp beside each artifact.

The digest covers the syntax of the modules that a stage runs, without docstrings and comments: an edit re-runs exactly
what it affects, and a better comment re-runs nothing.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import platform
import resource
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonbench.core.errors import DataError
from anonbench.core.files import write_text
from anonbench.core.hashing import content_sha256, file_sha256

PACKAGE = "anonbench"
VERSIONED = ("anonbench", "torch", "torchreid", "numpy", "opencv-python-headless", "onnxruntime", "pillow")


def code_digest(*modules: str) -> str:
    """Twelve hexadecimal digits that change with the code of `modules` or of any of our modules they import.

    Imports are followed as they are written, inside functions too, without running anything. Packages outside
    anonbench count only when they are named (plug-ins); what they depend on is pinned by version.
    """
    seen: dict[str, str] = {}
    pending = list(modules)
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        file = _source(name)
        if file is None:
            continue
        seen[name], imports = _digest_and_imports(file, name, file.stat().st_mtime_ns)
        pending += imports
    text = json.dumps(sorted(seen.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@functools.cache
def _source(module: str) -> Path | None:
    """The file of a module, found without importing it when it is one of ours; None for what is no Python file."""
    parts = module.split(".")
    if parts[0] == PACKAGE:
        base = Path(__file__).parents[1].joinpath(*parts[1:])
        found = [f for f in (base.with_suffix(".py"), base / "__init__.py") if len(parts) > 1 and f.is_file()]
        return found[0] if found else None
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


@functools.cache
def _digest_and_imports(file: Path, name: str, mtime_ns: int) -> tuple[str, tuple[str, ...]]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imports = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imports += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:  # type: ignore[arg-type]
            node.body = node.body[1:]  # type: ignore[attr-defined]
    ours = tuple(sorted({i for i in imports if i.split(".")[0] == PACKAGE}))
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), ours


@dataclass(frozen=True, slots=True)
class Stamp:
    """What made an artifact: the stage, what it was told, SHA-256 of what it read and wrote (None where none is kept).

    code: digest of its modules. seconds: of the whole command. cpu_seconds: of all its cores together. memory_mb: peak,
    in MB of 10^6 bytes. threads: that it was given. machine: platform, python, kind (cuda or cpu), device.
    """

    stage: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, str | None]
    outputs: Mapping[str, str | None]
    code: str
    seconds: float
    machine: Mapping[str, str]
    versions: Mapping[str, str | None]
    cpu_seconds: float = 0.0  # the first stamps did not tell these three
    memory_mb: float = 0.0
    threads: int = 1


def write_stamp(
    path: Path,
    stage: str,
    settings: Mapping[str, Any],
    inputs: Iterable[Path],
    outputs: Iterable[Path],
    code: str,
    seconds: float,
    threads: int = 1,
) -> None:
    """Write the provenance of a stage's outputs, which this process made, as JSON.

    settings: what the stage was asked to do. threads: threads or worker processes that it was given. Files are named
    with the SHA-256 of their bytes, folders that were written with `folder_sha256`. A folder that was read stands for
    itself: the manifest read with it names every image's hash.
    """
    cpu_seconds, memory_mb = resources_used(threads)
    stamp = {
        "stage": stage,
        "settings": dict(settings),
        "inputs": {str(p): file_sha256(p) for p in inputs},
        "outputs": {str(p): content_sha256(p) for p in outputs},
        "code": code,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "memory_mb": round(memory_mb, 1),
        "threads": threads,
        "machine": {"platform": platform.platform(), "python": platform.python_version(), **_device()},
        "versions": {name: _version(name) for name in VERSIONED},
    }
    write_text(path, json.dumps(stamp, indent=1) + "\n")


def resources_used(threads: int) -> tuple[float, float]:
    """Seconds of processor time and peak memory in MB of this process and the workers that it has ended.

    The kernel tells the largest worker's peak only; each is counted as large as that.
    """
    own, workers = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu_seconds = own.ru_utime + own.ru_stime + workers.ru_utime + workers.ru_stime
    kilobytes = own.ru_maxrss + (workers.ru_maxrss * threads if threads > 1 else 0)
    return cpu_seconds, kilobytes * 1024 / 1e6


def read_stamp(path: Path) -> Stamp:
    """The stamp that `write_stamp` wrote; raises `DataError` when it cannot be read."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        return Stamp(**{name: entry[name] for name in Stamp.__dataclass_fields__ if name in entry})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a stamp ({type(error).__name__}: {error}). Make its artifact again.") from error


def is_stamp_of(path: Path, stage: str, found: Footprint, code: str) -> bool:
    """Whether a stamp and the outputs that it describes are what a command with this footprint would make now."""
    try:
        stamp = read_stamp(path)
    except DataError:
        return False
    outputs = {str(p): content_sha256(p) for p in found.outputs}
    return (
        (stamp.stage, stamp.code) == (stage, code)
        and stamp.settings == json.loads(json.dumps(dict(found.settings)))
        and stamp.inputs == {str(p): file_sha256(p) for p in found.inputs}
        and stamp.outputs == outputs
        and any(outputs.values())
    )


# Options of a command that name what it writes; all other paths among its options are read.
WRITTEN = ("output", "output_manifest", "history", "queries", "cmc", "png", "readable")
WRITTEN_TOO = {"index": ("dropped", "sidecars", "splits"), "detect-eval": ("groups", "curve", "figure")}
# What is written beside `output` without an option of its own.
SIBLINGS = {
    "table": (".md", ".tex", ".json", ".runs.csv", ".compare.csv"),
    "reported": (".md", ".tex", ".compare.csv"),
    "datasets": (".md", ".tex", ".compare.csv"),
    "untrained": (".md", ".tex"),
    "detection": (".md",),
}
# Files and folders that are named within the `spec`.
NAMED_IN_SPEC: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "detect": lambda spec: [spec["weights"]] if spec.get("weights") else [],
    "samples": lambda spec: spec.values(),
    "detection": lambda spec: [e[key] for e in spec for key in ("detections", "metrics", "audit") if e[key]],
    "figure1": lambda spec: spec.values(),
    "figure2": lambda spec: spec["roots"].values(),
    "faces": lambda spec: [entry["detections"] for entry in spec],
    "figure_ranked": lambda spec: [e[key] for e in spec["settings"] for key in ("features", "queries", "root")],
}
PER_QUERY = ("cells", "noise_floor", "faces")  # these read the results per query that lie beside the metrics
PUBLISHED = (*(f"table{n}.csv" for n in range(2, 8)), "text.csv")  # what `published` reads in its folder
# Neither files of the artifact's chain nor settings that change it.
NO_SETTINGS = ("stage", "run", "threads", "gpus", "stamp", "code", "resume_dir")


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a command reads, what it writes, and what else it was told."""

    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    settings: Mapping[str, Any]


def footprint(stage: str, options: Mapping[str, Any]) -> Footprint:
    """Sort the options of one of our commands (as `argparse` gives them) into inputs, outputs and settings."""
    inputs: list[Path] = []
    outputs: list[Path] = []
    settings: dict[str, Any] = {}
    for name, value in options.items():
        paths = [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, Path)]
        if name in NO_SETTINGS or value is None:
            continue
        if name in WRITTEN or name in WRITTEN_TOO.get(stage, ()):
            outputs += paths
        elif paths:
            inputs += paths
        elif (name, value) != ("metrics", []):
            settings[name] = value
    outputs += [options["output"].with_suffix(suffix) for suffix in SIBLINGS.get(stage, ())]
    if stage in NAMED_IN_SPEC:
        inputs += map(Path, NAMED_IN_SPEC[stage](options["spec"]))
    if stage in PER_QUERY:
        inputs += [path.with_name(f"{path.stem}.queries.csv") for path in options["metrics"]]
    if stage == "published":
        inputs = [folder / name for folder in inputs for name in PUBLISHED]
    return Footprint(tuple(dict.fromkeys(inputs)), tuple(outputs), settings)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _device() -> dict[str, str]:
    """The accelerator, when this process has loaded torch and there is one; the processor else. kind: cuda or cpu."""
    import sys

    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return {"kind": "cuda", "device": str(torch.cuda.get_device_name())}
    return {"kind": "cpu", "device": platform.processor() or platform.machine()}
