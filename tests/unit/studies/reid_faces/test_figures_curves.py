"""CMC curves and dose-response: what is drawn is what was given."""

from __future__ import annotations

import numpy as np
import pytest
from figure_checks import check_layout, marks, metrics_of, three_settings, titled, words

from anonbench.core.errors import ConfigError, DataError
from anonbench.studies.reid_faces.cases import Case
from anonbench.studies.reid_faces.figures_cmc import draw_cmc
from anonbench.studies.reid_faces.figures_dose import Family, draw_dose_response

RUNS = {"orig_orig": [0.62, 0.58], "orig_anon": [0.50, 0.54], "anon_anon": [0.57, 0.57]}


def test_a_line_is_the_mean_of_its_runs_and_the_band_their_range() -> None:
    metrics = three_settings("market", "bot", RUNS)
    figure = draw_cmc(metrics, [Case("market", "bot", "blur")], 20, "toy")
    check_layout(figure)
    (axes,) = figure.axes
    points = marks(axes, "orig_orig")
    assert [x for x, _ in points] == list(range(1, 21))
    expected = 50 * (np.array(metrics[0]["cmc"]) + np.array(metrics[1]["cmc"]))[:20]
    assert [y for _, y in points] == pytest.approx(list(expected))
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((100 * metrics[1]["cmc"][0], 100 * metrics[0]["cmc"][19]))
    assert "bands: from the lowest run to the highest" in " ".join(words(figure))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
def test_a_panel_a_model_on_one_scale(count: int) -> None:
    models = ["pcb", "mlfn", "hacnn", "resnet50mid", "mudeep", "bot"][:count]
    metrics = [m for n, model in enumerate(models) for m in three_settings("d", model, {
        name: [values[0] - 0.06 * n] for name, values in RUNS.items()
    })]  # fmt: skip
    figure = draw_cmc(metrics, [Case("d", model, "blur") for model in models], 50, "toy")
    check_layout(figure)
    assert [axes.get_title(loc="left") for axes in figure.axes] == models
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in figure.axes}) == 1
    lowest = min(100 * m["cmc"][0] for m in metrics)
    assert figure.axes[0].get_ylim()[0] <= lowest
    assert all(not axes.collections for axes in figure.axes), "one run: no band"
    looks = {line.get_linestyle() for line in figure.axes[0].get_lines() if line.get_gid() in RUNS}
    assert len({str(look) for look in looks}) >= 2


def test_a_curve_that_is_too_short_is_named() -> None:
    metrics = three_settings("d", "bot", {name: values[:1] for name, values in RUNS.items()})
    metrics[1]["cmc"] = metrics[1]["cmc"][:10]
    with pytest.raises(DataError, match=r"CMC curve of d, bot, orig_anon has 10 ranks; the figure shows 20"):
        draw_cmc(metrics, [Case("d", "bot", "blur")], 20, "toy")


# --- dose and response ---

DOSES = {"weak": 0.0625, "middle": 0.125, "strong": 0.5}
SCORES = {"weak": (0.58, 0.59), "middle": (0.55, 0.57), "strong": (0.40, 0.52)}


def dose_metrics(runs: int = 2) -> list[dict]:
    found = [metrics_of("d", "bot", "original", "original", seed, 0.60 + 0.02 * seed) for seed in range(runs)]
    for variant, (tested, trained) in SCORES.items():
        for seed in range(runs):
            found.append(metrics_of("d", "bot", "original", variant, seed, tested + 0.02 * seed))
            found.append(metrics_of("d", "bot", variant, variant, seed, trained + 0.02 * seed))
    return found


BLUR = Family("Gaussian blur", "standard deviation (fraction of the box width)", DOSES)
MOSAIC = Family("Mosaic", "cells a side", {"strong": 2, "weak": 12, "middle": 6}, more_hides=False)


def test_each_dose_has_its_mean_its_runs_and_a_tick() -> None:
    figure = draw_dose_response(dose_metrics(), "d", "bot", [BLUR], "toy")
    check_layout(figure)
    (axes,) = figure.axes
    assert np.array(marks(axes, "orig_anon")) == pytest.approx(np.array([(0.0625, 59), (0.125, 56), (0.5, 41)]))
    assert np.array(marks(axes, "anon_anon")) == pytest.approx(np.array([(0.0625, 60), (0.125, 58), (0.5, 53)]))
    assert np.array(marks(axes, "runs-orig_anon")[:2]) == pytest.approx(np.array([(0.0625, 58), (0.0625, 60)]))
    assert [y for _, y in marks(axes, "orig_orig")] == pytest.approx([61, 61]), "the reference line"
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0.0625", "0.125", "0.5"]
    assert axes.get_xlabel() == BLUR.axis
    low, high = axes.get_ylim()
    assert low < 40
    assert high > 62, "every run is on the page"


def test_hiding_increases_to_the_right_in_every_panel() -> None:
    figure = draw_dose_response(dose_metrics(), "d", "bot", [BLUR, MOSAIC], "toy")
    check_layout(figure)
    (blur,), (mosaic,) = titled(figure, "Gaussian blur"), titled(figure, "Mosaic")
    assert blur.get_xlim()[0] < 0.0625 < 0.5 < blur.get_xlim()[1]
    assert mosaic.get_xlim()[0] > 12 > 2 > mosaic.get_xlim()[1]
    assert blur.get_ylim() == mosaic.get_ylim()
    assert np.array(marks(mosaic, "orig_anon")) == pytest.approx(np.array([(2, 41), (6, 56), (12, 59)]))


def test_a_dose_of_zero_has_a_place() -> None:
    family = Family("Blur", "sigma", {"weak": 0.0, "strong": 0.5})
    (axes,) = draw_dose_response(dose_metrics(), "d", "bot", [family], "toy").axes
    assert axes.get_xscale() == "linear"
    assert axes.get_xlim()[0] < 0


def test_a_single_run_has_no_ticks() -> None:
    (axes,) = draw_dose_response(dose_metrics(1), "d", "bot", [BLUR], "toy").axes
    assert marks(axes, "runs-orig_anon") == []
    assert axes.patches == [] or all(p.get_gid() for p in axes.patches)


@pytest.mark.parametrize("values", [{}, {"weak": 1}, {"weak": 1, "strong": 1}])
def test_a_family_needs_two_doses_that_differ(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"dose-response 'Blur': values are .*at least two variants"):
        Family("Blur", "sigma", values)


def test_a_missing_dose_is_named() -> None:
    some = [m for m in dose_metrics() if m["query"] != "strong"]
    with pytest.raises(DataError, match="no metrics for d, bot, trained on original, tested on strong"):
        draw_dose_response(some, "d", "bot", [BLUR], "toy")


def test_doses_that_were_tested_only_have_one_line() -> None:
    some = [m for m in dose_metrics() if m["train"] == "original"]
    (axes,) = draw_dose_response(some, "d", "bot", [BLUR], "toy").axes
    drawn = {line.get_gid() for line in axes.lines}
    assert "orig_anon" in drawn
    assert "anon_anon" not in drawn
