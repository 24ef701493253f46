"""Peers' single files, loaded without the packages around them."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path
from types import ModuleType


def load_torchreid_file(file: str) -> ModuleType:
    """Load one file of torchreid that needs NumPy only, such as "metrics/rank.py" or "utils/rerank.py".

    Importing the package would pull in torchvision, gdown, tensorboard and more. Other modules of torchreid that the
    file imports look missing to it (rank.py then uses its Python evaluator; no Cython one is shipped). `sys.modules`
    is left as it was found, and every call returns a fresh module.
    """
    found = importlib.util.find_spec("torchreid")  # finds the folder, imports nothing
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("torchreid is not installed: pip install -r requirements.txt")
    path = Path(found.submodule_search_locations[0]) / "reid" / file
    spec = importlib.util.spec_from_file_location(f"torchreid_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "torchreid"}
    sys.modules["torchreid"] = None  # type: ignore[assignment]  # makes `import torchreid.…` fail
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            spec.loader.exec_module(module)
    finally:
        del sys.modules["torchreid"]
        sys.modules.update(hidden)
    return module
