"""BoT's architecture and the ImageNet weights that fit it."""

from pathlib import Path

import pytest
import torch

from anonbench.core.errors import MissingDependencyError
from anonbench.tasks.reid.models import _imagenet
from anonbench.tasks.reid.models.bot import BoT, ResNet


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty torch.hub cache; downloads fail as on a machine without network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setattr(_imagenet, "RESNET50_URL", "http://127.0.0.1:9/resnet50-0676ba61.pth")
    folder = _imagenet.cache_folder()
    folder.mkdir(parents=True)
    return folder


def test_the_backbone_is_resnet50() -> None:
    network = ResNet(50, last_stride=1, stem_relu=True)
    weights = network.state_dict()
    assert sum(p.numel() for p in network.parameters()) == 25_557_032 - 2_049_000  # ResNet-50 without its last layer
    for name, shape in {
        "conv1.weight": (64, 3, 7, 7),
        "layer1.0.downsample.0.weight": (256, 64, 1, 1),
        "layer3.5.conv2.weight": (256, 256, 3, 3),
        "layer4.2.bn3.running_var": (2048,),
    }.items():
        assert weights[name].shape == shape


def test_the_small_backbone_is_resnet18() -> None:
    network = ResNet(18, last_stride=1, stem_relu=True)
    assert sum(p.numel() for p in network.parameters()) == 11_689_512 - 513_000  # ResNet-18 without its last layer
    assert BoT(depth=18).build(2, pretrained=False).feature_dim == 512


def test_an_unknown_depth_is_refused() -> None:
    with pytest.raises(ValueError, match="depth must be one of 18, 50, got 34"):
        BoT(depth=34)


@pytest.mark.parametrize(("last_stride", "side"), [(1, 4), (2, 2)])
def test_the_last_stride_sets_the_size_of_the_last_map(last_stride: int, side: int) -> None:
    network = ResNet(50, last_stride, stem_relu=True).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 2048, side, side)


def test_the_stem_relu_can_be_left_out() -> None:
    images = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    outputs = []
    for stem_relu in (True, False):
        torch.manual_seed(0)
        network = BoT(stem_relu=stem_relu).build(2, pretrained=False).eval()
        with torch.inference_mode():
            outputs.append(network(images))
    assert not torch.allclose(*outputs)


def test_the_neck_learns_no_shift_and_the_classifier_has_no_bias() -> None:
    network = BoT().build(200, pretrained=False)
    assert not network.neck.bias.requires_grad
    assert network.neck.weight.requires_grad
    assert network.classifier.bias is None
    assert network.classifier.weight.std().item() == pytest.approx(0.001, rel=0.02)


def test_features_lie_before_the_neck_and_the_embedding_behind_it() -> None:
    torch.manual_seed(0)
    network = BoT().build(3, pretrained=False)
    images = torch.randn(4, 3, 64, 32)
    with torch.no_grad():
        logits, features = network.train()(images)
        neck = torch.nn.functional.batch_norm(features, None, None, network.neck.weight, network.neck.bias, True)
        torch.testing.assert_close(logits[0], neck @ network.classifier.weight.T)
        network.eval()
        pooled = network.backbone(images).mean(dim=(2, 3))
        torch.testing.assert_close(network(images), network.neck(pooled))


def test_without_weights_or_network_the_message_says_where_to_put_them(cache: Path) -> None:
    with pytest.raises(MissingDependencyError) as caught:
        BoT().build(2, pretrained=True)
    assert f"at {cache / 'resnet50-0676ba61.pth'}" in str(caught.value)
    assert "pretrained: false" in str(caught.value)


def test_weights_in_the_cache_are_used(cache: Path) -> None:
    torch.manual_seed(1)
    source = ResNet(50, last_stride=2, stem_relu=True)
    weights = source.state_dict() | {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    torch.save(weights, cache / "resnet50-0676ba61.pth")
    network = BoT().build(2, pretrained=True)
    for name, tensor in source.state_dict().items():
        assert torch.equal(network.backbone.state_dict()[name], tensor), name


def test_weights_of_another_network_are_refused(cache: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(64, 3, 3, 3)}, cache / "resnet50-0676ba61.pth")
    with pytest.raises(MissingDependencyError, match=r"1 of 1 tensors do not fit, first: conv1\.weight"):
        BoT().build(2, pretrained=True)


def test_mlfn_names_the_file_it_looks_for(cache: Path) -> None:
    from anonbench.tasks.reid.models.mlfn import MLFN

    with pytest.raises(MissingDependencyError) as caught:
        MLFN().build(2, pretrained=True)
    assert str(cache / "mlfn_imagenet.pth") in str(caught.value)
