"""Where an artifact comes from: a digest of the code that made it, and a stamp beside each artifact.

The digest covers the syntax of the modules that a stage runs, without docstrings, comments and the texts of errors: an
edit re-runs exactly what it affects, and a better sentence re-runs nothing. Modules of `core/` cannot change a result
and do not count.
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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonbench.core.command import Footprint
from anonbench.core.errors import DataError
from anonbench.core.files import write_text
from anonbench.core.hashing import content_sha256, file_sha256

PACKAGE = "anonbench"
UNCOUNTED = "anonbench.core"  # cannot change a result
VERSIONED = ("anonbench", "torch", "torchreid", "numpy", "opencv-python-headless", "onnxruntime", "pillow")


def code_digest(*modules: str) -> str:
    """Twelve hexadecimal digits that change with the code of `modules` or of any of our modules they import.

    Imports are followed as they are written, inside functions too, without running anything. Packages outside
    anonbench count only when they are named (plug-ins); what they depend on is pinned by version. Modules of `core/` do
    not count, nor do texts within a `raise`.
    """
    seen: dict[str, str] = {}
    pending = list(modules)
    while pending:
        name = pending.pop()
        if name in seen or name.startswith(UNCOUNTED):
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
        if isinstance(node, ast.Raise):
            _drop_texts(node)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_text(statement)]
    ours = tuple(sorted({i for i in imports if i.split(".")[0] == PACKAGE}))
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), ours


def _is_text(statement: ast.stmt) -> bool:
    """Whether a statement is a text alone: a docstring, or one below a constant."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _drop_texts(node: ast.Raise) -> None:
    """Empty the texts of an error; what is computed for it stays."""
    for part in ast.walk(node):
        if isinstance(part, ast.JoinedStr):
            part.values = [value for value in part.values if not isinstance(value, ast.Constant)]
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            part.value = ""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What made an artifact: the stage, its settings, SHA-256 of what it read and wrote (None where none is kept).

    code: digest of its modules.
    seconds: of the whole command.
    cpu_seconds: of all its cores together.
    memory_mb: peak, in MB of 10^6 bytes.
    threads: threads or processes that it could use.
    machine: platform, python, kind (cuda or cpu), device.
    """

    stage: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, str | None]
    outputs: Mapping[str, str | None]
    code: str
    seconds: float
    machine: Mapping[str, str]
    versions: Mapping[str, str | None]
    cpu_seconds: float = 0.0  # the first stamps lack these three
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

    settings: the stage's options, without paths.
    threads: threads or worker processes that it could use.

    Files are named with the SHA-256 of their bytes, folders that were written with `folder_sha256`. Input folders are
    not hashed: their manifest already holds the hash of every image.
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

    The kernel reports the largest worker's peak only. Each worker counts as large as that.
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
