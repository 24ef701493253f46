"""The kinds of tables of Study 4, a module for each value of `rows:`."""

from __future__ import annotations

from anonbench.core.registry import Registry

KINDS = Registry("kind of table", __name__)
