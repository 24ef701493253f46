"""The network of TinyFaces: names and shapes of the public checkpoint, geometry, fusion of the two heads."""

from __future__ import annotations

import math

import pytest
import torch
from tinyfaces_weights import random_network
from torch import nn
from torch.nn.functional import conv_transpose2d

from anonbench.detectors._tinyfaces.network import OUTPUTS, Convention, TinyFacesNetwork


def public_checkpoint() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the port's checkpoint without `fc`, written down from its models/model.py.

    It holds torchvision's resnet101 (bottlenecks: 3, 4, 23) less `layer4` as `model`, and three convolutions.
    """
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (channels,)
        shapes[f"{name}.num_batches_tracked"] = ()

    shapes["model.conv1.weight"] = (64, 3, 7, 7)
    norm("model.bn1", 64)
    inputs = 64
    for layer, (blocks, width) in enumerate([(3, 64), (4, 128), (23, 256)], start=1):
        for block in range(blocks):
            name = f"model.layer{layer}.{block}"
            shapes[f"{name}.conv1.weight"] = (width, inputs, 1, 1)
            shapes[f"{name}.conv2.weight"] = (width, width, 3, 3)
            shapes[f"{name}.conv3.weight"] = (4 * width, width, 1, 1)
            norm(f"{name}.bn1", width)
            norm(f"{name}.bn2", width)
            norm(f"{name}.bn3", 4 * width)
            if block == 0:
                shapes[f"{name}.downsample.0.weight"] = (4 * width, inputs, 1, 1)
                norm(f"{name}.downsample.1", 4 * width)
            inputs = 4 * width
    for head, channels in (("score_res3", 512), ("score_res4", 1024)):
        shapes[f"{head}.weight"] = (125, channels, 1, 1)
        shapes[f"{head}.bias"] = (125,)
    return shapes


def test_parameters_are_named_and_shaped_as_in_the_public_checkpoint() -> None:
    with torch.device("meta"):
        own = TinyFacesNetwork("resnet101").state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in own.items()} == public_checkpoint()


def field_of_view(network: TinyFacesNetwork) -> tuple[int, int]:
    """(stride, receptive field) of `layer3`, from kernels and strides along the longest path."""
    stride, size = 1, 1
    for name, module in network.model.named_modules():
        if isinstance(module, nn.Conv2d | nn.MaxPool2d) and "downsample" not in name:
            kernel, step = (v[0] if isinstance(v, tuple) else v for v in (module.kernel_size, module.stride))
            size += (kernel - 1) * stride
            stride *= step
    return stride, size


@pytest.mark.parametrize(("caffe", "size"), [(True, 859), (False, 835)])
def test_receptive_field_of_resnet101(caffe: bool, size: int) -> None:
    """859 pixels with Caffe's strides, as MatConvNet computes it: its 4x4 upsampling adds 1.5 cells of 16 pixels."""
    with torch.device("meta"):
        stride, coarse = field_of_view(TinyFacesNetwork("resnet101", Convention(caffe=caffe)))
    assert stride == 16
    assert coarse + 16 * (4 - 1) // 2 == size


def test_a_cell_sees_its_receptive_field_and_nothing_else() -> None:
    """Cell 20 of ResNet-18 mixes cells 9 and 10 of the coarse map, which see 105 pixels either side of 144 and 160."""
    network, low, high = random_network(), 144 - 105, 160 + 105
    image = torch.rand(1, 3, 320, 288, generator=torch.Generator().manual_seed(0)) * 255
    outside, rim = image.clone(), image.clone()
    outside[:, :, :low] = outside[:, :, high + 1 :] = outside[..., :low] = outside[..., high + 1 :] = 99
    rim[:, :, low] += 1e6  # what arrives from the rim is little
    with torch.inference_mode():
        maps, other, differing = (network(x)[0, :, 20, 20] for x in (image, outside, rim))
    torch.testing.assert_close(other, maps, rtol=0, atol=1e-4)
    assert (differing - maps).abs().max() > 0.1


@pytest.mark.parametrize(("height", "width"), [(500, 500), (128, 64), (17, 33), (16, 16), (250, 131)])
def test_one_cell_every_eight_pixels(height: int, width: int) -> None:
    network = TinyFacesNetwork("resnet18").eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, height, width)).shape == (2, 125, math.ceil(height / 8), math.ceil(width / 8))


def test_the_coarse_head_is_enlarged_by_the_dense_filter_of_the_public_files() -> None:
    network = random_network()
    image = torch.rand(1, 3, 72, 104, generator=torch.Generator().manual_seed(1)) * 255
    side = torch.tensor([1 - abs(c - 2.5) / 2 for c in (1, 2, 3, 4)])  # the authors' bilinear_u(4, ...)
    dense = torch.zeros(OUTPUTS, OUTPUTS, 4, 4)
    dense[range(OUTPUTS), range(OUTPUTS)] = side[:, None] * side
    with torch.inference_mode():
        fine, coarse = network.model((image - network.mean) / network.std)
        fine, coarse = network.score_res3(fine), network.score_res4(coarse)
        expected = fine + conv_transpose2d(coarse, dense, stride=2, padding=1)[..., : fine.shape[2], : fine.shape[3]]
        torch.testing.assert_close(network(image), expected, rtol=1e-4, atol=1e-5)
    assert coarse.shape[2:] == (5, 7)


def test_caffes_geometry_puts_the_stride_first_and_pads_the_pooling_on_the_far_side() -> None:
    network = TinyFacesNetwork("resnet50", Convention(caffe=True)).eval()
    for stage in (network.model.layer2, network.model.layer3):
        first = stage[0]
        assert (first.conv1.stride, first.conv2.stride, first.downsample[0].stride) == ((2, 2), (1, 1), (2, 2))
    row = torch.arange(1.0, 7)  # MatConvNet's pool: windows 1-3, 3-5 and 5-6
    assert network.model.maxpool(row.expand(1, 1, 6, 6))[0, 0, 0].tolist() == [3, 5, 6]
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 500, 500)).shape == (1, 125, 63, 63)
        assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 125, 7, 7)  # 8 rows fine, 2 x 4 - 1 coarse


def test_images_enter_as_0_to_255_and_the_heads_start_at_zero() -> None:
    network = TinyFacesNetwork("resnet18", Convention(mean=(10.0, 20.0, 30.0), std=(1.0, 2.0, 4.0))).eval()
    seen = []
    network.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    maps = network(torch.tensor([11.0, 24.0, 22.0]).view(1, 3, 1, 1).expand(1, 3, 32, 32))
    assert seen[0][0, :, 5, 5].tolist() == [1, 2, -2]
    assert not maps.any()
