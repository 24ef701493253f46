"""The page on what the statistics of Study 3 allow one to conclude."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from anonbench.data.results import write_frame
from anonbench.stages.scene_conclusions import scene_conclusions
from anonbench.statistics.decision import VERDICTS
from anonbench.studies.scenes.effects import COLUMNS
from anonbench.studies.scenes.statistics_page import statistics_page


def row(variant: str, difference: float, verdict: str, metric: str = "ap_person", **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = dict.fromkeys(COLUMNS, 0.5)
    return {
        **values, "dataset": "streets", "model": "small", "variant": variant, "metric": metric, "n_runs": 3,
        "n_pictures": 500, "before": 35.0, "difference": difference, "low": difference - 1, "high": difference + 1,
        "training_low": difference - 2, "training_high": difference + 2, "tost_low": difference - 0.5,
        "tost_high": difference + 0.5, "basis": "pictures and training", "margin": 1.0, "verdict": verdict, "note": "",
        **changes,
    }  # fmt: skip


ROWS = [
    row("face_blur", -0.1, "within the margin"),
    row("body_blur", -32.9, VERDICTS[0]),
    row("body_realistic_hmlo", -13.5, VERDICTS[0]),
    row("body_blur", -5.3, VERDICTS[1], "ap", noise_floor=0.4),
]


def page(rows: list[dict[str, Any]], label: str = "Cityscapes") -> str:
    return statistics_page(pd.DataFrame(rows), label, 0.05)


def test_the_answer_comes_first() -> None:
    answer = page(ROWS).split("\n\n")[1]
    assert answer == (
        "**streets, small.** Trained on original pictures: 35.0 % AP person. Hiding faces: blur -0.10 [-0.60, +0.40], "
        "within the margin. Hiding whole bodies: a drop is shown for 2 of 2 methods. The best is realistic + HM-LO, "
        "-13.50 [-15.50, -11.50], the worst blur, -32.90 [-34.90, -30.90]."
    )


def test_every_difference_is_below_its_verdict() -> None:
    text = page(ROWS)
    assert (
        "### AP person\n\n- A drop is shown, and it is shown to exceed 1 point: body_blur -32.90 [-34.90, -30.90], "
        "body_realistic_hmlo -13.50 [-15.50, -11.50]\n- No difference is shown, and equivalence within ±1 point is: "
        "face_blur -0.10"
    ) in text
    assert (
        "two means over 3 seeds differ by more than this in 5 % of cases (percent points): AP person 0.50, AP 0.40"
        in text
    )
    assert "500 validation pictures, 3 seeds" in text
    assert "0 differences of 4: neither" in text
    assert "no evidence about real pictures" not in text
    assert "no evidence about real pictures" in page(
        ROWS, "streets (rendered people: a check, not evidence about real)"
    )


def test_one_seed_puts_nothing_down_to_anonymizing() -> None:
    one = [{**line, "basis": "pictures", "n_runs": 1} for line in ROWS]
    text = page(one)
    assert "One seed: the luck of training is unknown, and may be what a drop shows." in text
    assert "The luck of training is unknown: one seed only." in text
    assert "body_blur -32.90 [-33.90, -31.90]" in text, "the interval over pictures"
    assert "By the luck of training alone" not in text


def test_a_network_that_has_learnt_nothing() -> None:
    text = page([{**line, "before": 0.2} for line in ROWS])
    assert "reaches 0.2 % AP person: it has learnt nothing, and nothing follows" in text
    assert text.count("No verdict: a network that has learnt nothing can lose nothing.") == 2
    assert "equivalence within ±1 point is" not in text


def test_the_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_frame(tmp_path / "scenes.csv", pd.DataFrame([{**line, "note": ""} for line in ROWS])[list(COLUMNS)])
    scene_conclusions(tmp_path / "scenes.csv", "Cityscapes", tmp_path / "scenes.md")
    assert (tmp_path / "scenes.md").read_text() == page(ROWS)
    assert "# What anonymizing costs" in capsys.readouterr().out
