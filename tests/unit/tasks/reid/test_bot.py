"""BoT's architecture and the ImageNet weights that fit it."""

from pathlib import Path

import pytest
import torch
from torch import nn

from anonbench.core.errors import MissingDependencyError
from anonbench.tasks.reid.models import _imagenet
from anonbench.tasks.reid.models._resnet import ResNet
from anonbench.tasks.reid.models.bot import BoT


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
    with pytest.raises(MissingDependencyError, match=r"1 of 1 tensors of another shape: conv1\.weight"):
        BoT().build(2, pretrained=True)


def test_mlfn_names_the_file_it_looks_for(cache: Path) -> None:
    from anonbench.tasks.reid.models.mlfn import MLFN

    with pytest.raises(MissingDependencyError) as caught:
        MLFN().build(2, pretrained=True)
    assert str(cache / "mlfn_imagenet.pth") in str(caught.value)


@pytest.fixture
def mlfn() -> nn.Module:
    """A network that `load_mlfn` takes for MLFN: what counts is which of its tensors a file must hold."""
    network = nn.Module()
    network.conv1, network.bn1, network.fc_x = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Linear(4, 2)
    network.classifier = nn.Linear(2, 5)
    return network


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda w: {k: v for k, v in w.items() if "fc_x" not in k},
            r"2 of 8 tensors missing: fc_x\.weight, fc_x\.bias",
        ),
        (lambda w: {}, r"8 of 8 tensors missing: conv1\.weight, conv1\.bias, bn1\.weight and 5 more"),
        (lambda w: {"state_dict": w}, r"8 of 8 tensors missing.*1 of 1 tensors unknown: state_dict"),
        (lambda w: w | {"fc_x.bias": torch.zeros(3)}, r"1 of 8 tensors of another shape: fc_x\.bias"),
        (lambda w: w | {"fc_x.bias": [0, 0]}, r"1 of 8 tensors of another shape: fc_x\.bias"),
        (lambda w: w | {"fc_x.bias": torch.tensor([0, torch.nan])}, r"1 of 8 tensors not finite: fc_x\.bias"),
        (lambda w: [], r"it holds list, not tensors by name"),
        (lambda w: None, r"cannot be loaded \(EOFError"),
    ],
)
def test_every_tensor_but_the_classifiers_must_be_there(cache: Path, mlfn: nn.Module, change, message: str) -> None:
    """As old files are: without counters of batches, with a classifier of other classes."""
    weights = {k: torch.ones_like(v) for k, v in mlfn.state_dict().items() if "tracked" not in k}
    weights = {k: v for k, v in weights.items() if "classifier" not in k}
    file = cache / "mlfn_imagenet.pth"
    torch.save(weights | {"classifier.weight": torch.zeros(1000, 2)}, file)
    _imagenet.load_mlfn(mlfn)
    assert mlfn.fc_x.weight.min() == 1
    changed = change(weights)
    file.write_bytes(b"") if changed is None else torch.save(changed, file)
    with pytest.raises(MissingDependencyError, match=message) as caught:
        _imagenet.load_mlfn(mlfn)
    assert "pretrained: false" in str(caught.value)


def test_layers_beyond_resnet50_need_no_weights(cache: Path) -> None:
    backbone = nn.Module()
    backbone.conv1, backbone.conv5 = nn.Conv2d(3, 4, 1, bias=False), nn.Linear(2, 2)
    torch.save({"conv1.weight": torch.ones(4, 3, 1, 1)}, cache / "resnet50-0676ba61.pth")
    _imagenet.load_resnet50(backbone)
    assert backbone.conv1.weight.min() == 1
    (cache / "resnet50-0676ba61.pth").write_bytes(b"")
    with pytest.raises(MissingDependencyError, match="ImageNet weights of ResNet-50 cannot be loaded"):
        _imagenet.load_resnet50(backbone)
