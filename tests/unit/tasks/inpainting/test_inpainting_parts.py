"""Crops to learn from, the discriminator, what is learnt by, and the distance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from inpainting_files import SMALL, scene, write_scenes

from anonbench.core.errors import DataError
from anonbench.data.regions import read_regions
from anonbench.tasks.inpainting.crops import MIRRORED, CropBatches, choose_crops, hold_out, load_crops
from anonbench.tasks.inpainting.distance import RandomFeatures, frechet_distance, relative_distance
from anonbench.tasks.inpainting.networks import Discriminator, fooling, gradient_penalty, telling_apart
from anonbench.tasks.inpainting.recipe import InpaintingRecipe
from anonbench.tasks.inpainting.training import cluster_centres
from anonbench.training.framing import GREY


def test_regions_are_chosen_by_kind_and_height(tmp_path: Path) -> None:
    regions = read_regions(write_scenes(tmp_path)[2])
    every = choose_crops(regions, "body", 1, 100, seed=0)
    assert sum(len(numbers) for _, numbers in every) == 24
    heights = {(p, n): regions[p][n].height for p, numbers in every for n in numbers}
    least = sorted(heights.values())[10]
    high = choose_crops(regions, "body", int(least), 100, seed=0)
    assert {(p, n) for p, numbers in high for n in numbers} == {key for key, h in heights.items() if h >= least}
    few = choose_crops(regions, "body", 1, 7, seed=0)
    assert sum(len(numbers) for _, numbers in few) == 7
    assert few == choose_crops(regions, "body", 1, 7, seed=0) != choose_crops(regions, "body", 1, 7, seed=1)
    with pytest.raises(DataError, match="has 0 regions of kind 'face' that are at least 1 pixels high, out of 24"):
        choose_crops(regions, "face", 1, 7, seed=0)


def test_no_picture_is_both_learnt_from_and_judged_by(tmp_path: Path) -> None:
    regions = read_regions(write_scenes(tmp_path)[2])
    wanted = choose_crops(regions, "body", 1, 100, seed=0)
    taught, judged = hold_out(wanted, 0.25, seed=0)
    assert len(judged) == 3
    assert sorted(taught + judged) == sorted(wanted)
    assert len(hold_out(wanted, 0.001, seed=0)[1]) == 1
    assert len(hold_out(wanted[:2], 0.99, seed=0)[0]) == 1


def test_a_generator_is_judged_by_two_crops_at_least() -> None:
    taught, judged = hold_out([(f"{number}.png", [0]) for number in range(12)], 0.1, seed=0)
    assert (len(taught), len(judged)) == (10, 2), "a tenth of twelve pictures with one person each is one crop"
    for few in ([("a.png", [0, 1, 2, 3])], [("a.png", [0]), ("b.png", [0])]):
        with pytest.raises(DataError, match=rf"lie in {len(few)} pictures; expected one picture beside those with"):
            hold_out(few, 0.1, seed=0)


def test_crops_hold_the_person_and_hide_everybody(tmp_path: Path) -> None:
    """Against the framing itself; the other person of the picture is not known either."""
    _, root, detections = write_scenes(tmp_path)
    regions = read_regions(detections)
    wanted = choose_crops(regions, "body", 1, 100, seed=0)
    crops = load_crops(root, wanted, regions, SMALL, threads=2)
    assert len(crops) == 24
    image, found = scene(3)
    number = [p for p, numbers in wanted for _ in numbers].index("03.png")
    hidden = found[0].mask.unpack() | found[1].mask.unpack()  # type: ignore[union-attr]
    crop = SMALL.framing.cut(image, found[0], hidden)
    np.testing.assert_array_equal(crops.own[number, 0].numpy(), crop.own)
    np.testing.assert_array_equal(crops.known[number, 0].numpy(), crop.known)
    np.testing.assert_allclose(crops.points[number].numpy(), crop.points, atol=0.01)  # two decimals in the file
    original = crops.originals[number].permute(1, 2, 0).numpy()
    assert (original[crop.own] != GREY).any()
    assert (original[crop.known] == crop.pixels[crop.known]).all()


def test_a_flip_exchanges_left_and_right(tmp_path: Path) -> None:
    _, root, detections = write_scenes(tmp_path)
    regions = read_regions(detections)
    crops = load_crops(root, choose_crops(regions, "body", 1, 100, seed=0), regions, SMALL, threads=1)
    both = [CropBatches(crops, flip, torch.device("cpu")).batch(torch.arange(4), 0) for flip in (0.0, 1.0)]
    plain, turned = both
    for name in ("originals", "own", "known"):
        assert torch.equal(getattr(plain, name).flip(3), getattr(turned, name))
    x = SMALL.size[1] - plain.points[..., 0]
    torch.testing.assert_close(turned.points[..., 0], x[:, MIRRORED])
    assert torch.equal(turned.points[..., 1:], plain.points[:, MIRRORED, 1:])
    assert MIRRORED[1] == 2
    assert MIRRORED[0] == 0


def judged_crops() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    real = torch.rand(3, 3, *SMALL.size, generator=draw) * 2 - 1
    return real, torch.rand(3, 1, *SMALL.size, generator=draw) > 0.5, torch.rand(3, 17, 3, generator=draw)


def test_a_discriminator_judges_patches_given_mask_and_key_points() -> None:
    torch.manual_seed(0)
    network = Discriminator(SMALL, width=4)
    real, own, points = judged_crops()
    logits = network(real, own, points)
    assert logits.shape == (3, 1, 6, 4)
    assert not torch.allclose(logits, network(real, ~own, points))
    assert not torch.allclose(logits, network(real, own, points.flip(0)))
    alike = real[:1].expand(3, -1, -1, -1)
    one = network(alike, own[:1].expand_as(own), points[:1].expand_as(points))[0]
    assert not torch.allclose(one, logits[0], atol=1e-4), "it is told that all crops are the same"


def test_losses_by_hand() -> None:
    real, made = torch.tensor([2.0, 0.0]), torch.tensor([-1.0, 3.0])
    expected = np.mean([np.log1p(np.exp(-2)), np.log(2)]) + np.mean([np.log1p(np.exp(-1)), np.log1p(np.exp(3))])
    assert float(telling_apart(real, made, 0.0)) == pytest.approx(expected)
    assert float(telling_apart(real, made, 0.5)) == pytest.approx(expected + 0.5 * 2)
    assert float(fooling(made)) == pytest.approx(np.mean([np.log1p(np.exp(1)), np.log1p(np.exp(-3))]))


def test_the_gradient_penalty_against_finite_differences() -> None:
    torch.manual_seed(0)
    network = Discriminator(SMALL, width=2).double()
    real, own, points = judged_crops()
    real, points = real.double(), points.double()
    found = gradient_penalty(network, real, own, points).item()
    direction = torch.randn_like(real)
    direction /= direction.norm()
    moved = real.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(network(moved, own, points).mean(dim=(1, 2, 3)).sum(), moved)
    h = 1e-4  # the spread of a batch is computed in float32
    ends = [network(real + s * h * direction, own, points).mean(dim=(1, 2, 3)).sum() for s in (1, -1)]
    assert ((ends[0] - ends[1]) / (2 * h)).item() == pytest.approx(float((gradient * direction).sum()), rel=2e-2)
    assert found == pytest.approx(float(gradient.square().sum()) / 3 / 2, rel=1e-6)


def test_the_frechet_distance_against_scipy_and_by_hand() -> None:
    from scipy.linalg import sqrtm

    draw = torch.Generator().manual_seed(0)
    a, b = torch.randn(60, 5, generator=draw), torch.randn(40, 5, generator=draw) * 2 + 1
    x, y = a.double().numpy(), b.double().numpy()
    s, t = np.cov(x.T), np.cov(y.T)
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s + t - 2 * sqrtm(s @ t).real)
    assert float(frechet_distance(a, b)) == pytest.approx(expected, rel=1e-6)
    assert float(frechet_distance(a, a)) == pytest.approx(0, abs=1e-9)
    line = torch.tensor([[0.0, 0.0], [2.0, 0.0]])  # mean 1, variance 2
    assert float(frechet_distance(line + 3, line)) == pytest.approx(18)
    middle = line.mean(dim=0).expand(2, 2)
    assert float(relative_distance(middle, line)) == pytest.approx(1)


def test_random_features_are_always_the_same_and_see_colours() -> None:
    torch.manual_seed(0)
    one = RandomFeatures()
    torch.manual_seed(1)
    two = RandomFeatures()
    picture = torch.rand(2, 3, 24, 16)
    assert torch.equal(one(picture), two(picture))
    assert one(picture).shape == (2, 48)
    assert not torch.allclose(one(picture), one(picture.flip(1)))


def test_cluster_centres_lie_in_the_clusters() -> None:
    draw = torch.Generator().manual_seed(0)
    middles = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    values = (middles[:, None] + 0.1 * torch.randn(3, 50, 2, generator=draw)).reshape(-1, 2)
    found = min(
        (cluster_centres(values, 3, seed) for seed in range(5)),
        key=lambda c: float(torch.cdist(values, c).min(1)[0].sum()),
    )
    torch.testing.assert_close(found[found.sum(1).argsort()][0], middles[0], atol=0.1, rtol=0)
    assert len(cluster_centres(values[:2], 3, 0)) == 2
    sklearn = pytest.importorskip("sklearn.cluster")
    start = values[torch.randperm(150, generator=torch.Generator().manual_seed(2))[:3]]
    peer = sklearn.KMeans(3, init=start.numpy(), n_init=1, max_iter=25, tol=0, algorithm="lloyd").fit(values.numpy())
    np.testing.assert_allclose(cluster_centres(values, 3, 2).numpy(), peer.cluster_centers_, atol=1e-4)


def test_recipes_keep_defaults_within_their_sections_and_refuse_what_they_do_not_know() -> None:
    from anonbench.core.errors import ConfigError

    recipe = InpaintingRecipe.from_config({"network": {"size": [72, 40], "levels": 3}, "optimizer": {"lr": 0.01}})
    assert recipe.optimizer.betas == (0.0, 0.99)
    assert recipe.optimizer.weight_decay == 0
    assert recipe.network.margin == 0.05
    assert recipe.schedule.factor(3, 0.5, 9) == 1
    falling = InpaintingRecipe.from_config({"schedule": {"method": "step", "milestones": [2], "gamma": 0.5}})
    assert falling.schedule.factor(3, 0.5, 9) == 0.5
    assert InpaintingRecipe.from_config({"network": {"kind": "face", "size": [128, 128]}}).network.margin == 0.35
    for entry, message in [
        ({"epoch": 3}, "x has no key 'epoch': did you mean 'epochs'"),
        ({"network": {"levles": 3}}, "x.network has no key 'levles': did you mean 'levels'"),
        ({"network": {"levels": 6}}, "x.network: size is .288, 160. and levels is 6; expected multiples of 64"),
        ({"held_out": 1.0}, "x: held_out is 1; expected < 1"),
        ({"average": 1.0}, "x: average is 1; expected < 1"),
        ({"batch_size": 1}, "x: batch_size is 1; expected an integer >= 2"),
    ]:
        with pytest.raises(ConfigError, match=message):
            InpaintingRecipe.from_config(entry, "x")
