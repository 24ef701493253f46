"""Tables of Study 4 from outcomes that are made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from attack_outcomes import outcome

from anonbench.attacks._outcome import write_outcome
from anonbench.core.errors import DataError
from anonbench.report.tables import write_table
from anonbench.studies.privacy import page
from anonbench.studies.privacy.figures_tradeoff import draw_tradeoff
from anonbench.studies.privacy.kinds.attacks import Attacks
from anonbench.studies.privacy.kinds.clothes import Clothes
from anonbench.studies.privacy.kinds.risks import Risks
from anonbench.studies.privacy.kinds.tradeoff import Tradeoff, judged, loss
from anonbench.studies.privacy.results import measured, strongest

LABEL = "toy (rendered people: a check of the pipeline, not evidence about real ones)"
SPEC: dict[str, Any] = {
    "dataset": "toy",
    "faces": "toy-faces",
    "model": "bot",
    "attacks": ["faces", "parrot", "people"],
    "variants": ["blur", "zero"],
    "curves": {"blur": ["blur", "zero"]},
    "risks": {"faces": "singling_out", "parrot": "singling_out", "people": "linkability"},
    "statistics": {"confidence": 0.95, "resamples": 200, "risk_bound": 0.1},
}


def risk(value: float, low: float, high: float, void: bool = False) -> dict[str, Any]:
    why = "it does no better than a guess" if void else ""
    return {"value": value, "low": low, "high": high, "interval": "wilson", "void": void, "why": why}


def found(attack: str, variant: str, *risk_of: Any, rank1: float = 0.5, **changes: Any) -> dict[str, Any]:
    identification = {"rank1": rank1, "rank5": 1.0, "mAP": 0.8}
    return outcome(attack=attack, variant=variant, risk=risk(*risk_of), identification=identification, **changes)


OUTCOMES = [
    found("faces", "original", 0.9, 0.8, 0.95, rank1=0.92),
    found("faces", "blur", 0.1, 0.02, 0.2, rank1=0.14),
    found("parrot", "blur", 0.4, 0.3, 0.5, rank1=0.45),
    found("faces", "zero", 0.02, 0.0, 0.06, rank1=0.03),
    found("parrot", "zero", 0.8, 0.0, 0.9, True),
    found("people", "blur", 0.7, 0.6, 0.8, rank1=0.72),
]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = []
    for number, made in enumerate(OUTCOMES):
        path = tmp_path / f"{number}.json"
        write_outcome(path, made)
        paths.append(path)
    return paths


def test_methods_by_attacks(files: list[Path], tmp_path: Path) -> None:
    table = Attacks().build("privacy_attacks", {"attacks": files}, SPEC, LABEL)
    assert list(table.frame["variant"]) == ["original", "blur", "zero"]
    row = table.frame.set_index("variant").loc["blur"]
    assert (row["rank1_parrot"], row["risk_parrot"], row["low_parrot"], row["high_parrot"]) == (45, 40, 30, 50)
    text = write_table(table, tmp_path / "t.csv")
    assert "| blur | 14; 10 [2, 20] | 45; 40 [30, 50] | 72; 70 [60, 80] |" in text
    assert "| zero | 3; 2 [0, 6] | 50; void | – |" in text
    assert LABEL in text
    runs = pd.read_csv(tmp_path / "t.runs.csv")
    assert len(runs) == len(OUTCOMES)
    assert {"EER", "TPR_1e-3", "control_rank1", "random_rank1", "worst_rank1"} <= set(runs)
    assert json.loads((tmp_path / "t.json").read_text())["blur"]["risk_faces"] == 10


def test_the_strongest_attack_decides_on_a_risk(files: list[Path]) -> None:
    table = Risks().build("privacy_risks", {"attacks": files}, SPEC, LABEL)
    rows = table.frame.set_index("variant")
    assert (rows.loc["blur", "singling_out"], rows.loc["blur", "singling_out_by"]) == (40, "parrot")
    assert (rows.loc["zero", "singling_out"], rows.loc["zero", "singling_out_by"]) == (2, "faces")  # void is no risk
    assert pd.isna(rows.loc["blur", "inference"])
    assert rows.loc["blur", "words"].startswith(
        "30 to 50 of 100 times a person is recognized by the face beyond chance"
    )
    assert table.shown is not None
    assert table.shown.set_index("variant").loc["zero"].tolist()[1:3] == ["not tried", "not tried"]


def test_the_runs_of_an_attack_are_joined_with_care() -> None:
    runs = [
        found("faces", "blur", 0.1, 0.05, 0.2, seed=0, run="seed0"),
        found("faces", "blur", 0.3, 0.1, 0.4, seed=1, run="seed1"),
    ]
    joined = measured(runs, "faces", "blur")
    assert joined is not None
    assert (joined.risk, joined.low, joined.high) == (pytest.approx(0.2), 0.05, 0.4)  # the widest of the runs
    assert measured(runs, "faces", "zero") is None
    assert strongest(runs, ["parrot"], "blur") is None


def queries(path: Path, ap: list[float]) -> Path:
    rows = [f"q/{n}.jpg,{1 + n // 2},{value}" for n, value in enumerate(ap)]
    path.write_text("\n".join(["path,pid,ap", *rows]) + "\n")
    return path


def test_the_cost_is_the_mean_loss_of_average_precision(tmp_path: Path) -> None:
    before = queries(tmp_path / "a.csv", [0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    after = queries(tmp_path / "b.csv", [0.8, 0.8, 0.5, 0.6, 0.2, 0.4])
    value, low, high = loss([before], [after], 0.95, 300)
    assert value == pytest.approx(0.1)
    assert low < value < high
    assert loss([before], [before], 0.95, 300) == (0, 0, 0)
    with pytest.raises(DataError, match="other queries"):
        loss([before], [queries(tmp_path / "c.csv", [0.1, 0.2])], 0.95, 300)


def test_who_is_on_the_front_and_who_may_be_recommended() -> None:
    frame = pd.DataFrame(
        [
            ("original", 0.0, 90.0, 95.0, False),
            ("blur", 1.0, 40.0, 50.0, False),
            ("worse", 2.0, 60.0, 70.0, False),  # blur has both less cost and less risk
            ("zero", 3.0, 2.0, 6.0, False),
            ("dear", 5.0, 1.0, 5.0, False),  # safe too, but zero costs less
            ("unknown", 0.5, 0.0, 0.0, True),  # void: no sign of safety
        ],
        columns=["variant", "cost", "risk", "risk_high", "void"],
    )
    rows = judged(frame, 0.1).set_index("variant")
    assert rows.index[rows["pareto"]].tolist() == ["original", "blur", "zero", "dear"]
    assert rows.index[rows["recommended"]].tolist() == ["zero"]
    assert not judged(frame, 0.01)["recommended"].any()


def test_the_tradeoff(files: list[Path], tmp_path: Path) -> None:
    made = {"attacks": files} | {
        f"queries {variant}": [queries(tmp_path / f"{variant}.csv", [0.9 - drop, 0.8, 0.7, 0.6 - drop])]
        for variant, drop in (("original", 0.0), ("blur", 0.1), ("zero", 0.2))
    }
    table = Tradeoff().build("tradeoff", made, SPEC, LABEL)
    rows = table.frame.set_index("variant")
    assert rows["cost"].tolist() == pytest.approx([0, 5, 10])
    assert rows["risk"].tolist() == [90, 70, 2]
    assert rows["recommended"].tolist() == [False, False, True]
    figure = draw_tradeoff(table.frame, SPEC["curves"], LABEL)
    names = {line.get_gid() for line in figure.axes[-1].lines}
    assert {"blur", "others"} <= names


def test_the_page_says_what_was_tried_and_what_was_not(files: list[Path], tmp_path: Path) -> None:
    table = Risks().build("privacy_risks", {"attacks": files}, SPEC, LABEL)
    write_table(table, tmp_path / "r.csv")
    entries = {
        "faces": {"method": "recognition", "sees": "faces", "model": "face_net"},
        "parrot": {"method": "recognition", "sees": "faces", "gallery": "anonymized", "trained": "anonymized"},
        "people": {"method": "recognition", "model": "bot", "gallery": "anonymized"},
    }
    risks, runs = pd.read_csv(tmp_path / "r.csv"), pd.read_csv(tmp_path / "r.runs.csv")
    text = page.privacy_page(risks, runs, entries, LABEL)
    assert LABEL in text
    assert "On clear pictures: 90 % (80 to 95) by faces." in text
    assert "- blur: 40 % (30 to 50), by parrot." in text
    assert "he has trained on pictures hidden in the same way" in text
    assert "Not tried" in text
    assert "In 1 of the tested pictures no face was found." in text
    assert "anonymous" not in text.lower().replace("anonymized", "")  # no verdict


def test_the_cost_by_share_of_other_clothes(tmp_path: Path) -> None:
    spec = {"datasets": {"100": "c100", "0": "c0"}, "model": "bot", "variants": ["blur"], **SPEC["statistics"]}
    files = {
        f"{share} {variant}": [queries(tmp_path / f"{share}{variant}.csv", [0.9 - drop, 0.8, 0.7, 0.6 - drop])]
        for share, variant, drop in (
            ("0", "original", 0),
            ("0", "blur", 0),
            ("100", "original", 0),
            ("100", "blur", 0.2),
        )
    }
    table = Clothes().build("clothes", files, {**spec, "statistics": SPEC["statistics"]}, LABEL)
    assert table.frame["other_clothes"].tolist() == [0, 100]
    assert table.frame["cost"].tolist() == pytest.approx([0, 10])
    assert table.frame["map_original"].tolist() == [75, 75]


def test_an_attack_that_works_on_clear_pictures_may_fail_on_hidden_ones() -> None:
    clear = found("faces", "original", 0.9, 0.8, 0.95)
    hidden = found("faces", "zero", 0.0, 0.0, 0.08, True)
    unproven = found("parrot", "zero", 0.0, 0.0, 0.9, True)
    both = strongest([clear, hidden, unproven], ["faces", "parrot"], "zero")
    assert both is not None
    assert (both.attack, both.high, both.silent) == ("faces", 0.08, False)
    alone = strongest([hidden, unproven], ["faces", "parrot"], "zero")
    assert alone is not None
    assert alone.silent  # nobody knows whether that attacker can recognize anybody
