"""Face recognizers that are already trained: one module each. Networks trained here are models like any other.

    @RECOGNIZERS.register("dlib")
    recognizer.open() -> function from (n, H, W, 3) uint8 RGB faces to (n, d) float32 features

A recognizer is a frozen dataclass whose fields are its parameters. Opening one raises `ConfigError` where what it
needs is not installed, `DataError` where a file is missing.
"""

from __future__ import annotations

from anonbench.core.registry import Registry

RECOGNIZERS = Registry("recognizer", __name__)
