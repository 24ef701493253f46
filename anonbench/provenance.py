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
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from anonbench.files import write_text

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
        base = Path(__file__).parent.joinpath(*parts[1:])
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


def write_stamp(
    path: Path,
    stage: str,
    settings: Mapping[str, Any],
    inputs: Iterable[Path],
    outputs: Iterable[Path],
    code: str,
    seconds: float,
) -> None:
    """Write the provenance of a stage's outputs as JSON.

    settings: what the stage was asked to do. Files are named with the SHA-256 of their bytes; a folder stands for
    itself without a hash (its manifest, a file, has one).
    """
    stamp = {
        "stage": stage,
        "settings": dict(settings),
        "inputs": {str(p): file_sha256(p) for p in inputs},
        "outputs": {str(p): file_sha256(p) for p in outputs},
        "code": code,
        "seconds": round(seconds, 2),
        "machine": {"platform": platform.platform(), "python": platform.python_version(), "device": _device()},
        "versions": {name: _version(name) for name in VERSIONED},
    }
    write_text(path, json.dumps(stamp, indent=1) + "\n")


def file_sha256(path: Path) -> str | None:
    """Hexadecimal SHA-256 of a file's bytes; None for a folder or what is not there."""
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _device() -> str:
    """The accelerator, when this process has loaded torch and there is one; the processor else."""
    import sys

    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return platform.processor() or platform.machine()
