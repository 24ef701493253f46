"""Studies as data: settings, kinds of tables, figures, published numbers, text. A study never imports another."""

from __future__ import annotations

import pkgutil

DEFAULT_STUDY = "reid_faces"
STUDIES = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg))
"""The studies: folders below this one. Their defaults are in config/studies/<study>.yaml."""
