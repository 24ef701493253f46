"""Other people in the place of those who are hidden."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from inpainting_files import body, disc, scene, write_new

from anonbench.anonymizers import ANONYMIZERS
from anonbench.anonymizers._apply import hide
from anonbench.anonymizers._contract import depends_on_nothing_hidden
from anonbench.anonymizers._histograms import match_histograms
from anonbench.anonymizers._latent import optimize_styles, sorted_colours
from anonbench.anonymizers.gan_inpaint import GanInpaint
from anonbench.core.errors import ConfigError
from anonbench.data.images import RGB
from anonbench.data.regions import Region, covered
from anonbench.training.inpainter import InpainterSettings

WAYS = [{"histogram": "none"}, {"histogram": "match"}, {"histogram": "match", "edges": "original"},
        {"histogram": "latent", "steps": 3}]  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_new(tmp_path_factory.mktemp("weights") / "generator.pt")


def hidden(image: RGB, regions: list[Region], anonymizer: GanInpaint, seed: int = 3) -> RGB:
    return hide([image], [regions], anonymizer, [np.random.default_rng(seed)])[0]


def recoloured(image: RGB, pixels: np.ndarray) -> RGB:
    other = image.copy()
    other[pixels] = 255 - other[pixels]
    return other


def test_no_hidden_pixel_of_anybody_changes_the_result(weights: str) -> None:
    """Of the person who is replaced, and of another whose crop overlaps: masks, not boxes, at a picture's edge, too."""
    image, _ = scene(0)
    masks = [disc(30, 20, 14, 60, 80), disc(28, 40, 10, 60, 80), disc(58, 78, 12, 60, 80)]
    regions = [body(mask) for mask in masks]
    expected = hidden(image, regions, GanInpaint(weights))
    for mask in [*masks, np.any(masks, axis=0)]:
        other = hidden(recoloured(image, mask), regions, GanInpaint(weights))
        assert np.array_equal(expected, other)
    assert (expected != image).any(axis=2)[masks[0]].mean() > 0.9
    free = image.copy()
    free[45:, 10:30] = 255 - free[45:, 10:30]  # what is around them does matter
    assert (hidden(free, regions, GanInpaint(weights)) != expected).any(axis=2)[masks[0]].any()


@pytest.mark.parametrize("way", WAYS[1:], ids=str)
def test_a_method_that_reads_hidden_colours_says_so(way: dict[str, object], weights: str) -> None:
    anonymizer = GanInpaint(weights, **{"lr": 0.05, **way})  # type: ignore[arg-type]
    assert anonymizer.depends_on_hidden
    assert not GanInpaint(weights).depends_on_hidden
    image, regions = scene(1)
    other = recoloured(image, covered(regions, 60, 80))
    assert not np.array_equal(hidden(image, regions, anonymizer), hidden(other, regions, anonymizer))


def test_matched_people_mix_into_the_original_only_where_asked_to(tmp_path: Path) -> None:
    """A thin person painted in noise: much of it is left with `edges: original`, and nothing otherwise."""
    weights = write_new(tmp_path / "high.pt", InpainterSettings("body", (64, 32), levels=2, width=4, z=5, style=6))
    image, _ = scene(1)
    region = Region((30, 2, 36, 58), "body")
    pixels = covered([region], 60, 80)
    image[pixels] = np.random.default_rng(0).integers(0, 256, (int(pixels.sum()), 3), dtype=np.uint8)
    likeness = {}
    for edges in ("made", "original"):
        made = hidden(image, [region], GanInpaint(weights, histogram="match", edges=edges))
        likeness[edges] = np.corrcoef(image[pixels].ravel(), made[pixels].ravel())[0, 1]
    assert abs(likeness["made"]) < 0.1
    assert likeness["original"] > 0.3


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_only_regions_change_and_batches_make_no_difference(way: dict[str, object], weights: str) -> None:
    pictures = [scene(n) for n in range(3)]
    images, regions = [image for image, _ in pictures], [found for _, found in pictures]
    anonymizer = GanInpaint(weights, **way)  # type: ignore[arg-type]
    together = hide(images, regions, anonymizer, [np.random.default_rng(n) for n in range(3)])
    for n, made in enumerate(together):
        alone = hidden(images[n], regions[n], pickle.loads(pickle.dumps(anonymizer)), seed=n)
        assert np.abs(made.astype(int) - alone).max() <= 2
        outside = ~covered(regions[n], 60, 80)
        np.testing.assert_array_equal(made[outside], images[n][outside])


def test_people_are_different_unless_truncation_makes_them_alike(weights: str) -> None:
    """Two pictures that are equal, and two random numbers; with nothing left of the way to the mean nobody differs."""
    image, regions = scene(2)
    made = {name: [hidden(image, regions, GanInpaint(weights, truncation=name), seed) for seed in range(4)]
            for name in ("none", "centre", "centres")}  # fmt: skip
    assert len({picture.tobytes() for picture in made["none"]}) == 4
    assert len({picture.tobytes() for picture in made["centre"]}) == 1
    assert 1 < len({picture.tobytes() for picture in made["centres"]}) <= 4
    whole = GanInpaint(weights, truncation="centres", psi=1.0)
    assert np.array_equal(hidden(image, regions, whole, 0), made["none"][0])


def test_the_largest_person_is_on_top(weights: str) -> None:
    """Where a small and a large person overlap, it makes no difference who the small one is: one, or two halves."""
    image, _ = scene(0)
    small, large = Region((10, 10, 30, 30), "body"), Region((20, 5, 60, 50), "body")
    halves = [Region((10, 10, 30, 20), "body"), Region((10, 20, 30, 30), "body")]
    alike = GanInpaint(weights, truncation="centre")
    one, two = (hidden(image, [large, *others], alike) for others in ([small], halves))
    overlap = covered([small], 60, 80) & covered([large], 60, 80)
    np.testing.assert_array_equal(one[overlap], two[overlap])
    alone = covered([small], 60, 80) & ~overlap
    assert (one != two).any(axis=2)[alone].any(), "else the test says nothing"


def test_large_regions_go_through_the_second_generator(tmp_path: Path, weights: str) -> None:
    """24 x 16 = 384 pixels: a box of 19 x 20 goes through the first, one of 20 x 20 through the second."""
    large = write_new(tmp_path / "large.pt", InpainterSettings("body", (32, 32), levels=2, width=4, z=7, style=9), 5)
    image, _ = scene(0)
    for side, second in ((19, False), (20, True)):
        region = [Region((10, 10, 10 + side, 30), "body")]
        both, first, other = (
            hidden(image, region, GanInpaint(*files)) for files in ((weights, large), (weights,), (large,))
        )
        np.testing.assert_array_equal(both, other if second else first)


@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("shape", [(16, 12), (7, 31)])
def test_histograms_are_matched_as_scikit_image_does(pooled: bool, shape: tuple[int, int]) -> None:
    exposure = pytest.importorskip("skimage.exposure")
    rng = np.random.default_rng(0)
    for _ in range(20):
        picture = rng.integers(rng.integers(0, 100), rng.integers(120, 257), (*shape, 3)).astype(np.uint8)
        reference = rng.integers(rng.integers(0, 100), rng.integers(120, 257), (20, 9, 3)).astype(np.uint8)
        expected = exposure.match_histograms(picture, reference, channel_axis=None if pooled else 2)
        np.testing.assert_array_equal(match_histograms(picture, reference, pooled), expected.astype(np.uint8))


def test_histogram_matching_by_hand() -> None:
    picture = np.repeat(np.array([[0, 0, 9, 9]], np.uint8)[..., None], 3, axis=2)
    reference = np.repeat(np.array([[50, 50, 80, 80]], np.uint8)[..., None], 3, axis=2)
    assert match_histograms(picture, reference, pooled=False)[0, :, 0].tolist() == [50, 50, 80, 80]


def test_colours_by_hand_and_their_distance_against_scipy() -> None:
    from scipy.stats import wasserstein_distance

    red, grey, black = ([1.0, -1, -1], [0.0, 0, 0], [-1.0, -1, -1])
    picture = torch.tensor([red, grey, black]).T[None, :, None]  # (1, 3, 1, 3)
    assert sorted_colours(picture)[0].tolist() == [[0, 0, 1], [0, 0.5, 1]]
    draw = torch.Generator().manual_seed(0)
    a, b = (torch.rand(2, 3, 6, 5, generator=draw) * 2 - 1 for _ in range(2))
    found = (sorted_colours(a) - sorted_colours(b)).abs().mean(dim=2)
    for n in range(2):
        for c in range(2):
            naive = wasserstein_distance(sorted_colours(a)[n, c].numpy(), sorted_colours(b)[n, c].numpy())
            assert abs(float(found[n, c]) - naive) < 1e-6


def test_pixels_that_both_crops_share_cancel_out() -> None:
    """The distance over the crop is that of the pixels that differ, times their share."""
    draw = torch.Generator().manual_seed(0)
    a, b = (torch.rand(1, 3, 4, 5, generator=draw) * 2 - 1 for _ in range(2))
    shared = torch.rand(1, 3, 12, 5, generator=draw) * 2 - 1

    def distance(a: torch.Tensor, b: torch.Tensor) -> float:
        return float((sorted_colours(a) - sorted_colours(b)).abs().mean(dim=2).sum())

    whole = distance(torch.cat([a, shared], dim=2), torch.cat([b, shared], dim=2))
    assert whole == pytest.approx(distance(a, b) / 4, abs=1e-6)


def test_styles_follow_the_colours_and_stop_when_they_are_near() -> None:
    """A picture of one grey level, tanh of its style: the loss falls, and a crop that is there stops alone."""

    def put(styles: torch.Tensor) -> torch.Tensor:
        return torch.tanh(styles).view(-1, 1, 1, 1).expand(-1, 3, 4, 4)

    originals = torch.tensor([0.5, -0.5, 0.1]).view(3, 1, 1, 1).expand(3, 3, 4, 4)
    start = torch.tensor([[0.0], [0.0], [0.1]])
    styles, losses = optimize_styles(start, put, originals, steps=100, stop=0.02, lr=0.02)
    assert (losses < 0.02).all()
    assert torch.equal(styles[2], start[2]), "it was there from the start"
    expected = (torch.tanh(styles[:, 0]) - originals[:, 0, 0, 0]).abs() / 2
    torch.testing.assert_close(losses, expected)
    for n in range(3):
        alone, _ = optimize_styles(start[n : n + 1], put, originals[n : n + 1], steps=100, stop=0.02, lr=0.02)
        torch.testing.assert_close(alone[0], styles[n])
    _, after_none = optimize_styles(start, put, originals, steps=1, stop=0.0, lr=1e-9)
    assert after_none[0] == pytest.approx(0.25, abs=1e-6)


def test_the_contract_would_notice_a_false_claim(weights: str) -> None:
    from anonbench.anonymizers._contract import AnonymizerSubject
    from anonbench.core.contract import BrokenPromiseError

    subject = AnonymizerSubject("gan_inpaint", {"weights": weights, "histogram": "match"})
    assert depends_on_nothing_hidden(subject) == "it makes no such claim"
    liar = type("Liar", (GanInpaint,), {"depends_on_hidden": False})
    subject.__dict__["anonymizer"] = liar(weights, histogram="match")
    with pytest.raises(BrokenPromiseError, match="depend on what the boxes hide"):
        depends_on_nothing_hidden(subject)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"truncation": "some"}, "truncation is 'some'; expected one of none, centre, centres"),
        ({"histogram": "hm"}, "histogram is 'hm'; expected one of none, match, latent"),
        ({"psi": 2.0}, "psi is 2.0; expected >= 0 and <= 1"),
        ({"steps": 0}, "steps is 0; expected an integer >= 1"),
        ({"lr": 0.0}, "lr is 0.0; expected > 0"),
    ],
)
def test_bad_parameters_are_refused(entry: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ANONYMIZERS.create({"method": "gan_inpaint", **entry})
