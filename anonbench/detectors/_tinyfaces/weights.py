"""Weights of TinyFaces: our own files, the port's checkpoints, the authors' MatConvNet file. Read without running code.

Every tensor is compared with what the network needs before any is used. What does not fit is listed tensor by tensor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError
from torch import Tensor

from anonbench.core.errors import MissingDependencyError, nearest
from anonbench.core.files import atomic_file
from anonbench.detectors._tinyfaces.network import OUTPUTS, TRUNKS, Convention, TinyFacesNetwork, bilinear_filter
from anonbench.detectors._tinyfaces.templates import HEIGHTS, NUM_TEMPLATES, RESOLUTIONS, WIDTHS

FORMAT = 1  # of our own files; raise it when their keys change
SHOWN = 8  # tensors named in a message, of each kind
PORT = Convention(inclusive=True)
# Mean colour of the authors' training images: rgbMean of data/widerface/imageStats.mat; a file's own goes before it.
AUTHORS_MEAN = (119.2996, 110.54627, 101.83843)
# In MatConvNet's test mode a batch normalisation divides by the second moment; torch by sqrt(variance + this).
EPSILON = 1e-5
UPSAMPLE = "score4_upsample.weight"

WHERE = """\
Two sets of weights are public, both for ResNet-101, trained on WIDER FACE (for research; read its terms):
  - PyTorch, checkpoint_50.pth (varunagrawal/tiny-faces-pytorch): the link is in the README of that GitHub repository;
  - MatConvNet, hr_res101.mat (peiyunh/tiny, the authors'): https://www.cs.cmu.edu/~peiyunh/tiny/hr_res101.mat, or the
    link in the README of that GitHub repository.
Fetch one in a browser and name it in the detector's config entry: `weights: path/to/file`.
Until then: `method: centerface` finds faces without any download; or train a small network of your own
(docs/detectors.md) and name its file, with `trunk: resnet18`."""


def load_network(path: Path, trunk: str) -> TinyFacesNetwork:
    """The network with the weights of a file, on the CPU in eval mode. The file's content decides how it is read.

    trunk: a key of `network.TRUNKS`. MatConvNet files are read for resnet101 only.
    Raises `MissingDependencyError` when there is no such file, or it does not fit, with every tensor that does not.
    """
    if not path.is_file():
        raise MissingDependencyError(f"detector 'tinyfaces': there is no file of weights at {path}.\n{WHERE}")
    if path.suffix == ".mat":
        weights, convention = _read_matconvnet(path, trunk)
    else:
        weights, convention = _read_torch(path, trunk)
    with torch.random.fork_rng(devices=[]):  # building draws weights that are replaced at once
        network = TinyFacesNetwork(trunk, convention)
    fill(network, weights, path)
    return network.eval()


def save_network(path: Path, network: TinyFacesNetwork) -> None:
    """Write a network with what rebuilds it, atomically."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    content = {"format": FORMAT, "detector": "tinyfaces", "trunk": network.trunk, "weights": weights}
    content["convention"] = asdict(network.convention)
    # Through a stream: given a path, torch writes that (temporary) name into the file: equal weights, other bytes.
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        torch.save(content, stream)


def fill(network: TinyFacesNetwork, weights: Mapping[str, Tensor], path: Path) -> None:
    """Copy weights into a network. Raises `MissingDependencyError` with a report of every tensor that does not fit.

    Tensors that have no place here are ignored if they belong to the layers that TinyFaces drops (`layer4`, `fc`). The
    counters `num_batches_tracked`, which old files lack, may be missing.
    """
    upsample = weights.get(UPSAMPLE)
    found = {k: v for k, v in weights.items() if not k.startswith(("model.fc.", "model.layer4.")) and k != UPSAMPLE}
    own = network.state_dict()
    needed = {k: tuple(v.shape) for k, v in own.items() if k in found or not k.endswith(".num_batches_tracked")}
    report = describe_misfit(needed, {k: tuple(v.shape) for k, v in found.items()})
    report += [f"not finite: {k}" for k, v in found.items() if not torch.isfinite(v.float()).all()]
    if upsample is not None and not _is_bilinear(upsample):
        report.append(f"{UPSAMPLE} {tuple(upsample.shape)} is not the fixed bilinear filter of {OUTPUTS} channels")
    if report:
        lines = "\n  ".join(report)
        raise MissingDependencyError(
            f"{path}: does not fit TinyFaces with trunk {network.trunk}:\n  {lines}\n{_advice(network.trunk, found)}"
        )
    network.load_state_dict(own | found)


def describe_misfit(needed: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Lines that say which tensors are missing, unknown, or of another shape; empty when all fit.

    >>> describe_misfit({"a": (2, 3), "b": (1,)}, {"a": (3, 2)})
    ['1 of 2 tensors missing: b (1)', '1 of 2 tensors of another shape: a (3, 2) instead of (2, 3)']
    """
    missing = [f"{k} ({_size(shape)})" for k, shape in needed.items() if k not in found]
    unknown = [f"{k} ({_size(shape)})" for k, shape in found.items() if k not in needed]
    differing = [
        f"{k} ({_size(found[k])}) instead of ({_size(shape)})"
        for k, shape in needed.items()
        if k in found and found[k] != shape
    ]
    groups = (("missing", missing), ("unknown", unknown), ("of another shape", differing))
    total = {"missing": len(needed), "unknown": len(found), "of another shape": len(needed)}
    return [f"{len(names)} of {total[what]} tensors {what}: {_some(names)}" for what, names in groups if names]


def parameter_names(trunk: str) -> list[tuple[str, str]]:
    """(our parameter, MatConvNet's) of every convolution and batch normalisation, without their suffixes.

    Source: the names in hr_res101.mat as two published readers of the file use them (cydonia999's and a MXNet port):
    `res3b1_branch2a` is the first convolution of the second block of `layer2`; Caffe's ResNet-101 numbers the blocks
    after the first.
    """
    pairs = [("model.conv1", "conv1"), ("model.bn1", "bn_conv1")]
    for stage, blocks in enumerate(TRUNKS[trunk][1], start=1):
        for number in range(blocks):
            # Caffe: letters in short stages (res2a, res2b, res2c), else a, b1, b2, ...; stage 2 of MatConvNet is ours 1
            letter = "abc"[number] if blocks <= 3 else ("a" if number == 0 else f"b{number}")
            ours, theirs = f"model.layer{stage}.{number}", f"{stage + 1}{letter}_branch"
            for n, branch in enumerate("abc", start=1):
                pairs += [(f"{ours}.conv{n}", f"res{theirs}2{branch}"), (f"{ours}.bn{n}", f"bn{theirs}2{branch}")]
            if number == 0:
                pairs += [(f"{ours}.downsample.0", f"res{theirs}1"), (f"{ours}.downsample.1", f"bn{theirs}1")]
    return pairs


def _read_torch(path: Path, trunk: str) -> tuple[Mapping[str, Tensor], Convention]:
    """Weights of our own file or of the port's checkpoint, `{epoch, batch_size, model: {name: tensor}, optimizer}`."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever its parsers meet in a damaged file
        raise MissingDependencyError(
            f"{path}: not a file of weights that torch can load safely ({type(error).__name__}: {error}). Fetch it "
            f"again; MatConvNet's files must be called .mat."
        ) from error
    if not isinstance(content, dict):
        raise MissingDependencyError(f"{path}: holds {type(content).__name__}; expected weights by name.")
    if content.get("detector") == "tinyfaces":
        return _read_own(path, content, trunk)
    weights = content.get("model", content)
    tensors = {k: v for k, v in weights.items() if isinstance(v, Tensor)} if isinstance(weights, dict) else {}
    if not tensors:
        raise MissingDependencyError(
            f"{path}: no weights found under its keys {', '.join(map(str, content))}; expected `model`.\n{WHERE}"
        )
    return {k.removeprefix("module."): v for k, v in tensors.items()}, PORT  # module.: saved from several GPUs


def _read_own(path: Path, content: Mapping[str, Any], trunk: str) -> tuple[Mapping[str, Tensor], Convention]:
    if content["format"] != FORMAT:
        raise MissingDependencyError(f"{path}: format {content['format']}, expected {FORMAT}. Train it again.")
    if content["trunk"] != trunk:
        raise MissingDependencyError(
            f"{path}: holds a network with trunk {content['trunk']}, the config says {trunk}. "
            f"Write `trunk: {content['trunk']}`."
        )
    return content["weights"], Convention(**content["convention"])


def _read_matconvnet(path: Path, trunk: str) -> tuple[Mapping[str, Tensor], Convention]:
    """Weights of a DagNN saved by MatConvNet: net.params(i).name, .value; filters are (height, width, in, out).

    The moments of a batch normalisation are (channels, 2): mean and sqrt(variance + epsilon), by which MatConvNet
    divides in test mode (vl_nnbnorm: "MOMENTS is a DEPTH x 2 array [MU, SIGMA]"). The variance follows for torch's own
    epsilon. Colours: 0..255 RGB minus net.meta.normalization.averageImage.
    """
    if trunk != "resnet101":
        raise MissingDependencyError(f"{path}: MatConvNet files are read for trunk resnet101 only, not {trunk}.")
    try:
        net = loadmat(path, variable_names=["net"], squeeze_me=True, struct_as_record=False)["net"]
        values = {str(p.name): np.asarray(p.value) for p in np.atleast_1d(net.params)}
    except (OSError, ValueError, KeyError, AttributeError, NotImplementedError, MatReadError) as error:
        raise MissingDependencyError(
            f"{path}: not a network that MatConvNet saved ({type(error).__name__}: {error}). Expected a struct `net` "
            f"with `params`, in a file of MATLAB version 5 to 7.2. Fetch it again.\n{WHERE}"
        ) from error
    _check_geometry(path, net)
    weights: dict[str, Tensor] = {}
    names = [*parameter_names(trunk), ("score_res3", "score_res3"), ("score_res4", "score_res4")]
    for ours, theirs in names:
        for suffix, value in _matconvnet_layer(values, theirs):
            weights[f"{ours}.{suffix}"] = value
    if "score4f" in values:  # (4, 4, out, in): the authors' transposed convolution
        weights[UPSAMPLE] = _oihw(values["score4f"])
    mean = _field(net, "meta", "normalization", "averageImage")
    colours = AUTHORS_MEAN if mean is None or np.size(mean) != 3 else tuple(map(float, np.ravel(mean)))
    return weights, Convention((colours[0], colours[1], colours[2]), (1.0, 1.0, 1.0), caffe=True, inclusive=True)


def _matconvnet_layer(values: Mapping[str, NDArray[Any]], name: str) -> Iterable[tuple[str, Tensor]]:
    """(our suffix, tensor) of what a file holds of one convolution or batch normalisation."""
    if (filters := values.get(f"{name}_filter")) is not None:
        yield "weight", _oihw(filters)
    if (scale := values.get(f"{name}_mult")) is not None:
        yield "weight", _vector(scale)
    if (bias := values.get(f"{name}_bias")) is not None:
        yield "bias", _vector(bias)
    if (moments := values.get(f"{name}_moments")) is not None:
        yield "running_mean", _vector(moments[:, 0])
        yield "running_var", _vector(moments[:, 1].astype(np.float64) ** 2 - EPSILON)


def _check_geometry(path: Path, net: Any) -> None:
    """Raise unless strides, padding and templates, where the file has them, are those that the code builds."""
    layers = {str(layer.name): layer.block for layer in np.atleast_1d(_field(net, "layers", default=[]))}
    expected = (
        ("res3a_branch2a", "stride", (2, 2)),
        ("res3a_branch2b", "stride", (1, 1)),
        ("pool1", "pad", (0, 1, 0, 1)),
        ("pool1", "stride", (2, 2)),
    )
    wrong = []
    for name, key, values in expected:
        found = _field(layers.get(name), key)
        if found is None:
            continue
        numbers = np.ravel(found).tolist()
        if (numbers * len(values) if len(numbers) == 1 else numbers) != list(values):  # 2 is short for [2, 2]
            wrong.append(f"{name}.{key} is {numbers}, expected {list(values)}")
    clusters = _field(net, "meta", "clusters")
    if clusters is not None:
        clusters = np.asarray(clusters)
        ours = np.stack([-(WIDTHS - 1) / 2, -(HEIGHTS - 1) / 2, (WIDTHS - 1) / 2, (HEIGHTS - 1) / 2, RESOLUTIONS], 1)
        if clusters.shape != ours.shape or np.abs(clusters - ours).max() > 1e-4:
            wrong.append(f"meta.clusters are not the {NUM_TEMPLATES} templates of RefBox_N25_scaled.mat")
    if wrong:
        raise MissingDependencyError(f"{path}: not the network that the authors published:\n  " + "\n  ".join(wrong))


def _field(struct: Any, *names: str, default: Any = None) -> Any:
    for name in names:
        struct = getattr(struct, name, None)
        if struct is None:
            return default
    return struct


def _oihw(filters: NDArray[Any]) -> Tensor:
    """(height, width, in, out) to (out, in, height, width); MATLAB drops sides of length 1 at the end only."""
    squeezed = filters.reshape(1, 1, *filters.shape) if filters.ndim == 2 else filters  # squeeze_me: 1x1 filters
    return torch.from_numpy(np.ascontiguousarray(squeezed.transpose(3, 2, 0, 1), dtype=np.float32))


def _vector(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.ravel(values), dtype=np.float32))


def _is_bilinear(upsample: Tensor) -> bool:
    """Whether a dense (125, 125, 4, 4) filter is the bilinear one on its diagonal and zero elsewhere."""
    if upsample.shape != (OUTPUTS, OUTPUTS, 4, 4):
        return False
    expected = torch.eye(OUTPUTS)[:, :, None, None] * bilinear_filter()
    return bool((upsample.float() - expected).abs().max() < 1e-4)


def _advice(trunk: str, found: Mapping[str, Tensor]) -> str:
    """What to do about weights that do not fit: the trunk that they do fit, or where to get others."""
    shapes = {k: tuple(v.shape) for k, v in found.items() if not k.endswith(".num_batches_tracked")}
    for other in TRUNKS:
        with torch.device("meta"):
            state = TinyFacesNetwork(other).state_dict()
        needed = {k: tuple(v.shape) for k, v in state.items() if not k.endswith(".num_batches_tracked")}
        if needed == shapes and other != trunk:
            return f"They are the shapes of trunk {other}: write `trunk: {other}`."
    return WHERE


def check_trunk(trunk: str) -> None:
    """Raise `ValueError` for a trunk that is not known."""
    if not isinstance(trunk, str) or trunk not in TRUNKS:
        raise ValueError(f"trunk must be one of {', '.join(TRUNKS)}, got {trunk!r}: {nearest(trunk, TRUNKS)}")


def _size(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return "; ".join(names[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
