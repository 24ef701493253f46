"""The one place that touches torchreid: its architecture files, without the rest of the package.

`import torchreid` loads torchvision, tensorboard and gdown, and torchvision's PyPI wheel cannot be imported beside a
CPU-only torch (its compiled operators link CUDA's libraries). The five architectures need none of that: each is one
file that imports torch alone. So these files are loaded by their path inside the installed package, which works with
every build of torch.

Traps of torchreid 0.2.5 (code of version 1.4.0) that callers avoid:

- `pretrained=True` is the default and downloads.
- HACNN's `use_gpu=True` is the default and calls `.cuda()`.
- With `loss="softmax"` the features are not returned.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from anonbench.core.errors import MissingDependencyError
from anonbench.tasks.reid.models._network import InputSize, ReidNetwork, TrainingOutput


@functools.cache
def architecture_module(name: str) -> ModuleType:
    """The module `torchreid/reid/models/{name}.py`.

    Raises `MissingDependencyError` when torchreid is not installed or keeps its architectures elsewhere.
    """
    package = importlib.util.find_spec("torchreid")  # finds, does not import
    folders = list(package.submodule_search_locations or ()) if package else []
    path = next((p for f in folders if (p := Path(f) / "reid" / "models" / f"{name}.py").is_file()), None)
    if path is None:
        raise MissingDependencyError(
            f"model '{name}' needs torchreid 0.2.5, found {folders[0] if folders else 'no torchreid at all'} "
            f"without reid/models/{name}.py. Install it: pip install torchreid==0.2.5"
        )
    qualified = f"{__name__}.{name}"
    spec = importlib.util.spec_from_file_location(qualified, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[qualified] = module
    spec.loader.exec_module(module)
    return module


class TorchreidNetwork(ReidNetwork):
    """A torchreid architecture, built with `loss="triplet"`, behind our contract.

    In that mode the architectures return (logits, features) in training, either of which may be a tuple: the heads of
    PCB and HACNN, and HACNN's global and local features, which are concatenated here.
    """

    def __init__(self, architecture: nn.Module, feature_dim: int, input_size: InputSize | None = None) -> None:
        super().__init__(feature_dim, input_size)
        self.architecture = architecture

    def forward(self, images: Tensor) -> TrainingOutput | Tensor:
        output = self.architecture(images)
        if not self.training:
            return output  # (B, D)
        logits, features = output
        heads = tuple(logits) if isinstance(logits, tuple | list) else (logits,)
        if isinstance(features, tuple | list):
            features = torch.cat(tuple(features), dim=1)
        return TrainingOutput(heads, features)


def return_contiguous(module: nn.Module) -> None:
    """Make a submodule return row-major memory: torchreid flattens its output with `.view`, which channels_last breaks.

    `.view` of a channels_last map raises; a copy of the small pooled map costs nothing.
    """
    module.register_forward_hook(lambda _module, _inputs, output: output.contiguous())
