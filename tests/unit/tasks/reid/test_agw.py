"""AGW against the published network's layers, and its parts against what they compute, written out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from anonbench.core.errors import ConfigError
from anonbench.tasks.reid.losses import CenterLoss, LossSettings, reid_loss
from anonbench.tasks.reid.models import _imagenet
from anonbench.tasks.reid.models._resnet import ResNet
from anonbench.tasks.reid.models.agw import AGW, GeneralizedMean, NonLocal

IDENTITIES = 751  # of Market-1501's training set
# Of one image of 256 x 128, after each residual block of the public code (the ends of the stages) and each non-local
# block, in the order in which it computes them.
SHAPES = [
    ("bn1", (64, 128, 64)),
    ("maxpool", (64, 64, 32)),
    *[(f"layer1.{index}", (256, 64, 32)) for index in range(3)],
    ("layer2.0", (512, 32, 16)),
    ("layer2.1", (512, 32, 16)),
    ("layer2.2", (512, 32, 16)),
    ("non_local.layer2_2", (512, 32, 16)),
    ("layer2.3", (512, 32, 16)),
    ("non_local.layer2_3", (512, 32, 16)),
    ("layer3.0", (1024, 16, 8)),
    ("layer3.1", (1024, 16, 8)),
    ("layer3.2", (1024, 16, 8)),
    ("layer3.3", (1024, 16, 8)),
    ("non_local.layer3_3", (1024, 16, 8)),
    ("layer3.4", (1024, 16, 8)),
    ("non_local.layer3_4", (1024, 16, 8)),
    ("layer3.5", (1024, 16, 8)),
    ("non_local.layer3_5", (1024, 16, 8)),
    *[(f"layer4.{index}", (2048, 16, 8)) for index in range(3)],
]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(depth: int = 18, **parameters: object) -> nn.Module:
    torch.manual_seed(0)
    return AGW(depth=depth, **parameters).build(3, pretrained=False)  # type: ignore[arg-type]


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_every_layer_has_the_published_shape_and_place() -> None:
    with torch.device("meta"):  # shapes alone
        network = AGW().build(IDENTITIES, pretrained=False)
    names = {module: name for name, module in network.backbone.named_modules()}
    found: list[tuple[str, tuple[int, ...]]] = []
    wanted = {name for name, _ in SHAPES}
    for module, name in names.items():
        if name in wanted:
            module.register_forward_hook(lambda m, _, output: found.append((names[m], tuple(output.shape[1:]))))
    logits, features = network(torch.zeros(2, 3, 256, 128, device="meta"))
    assert found == SHAPES
    assert (features.shape, logits[0].shape) == ((2, 2048), (2, IDENTITIES))
    assert network.eval()(torch.zeros(2, 3, 256, 128, device="meta")).shape == (2, 2048)


def test_every_part_has_the_published_number_of_weights() -> None:
    with torch.device("meta"):
        network = AGW().build(IDENTITIES, pretrained=False)
    blocks = network.backbone.non_local
    # g, theta, phi: C weights and a bias; W: C weights, C biases, scale and shift.
    assert [count(block) for block in blocks.values()] == 2 * [7 * 512 + 3] + 3 * [7 * 1024 + 3]
    assert count(network.backbone) - count(blocks) == 25_557_032 - 2_049_000  # ResNet-50 without its last layer
    assert {name: count(part) for name, part in network.named_children() if name != "backbone"} == {
        "pool": 1,
        "neck": 2 * 2048,
        "classifier": 2048 * IDENTITIES,
    }
    assert count(network) == 25_078_864


def test_the_small_network_has_a_non_local_block_behind_each_of_two_stages() -> None:
    network = AGW(depth=18).build(3, pretrained=False)
    blocks = network.backbone.non_local
    assert {name: count(block) for name, block in blocks.items()} == {"layer2_1": 7 * 128 + 3, "layer3_1": 7 * 256 + 3}
    assert network.feature_dim == 512


@pytest.mark.parametrize("depth", [18, 50])
def test_before_training_the_maps_are_those_of_a_resnet(depth: int) -> None:
    network = small(depth)
    plain = ResNet(depth, last_stride=1, stem_relu=True)
    plain.load_state_dict({k: v for k, v in network.backbone.state_dict().items() if not k.startswith("non_local")})
    images = torch.randn(2, 3, 64, 48, generator=generator())
    with torch.no_grad():
        assert torch.equal(network.backbone.train()(images), plain.train()(images))


def test_a_non_local_block_takes_part_once_its_scale_is_not_0() -> None:
    network = small().eval()
    images = torch.randn(2, 3, 64, 48, generator=generator())
    with torch.no_grad():
        before = network(images)
        for block in network.backbone.non_local.values():
            block.W[1].bias += 0.1
            after = network(images)
            assert not torch.allclose(before, after)
            before = after


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_non_local_block_against_its_sum_written_out(width: int, channels_last: bool) -> None:
    torch.manual_seed(1)
    channels, height, cols = 5, 3, 4
    block = NonLocal(channels, width).double().eval()
    nn.init.normal_(block.W[1].weight)
    nn.init.normal_(block.W[1].bias)
    x = torch.randn(2, channels, height, cols, dtype=torch.float64, generator=generator())

    def at(layer: nn.Conv2d, vector: Tensor) -> Tensor:
        return layer.weight[:, :, 0, 0] @ vector + layer.bias

    expected = torch.empty_like(x)
    places = [(row, col) for row in range(height) for col in range(cols)]
    for image in range(2):
        for row, col in places:
            here = at(block.theta, x[image, :, row, col])
            y = torch.zeros(width, dtype=torch.float64)
            for r, c in places:
                there = x[image, :, r, c]
                y += (here @ at(block.phi, there)) / len(places) * at(block.g, there)
            out = at(block.W[0], y) / (1 + block.W[1].eps) ** 0.5  # running statistics are 0 and 1
            expected[image, :, row, col] = x[image, :, row, col] + block.W[1].weight * out + block.W[1].bias
    found = block(x.contiguous(memory_format=torch.channels_last) if channels_last else x)
    torch.testing.assert_close(found, expected)


def test_the_order_of_images_and_places_does_not_matter_to_a_non_local_block() -> None:
    torch.manual_seed(1)
    block = NonLocal(6, 1).double().eval()
    nn.init.normal_(block.W[1].weight)
    x = torch.randn(3, 6, 4, 2, dtype=torch.float64, generator=generator())
    torch.testing.assert_close(block(x.flip(0, 2, 3)), block(x).flip(0, 2, 3))


def test_generalized_mean_by_hand() -> None:
    maps = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 1, 2, 2)
    # p = 3: (1 + 8 + 27 + 64) / 4 = 25
    assert GeneralizedMean()(maps).item() == pytest.approx(25 ** (1 / 3))
    assert GeneralizedMean(p=2.0)(maps).item() == pytest.approx(7.5**0.5)
    # Negative values and zeros count as eps: one place of four.
    maps = torch.tensor([-1.0, 0.0, 0.0, 2.0]).view(1, 1, 2, 2)
    assert GeneralizedMean()(maps).item() == pytest.approx(2 ** (1 / 3))
    assert GeneralizedMean()(torch.zeros(1, 1, 2, 2)).item() == pytest.approx(1e-6)


def test_generalized_mean_lies_between_mean_and_maximum() -> None:
    maps = torch.rand(2, 7, 4, 3, generator=generator()) + 0.1
    torch.testing.assert_close(GeneralizedMean(p=1.0)(maps), maps.mean(dim=(2, 3)))
    torch.testing.assert_close(GeneralizedMean(p=1e4)(maps), maps.amax(dim=(2, 3)), rtol=1e-3, atol=0)
    pooled = GeneralizedMean()(maps)
    assert (pooled > maps.mean(dim=(2, 3))).all()
    assert (pooled < maps.amax(dim=(2, 3))).all()


@pytest.mark.parametrize("p", [1.0, 3.0, 6.5])
def test_generalized_mean_and_its_gradients_against_the_definition(p: float) -> None:
    maps = torch.randn(2, 5, 4, 3, dtype=torch.float64, generator=generator())
    pool = GeneralizedMean(p)
    weights = torch.randn(2, 5, generator=generator(1))
    ours = maps.float().requires_grad_()
    found = pool(ours)
    (found * weights).sum().backward()
    order = torch.tensor([p], dtype=torch.float64, requires_grad=True)
    theirs = maps.clone().requires_grad_()
    expected = theirs.clamp(min=1e-6).pow(order).mean(dim=(2, 3)).pow(1 / order)
    (expected * weights).sum().backward()
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours.grad.double(), theirs.grad, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(pool.p.grad.double(), order.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("p", [3.0, 8.0, 50.0])
def test_generalized_mean_has_finite_gradients_for_channels_of_zeros_and_large_values(p: float) -> None:
    maps = torch.stack([torch.zeros(4, 2), torch.full((4, 2), 300.0)])[None].requires_grad_()
    pool = GeneralizedMean(p)
    pool(maps).sum().backward()
    assert maps.grad.isfinite().all()
    assert pool.p.grad.isfinite().all()


def test_features_lie_before_the_neck_and_the_embedding_behind_it() -> None:
    network = small()
    images = torch.randn(4, 3, 64, 48, generator=generator())
    with torch.no_grad():
        logits, features = network.train()(images)
        torch.testing.assert_close(features, network.pool(network.backbone(images)))
        neck = nn.functional.batch_norm(features, None, None, network.neck.weight, network.neck.bias, True)
        torch.testing.assert_close(logits[0], neck @ network.classifier.weight.T)
        pooled = network.eval().pool(network.backbone(images))
        torch.testing.assert_close(network(images), network.neck(pooled))


def test_the_neck_learns_no_shift_and_the_classifier_has_no_bias() -> None:
    network = AGW(depth=18).build(200, pretrained=False)
    assert not network.neck.bias.requires_grad
    assert network.classifier.bias is None
    assert network.classifier.weight.std().item() == pytest.approx(0.001, rel=0.02)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_published_losses_reach_every_weight_with_finite_gradients(dtype: torch.dtype) -> None:
    network = small().train()
    for block in network.backbone.non_local.values():
        nn.init.normal_(block.W[1].weight)  # at its first value, 0, nothing before it in the block has a gradient
    settings = LossSettings(triplet="weighted", triplet_weight=1.0, center_weight=5e-4)
    labels = torch.tensor([0, 0, 1, 1, 2])
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
        output = network(torch.randn(5, 3, 48, 48, generator=generator()))
    assert output.features.dtype is torch.float32
    reid_loss(output, labels, settings, CenterLoss(3, 512)).backward()
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            # What batch normalisation takes away again has no gradient but rounding.
            assert parameter.grad.any() or name.endswith("W.0.bias"), name


def test_imagenet_weights_fill_all_but_the_non_local_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    _imagenet.cache_folder().mkdir(parents=True)
    torch.manual_seed(1)
    weights = ResNet(50, last_stride=2, stem_relu=True).state_dict()
    torch.save(weights | {"fc.weight": torch.zeros(1000, 2048)}, _imagenet.cache_folder() / "resnet50-0676ba61.pth")
    found = AGW().build(2, pretrained=True).backbone.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in weights.items())
    assert {name.split(".")[0] for name in found.keys() - weights.keys()} == {"non_local"}


def test_weights_of_another_depth_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"model 'agw': pretrained is true, but at depth 18.*`depth: 50`"):
        AGW(depth=18).build(2, pretrained=True)
