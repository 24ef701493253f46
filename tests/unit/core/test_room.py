"""What may be in `core/`: digests of code leave it out, so nothing there may change a result."""

from __future__ import annotations

from pathlib import Path

import anonbench.core
from anonbench.ops.provenance import code_digest

# Each with the reason why no pixel, weight or number depends on it.
ALLOWED = {
    "checks": "refuses values, returns nothing",
    "command": "declares commands",
    "contract": "runs the promises of plug-ins in tests and `check`",
    "errors": "messages",
    "fields": "builds a dataclass from a mapping unchanged, or refuses it",
    "files": "atomic writes of given bytes",
    "gpus": "which GPU is seen",
    "hashing": "digests for stamps",
    "locks": "who waits for whom",
    "memory": "how much memory is left",
    "parallel": "the same function over the same items, results in order",
    "progress": "what is printed while a job works",
    "registry": "names to plug-ins",
    "structure": "checks the sections of a config",
    "shards": "keeps finished items under the key of everything that made them",
}


def test_only_what_cannot_change_a_result_is_in_core() -> None:
    modules = {file.stem for file in Path(anonbench.core.__path__[0]).glob("*.py")} - {"__init__"}
    assert modules == set(ALLOWED), "what is new here is in no digest of code: say why no result depends on it"


def test_core_is_in_no_digest() -> None:
    assert code_digest(*(f"anonbench.core.{name}" for name in ALLOWED)) == code_digest()
