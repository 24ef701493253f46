"""How each setting of Study 1 looks in every figure."""

from __future__ import annotations

from anonbench.report.style import OKABE_ITO, Series
from anonbench.studies.reid_faces.headings import HEADINGS

LOOKS: dict[str, tuple[str, str, str | tuple[float, tuple[float, ...]]]] = {
    "orig_orig": ("blue", "o", "-"),
    "orig_anon": ("vermillion", "s", (0.0, (4.0, 1.5))),
    "anon_anon": ("bluish green", "^", (0.0, (1.0, 1.2))),
}
SERIES = {
    name: Series(HEADINGS.settings[name], OKABE_ITO[colour], marker, line)
    for name, (colour, marker, line) in LOOKS.items()
}
