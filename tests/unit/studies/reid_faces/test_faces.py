"""Cost by face on made-up queries with a known cost."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from simulated_scores import within_binomial

from anonbench.core.errors import ConfigError, DataError
from anonbench.data.regions import Region
from anonbench.statistics.bootstrap import bootstrap_mean_difference
from anonbench.studies.reid_faces.face_groups import COLUMNS, face_height, face_table


def made_up(loss: float, per_px: float = 0.0, n: int = 600, seed: int = 0) -> tuple[pd.DataFrame, dict[str, float]]:
    """Half of the queries have a face of 5 to 30 px; those lose `loss` and `per_px` for each pixel above 15."""
    rng = np.random.default_rng(seed)
    height = np.where(rng.random(n) < 0.5, rng.uniform(5, 30, n), np.nan)
    d = rng.normal(0, 2, n) - np.where(np.isnan(height), 0, loss + per_px * (height - 15))
    paths = [f"q{i}.jpg" for i in range(n)]
    frame = pd.DataFrame({"path": paths, "pid": np.arange(n) // 4, "difference": d})
    return frame, dict(zip(paths, height, strict=True))


def test_the_largest_detected_face_counts():
    small, large = Region((0, 0, 4, 9), score=0.9), Region((10, 5, 20, 17), score=0.3)
    default = Region((0, 0, 40, 60), score=0.0, source="default")
    assert face_height([small, default, large]) == 12
    assert face_height([Region((-4, -3, 6, 9), score=0.5)]) == 9  # what lies above the image is not visible
    assert math.isnan(face_height([]))
    assert math.isnan(face_height([default]))


def test_groups_and_their_counts():
    frame, heights = made_up(loss=3.0)
    table = face_table(frame, heights, resamples=1000).set_index("group")
    assert tuple(table.reset_index().columns) == COLUMNS
    with_face = frame[~frame["path"].map(heights).isna()]
    assert table.loc["face", "n_queries"] == len(with_face)
    assert table.loc["face", "n_identities"] == with_face["pid"].nunique()
    assert table.loc["face", "estimate"] == pytest.approx(with_face["difference"].mean())
    assert table.loc["no face", "n_queries"] == 600 - len(with_face)
    bins = [g for g in table.index if g.endswith(" px") and g[0].isdigit()]
    assert bins == ["0-8 px", "8-12 px", "12-16 px", "16-24 px", "24+ px"]
    assert table.loc[bins, "n_queries"].sum() == len(with_face)
    direct = bootstrap_mean_difference(with_face["difference"], with_face["pid"], resamples=1000)
    assert tuple(table.loc["face", ["low", "high"]]) == pytest.approx(direct.interval())


def test_who_pays_is_found_where_it_is_so():
    frame, heights = made_up(loss=3.0)
    table = face_table(frame, heights, resamples=5000).set_index("group")
    gap = table.loc["face minus no face"]
    assert gap["estimate"] == pytest.approx(table.loc["face", "estimate"] - table.loc["no face", "estimate"])
    face = frame["path"].map(heights).notna().astype(float)
    fit = sm.OLS(frame["difference"], sm.add_constant(face.rename("face"))).fit(
        cov_type="cluster", cov_kwds={"groups": frame["pid"]}
    )
    assert gap["estimate"] == pytest.approx(fit.params["face"])
    assert (gap["high"] - gap["low"]) / 2 == pytest.approx(1.96 * fit.bse["face"], rel=0.1)
    assert gap["p"] < 0.01


def test_false_alarms_where_faces_make_no_difference():
    """100 made-up datasets without a cost of faces: about 5 differences between the groups, about 5 trends."""
    alarms = np.zeros(2)
    for seed in range(100):
        table = face_table(*made_up(loss=0.0, n=200, seed=seed), bins_px=[], resamples=500).set_index("group")
        alarms += table.loc[["face minus no face", "slope per 10 px"], "p"].to_numpy() < 0.05
    print(f"false alarms of 100: groups {alarms[0]:.0f}, slope {alarms[1]:.0f}")
    assert all(within_binomial(int(count), 100, 0.05) for count in alarms)


def test_slope_is_least_squares():
    frame, heights = made_up(loss=2.0, per_px=0.2)
    slope = face_table(frame, heights, resamples=2000).set_index("group").loc["slope per 10 px"]
    seen = frame.assign(height=frame["path"].map(heights)).dropna()
    fit = sm.OLS(seen["difference"], sm.add_constant(seen["height"])).fit(
        cov_type="cluster", cov_kwds={"groups": seen["pid"]}
    )
    assert slope["estimate"] == pytest.approx(10 * fit.params["height"])
    assert (slope["high"] - slope["low"]) / 2 == pytest.approx(19.6 * fit.bse["height"], rel=0.15)
    assert slope["high"] < 0


def test_bins_are_half_open():
    frame = pd.DataFrame({"path": list("abcd"), "pid": [1, 2, 3, 4], "difference": [1.0, 2.0, 3.0, 4.0]})
    table = face_table(frame, dict(zip("abcd", [8.0, 7.9, 12.0, 50.0], strict=True)), bins_px=[8, 12], resamples=200)
    assert table.set_index("group").loc[["0-8 px", "8-12 px", "12+ px"], "n_queries"].tolist() == [1, 1, 2]


def test_groups_without_people_have_no_estimate():
    frame, _ = made_up(loss=1.0, n=40)
    table = face_table(frame, dict.fromkeys(frame["path"], math.nan), resamples=200).set_index("group")
    assert table.loc["face", "note"] == "fewer than two identities"
    assert table.loc["face minus no face", "note"] == "a group is empty, or all faces have one height"
    assert table.loc[["face", "face minus no face", "slope per 10 px"], "estimate"].isna().all()
    assert table.loc["no face", "n_queries"] == 40
    same = face_table(frame, dict.fromkeys(frame["path"], 10.0), resamples=200).set_index("group")
    assert math.isnan(same.loc["slope per 10 px", "estimate"])


def test_a_query_without_detections_is_named():
    frame, heights = made_up(loss=1.0, n=40)
    del heights["q7.jpg"]
    with pytest.raises(DataError, match=r"no detections of q7\.jpg \(1 queries\)"):
        face_table(frame, heights)


@pytest.mark.parametrize("bins", [[0, 12], [12, 8], [8, 12, 12], [-1, 5]])
def test_bounds_must_rise(bins: list[float]):
    with pytest.raises(ConfigError, match=r"face height bins .*expected rising bounds above 0"):
        face_table(*made_up(loss=1.0, n=40), bins_px=bins)
