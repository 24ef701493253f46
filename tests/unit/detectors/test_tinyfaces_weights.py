"""Weights of TinyFaces from three kinds of files, and what is said about files that do not fit."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.io import savemat
from tinyfaces_weights import random_network, save_random_weights
from torch import Tensor

from anonbench.core.errors import MissingDependencyError
from anonbench.detectors._tinyfaces.network import Convention, TinyFacesNetwork
from anonbench.detectors._tinyfaces.templates import HEIGHTS, RESOLUTIONS, WIDTHS
from anonbench.detectors._tinyfaces.weights import load_network

IMAGE = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(5)) * 255


@pytest.fixture(scope="module")
def full() -> TinyFacesNetwork:
    """A ResNet-101 with random weights, the size of the public ones."""
    return random_network("resnet101", seed=4)


def dense_filter() -> Tensor:
    side = torch.tensor([0.25, 0.75, 0.75, 0.25])
    dense = torch.zeros(125, 125, 4, 4)
    dense[range(125), range(125)] = side[:, None] * side
    return dense


def port_checkpoint(network: TinyFacesNetwork, **changes: Any) -> dict[str, Any]:
    """What the port's trainer.save_checkpoint writes: weights with `fc` and the upsampling, optimizer state beside."""
    weights = OrderedDict(network.state_dict())
    weights["model.fc.weight"], weights["model.fc.bias"] = torch.zeros(1000, 2048), torch.zeros(1000)
    weights["score4_upsample.weight"] = dense_filter()
    weights.update({k: v for k, v in changes.items() if v is not None})
    for name in [k for k, v in changes.items() if v is None]:
        del weights[name]
    optimizer = {"state": {0: {"momentum_buffer": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4, "params": [0]}]}
    return {"epoch": 50, "batch_size": 12, "model": weights, "optimizer": optimizer}


def maps(network: TinyFacesNetwork) -> Tensor:
    with torch.inference_mode():
        return network(IMAGE)


def test_own_files_come_back_bit_by_bit(tmp_path: Path) -> None:
    network = random_network()
    network.convention = Convention(mean=(1.0, 2.0, 3.0))
    save_random_weights(tmp_path / "a.pt")
    save_random_weights(tmp_path / "b.pt")
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
    again = load_network(tmp_path / "a.pt", "resnet18")
    assert not again.training
    assert again.convention == Convention()
    assert torch.equal(maps(again), maps(random_network()))


def test_the_ports_checkpoint_gives_the_network_that_it_was_made_from(full: TinyFacesNetwork, tmp_path: Path) -> None:
    torch.save(port_checkpoint(full), tmp_path / "checkpoint_50.pth")
    loaded = load_network(tmp_path / "checkpoint_50.pth", "resnet101")
    assert loaded.convention == Convention(inclusive=True)  # ImageNet's mean and std, torchvision's strides
    assert torch.equal(maps(loaded), maps(full))


def matconvnet_net(network: TinyFacesNetwork) -> dict[str, Any]:
    """The struct that MatConvNet's saveobj writes, its names spelt out from Caffe's ResNet-101."""
    state = {k: v.numpy() for k, v in network.state_dict().items()}
    params: dict[str, NDArray[np.float32]] = {}

    def convolution(ours: str, name: str) -> None:
        params[f"{name}_filter"] = state[f"{ours}.weight"].transpose(2, 3, 1, 0)  # height, width, in, out

    def norm(ours: str, name: str) -> None:
        params[f"{name}_mult"] = state[f"{ours}.weight"][:, None]
        params[f"{name}_bias"] = state[f"{ours}.bias"][:, None]
        sigma = np.sqrt(state[f"{ours}.running_var"] + 1e-5)
        params[f"{name}_moments"] = np.stack([state[f"{ours}.running_mean"], sigma], axis=1)

    convolution("model.conv1", "conv1")
    norm("model.bn1", "bn_conv1")
    names = {
        1: ["2a", "2b", "2c"],
        2: ["3a", "3b1", "3b2", "3b3"],
        3: ["4a", *(f"4b{n}" for n in range(1, 23))],
    }
    for layer, blocks in names.items():
        for number, block in enumerate(blocks):
            ours = f"model.layer{layer}.{number}"
            if block.endswith("a"):
                convolution(f"{ours}.downsample.0", f"res{block}_branch1")
                norm(f"{ours}.downsample.1", f"bn{block}_branch1")
            for n, branch in ((1, "branch2a"), (2, "branch2b"), (3, "branch2c")):
                convolution(f"{ours}.conv{n}", f"res{block}_{branch}")
                norm(f"{ours}.bn{n}", f"bn{block}_{branch}")
    for head in ("score_res3", "score_res4"):
        convolution(head, head)
        params[f"{head}_bias"] = state[f"{head}.bias"][None]
    params["score4f"] = dense_filter().numpy().transpose(2, 3, 0, 1)
    fields = [("name", object), ("value", object), ("learningRate", object)]
    array = np.array([(name, value, 1.0) for name, value in params.items()], dtype=fields)
    clusters = np.stack([1 - WIDTHS, 1 - HEIGHTS, WIDTHS - 1, HEIGHTS - 1, 2 * RESOLUTIONS], axis=1) / 2
    layers = np.array(
        [
            ("pool1", "dagnn.Pooling", {"stride": [2, 2], "pad": [0, 1, 0, 1]}),
            ("res3a_branch2a", "dagnn.Conv", {"stride": [2, 2], "pad": [0, 0, 0, 0]}),
            ("res3a_branch2b", "dagnn.Conv", {"stride": [1, 1], "pad": [1, 1, 1, 1]}),
        ],
        dtype=[("name", object), ("type", object), ("block", object)],
    )
    meta = {"clusters": clusters, "normalization": {"averageImage": np.array([[119.0], [110.0], [101.0]])}}
    return {"params": array, "layers": layers, "meta": meta}


def test_the_authors_file_gives_the_same_weights_in_caffes_geometry(full: TinyFacesNetwork, tmp_path: Path) -> None:
    file = tmp_path / "hr_res101.mat"
    net = matconvnet_net(full)
    savemat(file, {"net": net})
    loaded = load_network(file, "resnet101")
    mean, std = (119.0, 110.0, 101.0), (1.0, 1.0, 1.0)
    assert loaded.convention == Convention(mean, std, caffe=True, inclusive=True)
    expected, own = full.state_dict(), loaded.state_dict()
    assert own.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(own[name], value, rtol=1e-5, atol=1e-6, msg=name)
    caffe = TinyFacesNetwork("resnet101", loaded.convention).eval()
    caffe.load_state_dict(expected)
    assert (maps(loaded) - maps(caffe)).norm() < 1e-3 * maps(caffe).norm()
    assert (maps(caffe) - maps(full)[..., :5, :7]).abs().max() > 0.1  # the geometry matters

    net["layers"]["block"][1] = {"stride": [1, 1]}
    net["meta"]["clusters"] = np.ones((25, 5))
    savemat(file, {"net": net})
    with pytest.raises(MissingDependencyError) as caught:
        load_network(file, "resnet101")
    assert "res3a_branch2a.stride is [1, 1], expected [2, 2]" in str(caught.value)
    assert "meta.clusters are not the 25 templates" in str(caught.value)


def test_a_variance_smaller_than_epsilon_survives(tmp_path: Path) -> None:
    """Moments hold sqrt(variance + epsilon) of the authors' epsilon; torch must divide by the same number."""
    from anonbench.detectors._tinyfaces.weights import _matconvnet_layer

    sigma = np.array([1e-3, 2.0], np.float32)
    found = dict(_matconvnet_layer({"bn_moments": np.stack([[5.0, 6.0], sigma], axis=1)}, "bn"))
    assert found["running_mean"].tolist() == [5, 6]
    np.testing.assert_allclose(np.sqrt(found["running_var"].double().numpy() + 1e-5), sigma, rtol=1e-5)


def test_a_missing_file_says_where_to_get_one_and_what_to_do_meanwhile(tmp_path: Path) -> None:
    with pytest.raises(MissingDependencyError) as caught:
        load_network(tmp_path / "none.pth", "resnet101")
    text = str(caught.value)
    assert f"no file of weights at {tmp_path / 'none.pth'}" in text
    for hint in ("checkpoint_50.pth", "hr_res101.mat", "method: centerface", "trunk: resnet18"):
        assert hint in text


def test_every_tensor_that_does_not_fit_is_named(tmp_path: Path) -> None:
    changes = {
        "score_res3.weight": torch.zeros(25, 128, 1, 1),
        "model.bn1.bias": None,
        "model.extra": torch.zeros(3),
        "score4_upsample.weight": dense_filter() * 2,
        "score_res4.bias": torch.full((125,), torch.nan),
    }
    torch.save(port_checkpoint(random_network(), **changes), tmp_path / "odd.pth")
    with pytest.raises(MissingDependencyError) as caught:
        load_network(tmp_path / "odd.pth", "resnet18")
    text = str(caught.value)
    assert "does not fit TinyFaces with trunk resnet18" in text
    assert "tensors missing: model.bn1.bias (64)" in text
    assert "tensors unknown: model.extra (3)" in text
    assert "of another shape: score_res3.weight (25, 128, 1, 1) instead of (125, 128, 1, 1)" in text
    assert "not finite: score_res4.bias" in text
    assert "score4_upsample.weight (125, 125, 4, 4) is not the fixed bilinear filter" in text


def test_old_checkpoints_without_counters_fit(tmp_path: Path) -> None:
    network = random_network()
    counters = {k: None for k in network.state_dict() if k.endswith("num_batches_tracked")}
    torch.save(port_checkpoint(network, **counters), tmp_path / "old.pth")
    assert torch.equal(maps(load_network(tmp_path / "old.pth", "resnet18")), maps(network))


def test_another_trunk_is_recognised(tmp_path: Path) -> None:
    torch.save(port_checkpoint(random_network()), tmp_path / "small.pth")
    with pytest.raises(MissingDependencyError, match="shapes of trunk resnet18: write `trunk: resnet18`"):
        load_network(tmp_path / "small.pth", "resnet50")
    save_random_weights(tmp_path / "own.pt")
    with pytest.raises(MissingDependencyError, match="holds a network with trunk resnet18, the config says resnet50"):
        load_network(tmp_path / "own.pt", "resnet50")
    (tmp_path / "a.mat").touch()
    with pytest.raises(MissingDependencyError, match="MatConvNet files are read for trunk resnet101 only"):
        load_network(tmp_path / "a.mat", "resnet18")


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("executed",))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("trap.pth", pickle.dumps({"model": Trap()}, protocol=2), "can load safely"),
        ("text.pth", b"weights", "can load safely"),
        ("empty.mat", b"", "not a network that MatConvNet saved"),
        ("text.mat", b"MATLAB" * 60, "not a network that MatConvNet saved"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_damaged_and_dangerous_files_are_refused(
    name: str, content: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MissingDependencyError, match=words):
        load_network(tmp_path / name, "resnet101")
    assert "executed" not in capsys.readouterr().out


def test_files_with_something_else_are_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(MissingDependencyError, match="holds list; expected weights by name"):
        load_network(tmp_path / "list.pth", "resnet101")
    torch.save({"epoch": 3}, tmp_path / "epoch.pth")
    with pytest.raises(MissingDependencyError, match="no weights found under its keys epoch; expected `model`"):
        load_network(tmp_path / "epoch.pth", "resnet101")
    savemat(tmp_path / "other.mat", {"net": np.ones(3)})
    with pytest.raises(MissingDependencyError, match="not a network that MatConvNet saved"):
        load_network(tmp_path / "other.mat", "resnet101")
