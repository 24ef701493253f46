"""What every benchmark writes: a block of RESULTS.md, with the machine and the versions it was measured on."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

from anonbench.core.files import write_text

RESULTS = Path(__file__).with_name("RESULTS.md")


def machine() -> str:
    """The processor and its cores."""
    try:
        names = re.findall(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        names = []
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


def versions(*packages: str) -> str:
    """Python and the packages that count."""
    return f"Python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in packages)}"


def write_block(name: str, text: str) -> None:
    """Put a text between the markers of its name in RESULTS.md."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    page = RESULTS.read_text(encoding="utf-8")
    head, rest = page.split(begin, 1)
    write_text(RESULTS, f"{head}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}")
