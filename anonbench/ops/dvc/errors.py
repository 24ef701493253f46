"""What DVC and its libraries raise, as sentences."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from anonbench.core.errors import DataError

READ = ("dvc.yaml", "dvc.lock", ".dvc/config", "workflow/profiles/dvc/config.yaml", "data/raw/*.dvc")
MERGE_MARK = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)


def refuse_merge_marks(root: Path) -> None:
    """Raise `DataError` when a file that DVC reads holds both sides of a merge."""
    for file in sorted(file for pattern in READ for file in root.glob(pattern) if file.is_file()):
        text = file.read_text(encoding="utf-8", errors="replace")
        if mark := MERGE_MARK.search(text):
            line = text[: mark.start()].count("\n") + 1
            raise DataError(
                f"{file}:{line}: has the marks of a merge that is not finished. Keep one side (`git checkout --ours "
                f"{file.relative_to(root)}`, or --theirs), `git add` it, then run this again; after a merge of the "
                f"config, `anonbench dvc-cells` writes dvc.yaml and `anonbench record` dvc.lock anew."
            )


@contextlib.contextmanager
def in_words(root: Path) -> Iterator[None]:
    """Turn what DVC and the libraries below it raise into `DataError`; Python's own exceptions are our bugs."""
    refuse_merge_marks(root)
    try:
        yield
    except Exception as error:
        library = type(error).__module__.partition(".")[0]
        if library in ("builtins", "anonbench", "snakemake") or isinstance(error, OSError):
            raise
        raise DataError(f"{root}: DVC cannot go on: {_chain(error)}") from error


def _chain(error: BaseException) -> str:
    """Its message, and those of what it was raised from: DVC's own may say no more than "failed to parse"."""
    said: list[str] = []
    now: BaseException | None = error
    while now is not None:
        text = " ".join(str(now).split()) or type(now).__name__
        if not any(text in other for other in said):
            said.append(text)
        now = now.__cause__
    return " (".join(said) + ")" * (len(said) - 1)
