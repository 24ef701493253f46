"""The U-Net of pix2pix: its layers, what goes in and comes out, its file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from anonbench.core.errors import ConfigError, TrainingError
from anonbench.training.generators import UNet, check_size, from_pixels, load_generator, save_generator, to_pixels


def test_the_papers_network_has_pix2pix_layers() -> None:
    network = UNet()
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    transposed = [layer for layer in network.modules() if isinstance(layer, nn.ConvTranspose2d)]
    assert [layer.out_channels for layer in convolutions] == [64, 128, 256, 512, 512, 512, 512]
    assert [layer.in_channels for layer in transposed] == [512, 1024, 1024, 1024, 512, 256, 128]
    assert [layer.out_channels for layer in transposed] == [512, 512, 512, 256, 128, 64, 3]
    assert all((layer.kernel_size, layer.stride) == ((4, 4), (2, 2)) for layer in [*convolutions, *transposed])
    # The published count of pix2pix' U-Net of 128 x 128: "unet_128 ... Total number of parameters : 41.829 M"
    assert sum(p.numel() for p in network.parameters()) == 41_828_995


def test_new_weights_have_pix2pix_spread() -> None:
    torch.manual_seed(0)
    network = UNet(levels=6, width=32)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.1)
        if isinstance(layer, nn.BatchNorm2d):
            assert float(layer.weight.detach().mean()) == pytest.approx(1, abs=0.02)
            assert not layer.bias.any()


@pytest.mark.parametrize(("levels", "size"), [(6, (128, 64)), (7, (256, 128)), (8, (256, 256)), (4, (64, 48))])
def test_pictures_keep_their_size_and_range(levels: int, size: tuple[int, int]) -> None:
    made = UNet(levels, width=2)(torch.rand(2, 3, *size) * 2 - 1)
    assert made.shape == (2, 3, *size)
    assert made.abs().max() <= 1


def test_maps_of_one_pixel_are_computed_in_full_precision() -> None:
    """In bfloat16 a processor with AMX fills them with what lay in memory: gradients were not finite, now and then."""
    network = UNet(6, 16)
    kinds: dict[int, torch.dtype] = {}
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(lambda _, given, made: kinds.update({made.shape[3]: made.dtype}))
    for seed in range(5):
        pictures = torch.rand(16, 3, 128, 64, generator=torch.Generator().manual_seed(seed)) * 2 - 1
        lay_in_memory = [torch.full((size,), torch.nan) for size in (10, 1000, 20_000, 500_000)]
        del lay_in_memory
        with torch.autocast("cpu", torch.bfloat16):
            made = network(pictures)
        made.float().abs().mean().backward()
        assert made.isfinite().all()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    assert kinds[1] == torch.float32
    assert kinds[32] == torch.bfloat16


def test_every_input_pixel_reaches_the_output_through_each_level() -> None:
    """Without the skipped maps the innermost level alone would carry the picture: each level must matter."""
    torch.manual_seed(0)
    network = UNet(levels=4, width=4).eval()
    picture = torch.rand(1, 3, 32, 16) * 2 - 1
    before = network(picture)
    for level in range(4):
        layer = network.encoder[level]
        hook = layer.register_forward_hook(lambda _layer, _inputs, output: torch.zeros_like(output))
        assert not torch.equal(network(picture), before), f"level {level} does nothing"
        hook.remove()


@pytest.mark.parametrize(("size", "most"), [((128, 64), 6), ((64, 48), 4), ((100, 64), 2)])
def test_a_size_that_cannot_be_halved_so_often_is_refused(size: tuple[int, int], most: int) -> None:
    height, width = size
    with pytest.raises(ConfigError, match=rf"7 levels .* {height} x {width} .* of 128.*`levels:` .* to {most} or"):
        UNet(7, 2)(torch.zeros(1, 3, *size))
    check_size(*size, most)
    with pytest.raises(ConfigError):
        check_size(*size, most + 1)


@pytest.mark.parametrize("options", [{"levels": 1}, {"width": 0}, {"levels": True}, {"width": 1.5}])
def test_shapes_that_make_no_network_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected an integer"):
        UNet(**options)  # type: ignore[arg-type]


def test_pixels_come_back_as_they_went_in() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).repeat(1, 3, 1, 1)
    assert from_pixels(pixels).min() == -1
    assert from_pixels(pixels).max() == 1
    assert torch.equal(to_pixels(from_pixels(pixels)), pixels)
    assert to_pixels(torch.tensor([-3.0, -1.0, 0.0, 0.999, 2.0])).tolist() == [0, 0, 128, 255, 255]  # 127.5 to even


def test_a_generator_comes_back_from_its_file(tmp_path: Path) -> None:
    network = UNet(levels=3, width=2)
    network(torch.rand(4, 3, 16, 8))  # running statistics that differ from new ones
    save_generator(tmp_path / "anonymizer.pt", network, {"training": "joint_blurred", "seed": 3})
    loaded, about = load_generator(tmp_path / "anonymizer.pt")
    assert about == {"training": "joint_blurred", "seed": 3}
    assert not loaded.training
    picture = torch.rand(2, 3, 16, 8)
    assert torch.equal(loaded(picture), network.eval()(picture))


def test_a_missing_or_other_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no such checkpoint\. Run the stage `train_anonymizer`"):
        load_generator(tmp_path / "none.pt")
    (tmp_path / "other.pt").write_bytes(b"no checkpoint")
    with pytest.raises(TrainingError, match="not a checkpoint"):
        load_generator(tmp_path / "other.pt")


def test_gradients_reach_normalisations_in_the_order_of_their_maps() -> None:
    """A slice of `torch.cat`'s gradient would make torch's batch normalisation many times slower."""
    network = UNet(4, 8).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    dense: list[bool] = []
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.register_full_backward_hook(
                lambda _, __, gradients: dense.append(gradients[0].is_contiguous(memory_format=torch.channels_last))
            )
    pictures = torch.rand(4, 3, 64, 32).contiguous(memory_format=torch.channels_last)
    network(pictures).abs().mean().backward()
    assert len(dense) == 5
    assert all(dense)
