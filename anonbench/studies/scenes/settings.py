"""The study's name."""

from __future__ import annotations

STUDY = "scenes"
