"""What the tables and figures of Study 1 call its metrics and settings."""

from __future__ import annotations

from anonbench.report.layout import Headings

HEADINGS = Headings(
    metrics={"map": "mAP", "rank1": "Rank-1"},
    settings={
        "orig_orig": "original → original",
        "orig_anon": "original → anonymized",
        "anon_anon": "anonymized → anonymized",
    },
    groups={
        "orig_orig": "Trained and tested on original",
        "orig_anon": "Trained on original, tested on anonymized",
        "anon_anon": "Trained and tested on anonymized",
    },
)
