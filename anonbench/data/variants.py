"""Names that no variant of yours may have: the images as they are, and networks that were never trained."""

from __future__ import annotations

ORIGINAL = "original"
UNTRAINED = "untrained"
RESERVED = (ORIGINAL, UNTRAINED)
