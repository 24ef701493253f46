"""The generator that fills holes, its styles and its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from anonbench.core.errors import TrainingError
from anonbench.training.inpainter import (
    POINT_SIGMA,
    SLOPE,
    Inpainter,
    InpainterSettings,
    StyledConv,
    Styles,
    load_inpainter,
    save_inpainter,
    spots,
)

SMALL = InpainterSettings("body", (24, 16), levels=2, width=4, z=5, style=6)


def given(settings: InpainterSettings, count: int = 3) -> tuple[torch.Tensor, ...]:
    """Pictures, own, known, points."""
    draw = torch.Generator().manual_seed(0)
    pictures = torch.rand(count, 3, *settings.size, generator=draw) * 2 - 1
    own = torch.zeros(count, 1, *settings.size, dtype=torch.bool)
    own[:, :, 5:15, 4:9] = True
    known = ~own
    known[:, :, :, 12:] = False  # somebody else
    points = torch.rand(count, 17, 3, generator=draw) * 12
    points[..., 2] = (points[..., 2] > 4).float()
    return pictures, own, known, points


def network(settings: InpainterSettings = SMALL) -> Inpainter:
    torch.manual_seed(1)
    return Inpainter(settings).eval()


def test_known_pixels_stay_and_no_other_is_looked_at() -> None:
    pictures, own, known, points = given(SMALL)
    styles = torch.randn(3, SMALL.style)
    made = network()(pictures, own, known, points, styles)
    keep = known.expand_as(made)
    assert made.shape == pictures.shape
    assert torch.equal(made[keep], pictures[keep])
    other = torch.where(known, pictures, torch.rand_like(pictures))
    assert torch.equal(network()(other, own, known, points, styles), made)


def test_style_mask_surroundings_and_key_points_all_matter() -> None:
    pictures, own, known, points = given(SMALL)
    net, styles = network(), torch.randn(3, SMALL.style)
    made = net(pictures, own, known, points, styles)
    others = [
        (pictures.flip(0), own, known, points, styles), (pictures, own.flip(2), known, points, styles),
        (pictures, own, known, points.flip(0), styles), (pictures, own, known, points, styles.flip(0)),
    ]  # fmt: skip
    for arguments in others:
        assert not torch.allclose(net(*arguments)[own.expand_as(made)], made[own.expand_as(made)])
    faces = network(InpainterSettings("face", (16, 16), levels=2, width=4))
    pictures, own, known, points = given(faces.settings)
    styles = torch.randn(3, 512)
    assert torch.equal(faces(pictures, own, known, points, styles), faces(pictures, own, known, 0 * points, styles))


def test_a_crop_is_filled_alike_alone_and_in_a_batch() -> None:
    arguments = (*given(SMALL), torch.randn(3, SMALL.style))
    net = network()
    torch.testing.assert_close(net(*(a[1:2] for a in arguments)), net(*arguments)[1:2], atol=1e-5, rtol=0)


def test_a_styled_convolution_gives_each_channel_the_mean_and_contrast_that_are_asked_for() -> None:
    torch.manual_seed(0)
    layer, maps, styles = StyledConv(3, 4, 6), torch.randn(2, 3, 8, 8), torch.randn(2, 6)
    made = layer(maps, styles)
    before = torch.where(made < 0, made / SLOPE, made)  # without the LeakyReLU
    contrast, mean = layer.affine(styles).chunk(2, dim=1)
    torch.testing.assert_close(before.mean(dim=(2, 3)), mean, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(before.std(dim=(2, 3), correction=0), (1 + contrast).abs(), atol=1e-3, rtol=1e-3)


def test_spots_are_gaussians_on_centres_of_pixels() -> None:
    points = torch.tensor([[[3.5, 10.5, 1.0], [3.5, 10.5, 0.0]]])
    found = spots(points, 36, 20)
    assert found.shape == (1, 2, 36, 20)
    assert not found[0, 1].any()
    rows, columns = np.mgrid[0:36, 0:20] + 0.5
    naive = np.exp(-((columns - 3.5) ** 2 + (rows - 10.5) ** 2) / (2 * (36 * POINT_SIGMA) ** 2))
    np.testing.assert_allclose(found[0, 0].numpy(), naive, atol=1e-6)
    assert found[0, 0, 10, 3] == 1


def test_truncation_by_hand() -> None:
    styles = Styles(torch.tensor([1.0, 1.0]), torch.tensor([[0.0, 0.0], [4.0, 4.0]]))
    drawn = torch.tensor([[1.0, 0.0], [3.0, 5.0]])
    assert torch.equal(styles.truncate(drawn, "none", 0), drawn)
    assert styles.truncate(drawn, "centre", 0).tolist() == [[1, 1], [1, 1]]
    assert styles.truncate(drawn, "centre", 0.5).tolist() == [[1, 0.5], [2, 3]]
    assert styles.truncate(drawn, "centres", 0).tolist() == [[0, 0], [4, 4]]
    assert styles.truncate(drawn, "centres", 0.5).tolist() == [[0.5, 0], [3.5, 4.5]]
    assert torch.equal(styles.truncate(drawn, "centres", 1), drawn)


def test_a_file_gives_the_same_people(tmp_path: Path) -> None:
    net, styles = network(), Styles(torch.randn(6), torch.randn(3, 6))
    save_inpainter(tmp_path / "g.pt", net, styles, {"seed": 4})
    again, found, about = load_inpainter(tmp_path / "g.pt")
    assert again.settings == SMALL
    assert about == {"seed": 4}
    assert torch.equal(found.centres, styles.centres)
    assert torch.equal(found.mean, styles.mean)
    arguments = (*given(SMALL), torch.randn(3, 6))
    assert torch.equal(net(*arguments), again(*arguments))
    with pytest.raises(TrainingError, match=r"no such checkpoint\. Run the stage `train_inpainter`"):
        load_inpainter(tmp_path / "none.pt")


def test_mapped_styles_do_not_depend_on_the_length_of_the_numbers() -> None:
    numbers, net = torch.randn(4, SMALL.z), network()
    torch.testing.assert_close(net.mapping(3 * numbers), net.mapping(numbers))
    layers = [layer for layer in net.mapping if isinstance(layer, torch.nn.Linear)]
    length = numbers.square().mean(dim=1, keepdim=True).sqrt()
    expected = layers[1](F.leaky_relu(layers[0](numbers / length), SLOPE))
    torch.testing.assert_close(net.mapping(numbers), expected)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "hand"}, "kind is 'hand'; expected one of body, face"),
        (
            {"levels": 6},
            r"size is \[288, 160\] and levels is 6; expected multiples of 64, 128 at least: halve less often",
        ),
        ({"size": (16, 16), "levels": 4}, r"size is \[16, 16\] and levels is 4; expected multiples of 16, 32 at least"),
        ({"z": 0}, "z is 0; expected an integer >= 1"),
    ],
)
def test_bad_settings_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InpainterSettings(**values)  # type: ignore[arg-type]
