"""Columns of the files that an evaluation writes. Separate, so that reading them does not load torch."""

from __future__ import annotations

QUERY_COLUMNS = ("path", "pid", "camid", "matches", "first_match_rank", "ap", "inp", "excluded_because")
CMC_COLUMNS = ("rank", "cmc")
