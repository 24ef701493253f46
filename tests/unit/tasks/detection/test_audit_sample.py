"""The sample: every image as likely as any other, each camera in its proportion, the same for the same seed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonbench.core.errors import ConfigError
from anonbench.data.pictures import Picture
from anonbench.tasks.detection.audit.sample import draw_sample, proportional
from anonbench.tasks.detection.audit.verdicts import Listed, Verdict, tally


def images(*per_camera: int) -> list[Picture]:
    return [
        Picture(f"c{camera}/{n}.jpg", "query", 64, 128, "", {"pid": 1 + n % 7, "camid": camera})
        for camera, count in enumerate(per_camera, 1)
        for n in range(count)
    ]


def test_cameras_have_their_proportion_and_the_order_does_not_go_by_camera() -> None:
    sample = draw_sample(images(600, 300, 100), 50, seed=3)
    assert Counter(i.labels["camid"] for i in sample) == {1: 30, 2: 15, 3: 5}
    assert len(set(sample)) == 50
    cameras = [i.labels["camid"] for i in sample]
    assert cameras != sorted(cameras)
    assert len(set(cameras[:20])) > 1


def test_it_depends_on_the_seed_and_on_nothing_else() -> None:
    all_images = images(40, 30)
    sample = draw_sample(all_images, 20, seed=1)
    assert draw_sample(list(reversed(all_images)), 20, seed=1) == sample
    assert draw_sample(all_images, 20, seed=2) != sample


def test_a_larger_sample_holds_the_smaller_one() -> None:
    small, large = (draw_sample(images(500, 300, 200), size, seed=0) for size in (100, 200))
    assert set(small) <= set(large)


def test_a_small_dataset_is_taken_whole_and_an_empty_sample_refused() -> None:
    assert set(draw_sample(images(3, 2), 200, seed=0)) == set(images(3, 2))
    with pytest.raises(ConfigError, match="the sample has 0 images; expected at least 1"):
        draw_sample(images(3), 0, seed=0)


@given(st.dictionaries(st.integers(0, 9), st.integers(1, 200), min_size=1), st.integers(1, 300))
def test_shares_add_up_and_are_within_one_of_the_exact_ones(counts: dict[int, int], size: int) -> None:
    shares = proportional(counts, size)
    total = sum(counts.values())
    assert sum(shares.values()) == min(size, total)
    for camera, count in counts.items():
        assert 0 <= shares[camera] <= count
        assert abs(shares[camera] - min(size, total) * count / total) < 1


def test_every_image_is_drawn_about_as_often() -> None:
    """200 samples of 20 of 60 images: each is drawn 67 times on average, standard deviation 6.7."""
    drawn = Counter(image.path for seed in range(200) for image in draw_sample(images(40, 20), 20, seed))
    assert len(drawn) == 60
    assert max(abs(count - 200 / 3) for count in drawn.values()) < 5 * 6.7


def test_intervals_of_the_whole_procedure_hold_the_truth_as_often_as_they_promise() -> None:
    """Samples of 150 from 900 images of three cameras with recalls .97, .9, .6, drawn 200 times.

    Of 200 intervals that hold the truth with probability .95, fewer than 180 do in one of a thousand runs.
    """
    rng = np.random.default_rng(5)
    population = images(450, 300, 150)
    missing = {1: 0.03, 2: 0.1, 3: 0.4}
    shows_face = {i.path: bool(rng.random() < 0.8) for i in population}
    missed = {i.path: shows_face[i.path] and bool(rng.random() < missing[i.labels["camid"]]) for i in population}
    truth = 1 - sum(missed.values()) / sum(shows_face.values())
    rows = {
        i.path: (
            Listed(0, "", i.labels["camid"], shows_face[i.path] and not missed[i.path], i.path),
            Verdict(missed[i.path]),
        )
        for i in population
    }
    recalls = [tally([rows[i.path] for i in draw_sample(population, 150, seed)]).recall for seed in range(200)]
    assert np.mean([recall.value for recall in recalls]) == pytest.approx(truth, abs=0.005)
    for intervals in ([r.wilson() for r in recalls], [r.clopper_pearson() for r in recalls]):
        assert sum(low <= truth <= high for low, high in intervals) >= 180
