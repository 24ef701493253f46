"""Networks and interrupted trainings on disk, written atomically and read without running code from the file."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from anonbench.core.errors import TrainingError
from anonbench.core.files import atomic_file
from anonbench.core.hashing import file_sha256

logger = logging.getLogger(__name__)
FORMAT = 1  # of network files; raise it when their keys change
Network = TypeVar("Network", bound=nn.Module)


def save_network(path: Path, network: nn.Module, description: Mapping[str, Any]) -> None:
    """Write a network's weights with a description: whatever rebuilds it, of texts, numbers, lists and mappings."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write(path, {"format": FORMAT, **description, "weights": weights})


def origin(trained_on: str, manifest: Path) -> dict[str, Any]:
    """What a network was trained on, for its description. Its file says so wherever it goes, and whatever its name is.

    trained_on: DATASET/VARIANT, "" where nobody says so.
    manifest: of the pictures (CSV); its hash tells them from others of the same name.
    """
    return {"trained_on": {"pictures": trained_on, "manifest_sha256": file_sha256(manifest)}}


def read_origin(path: Path) -> dict[str, str]:
    """What a file says of the pictures that its network was trained on: pictures, manifest_sha256; {} for nothing.

    Raises `TrainingError` for a file that is missing or damaged.
    """
    try:
        found: dict[str, str] = _read(path, torch.device("cpu")).get("trained_on", {})
    except Exception as error:  # torch.load raises whatever its parsers meet in a damaged file
        raise TrainingError(f"{path}: not a checkpoint that can be read ({type(error).__name__}: {error}).") from error
    return found


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file atomically. Raises `DataError` when the disk is full."""
    # Through a stream: given a path, torch writes that (temporary) name into the file: equal weights, other bytes.
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        try:
            torch.save(content, stream)
        except RuntimeError as error:  # torch's writer, at the next step after the system has refused one
            if isinstance(error.__context__, OSError):
                raise error.__context__ from error
            raise


def _read(path: Path, device: torch.device) -> dict[str, Any]:
    """The content of a file by `write`; raises whatever its parsers meet in a damaged one."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()  # torch does not compare the checksums: one wrong bit would become a wrong weight
    if damaged:
        raise ValueError(f"{damaged} in it is damaged")
    content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return content


def load_network(
    path: Path, build: Callable[[Mapping[str, Any]], Network], stage: str = "train"
) -> tuple[Network, dict[str, Any]]:
    """The network of a file by `save_network`, on the CPU in eval mode, and its description.

    build: makes the network of a description. Its weights are replaced at once.
    stage: the command that writes such files, for messages.

    Raises `TrainingError` when the file is missing, damaged, or of another architecture than the code now builds.
    """
    try:
        content = _read(path, torch.device("cpu"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}, expected {FORMAT}")
        with torch.random.fork_rng(devices=[]):  # building draws weights
            network = build(content)
        network.load_state_dict(content.pop("weights"))
    except FileNotFoundError as error:
        raise TrainingError(f"{path}: there is no such checkpoint. Run the stage `{stage}` that writes it.") from error
    except Exception as error:
        # torch.load raises whatever its parsers meet in a damaged file
        raise TrainingError(
            f"{path}: not a checkpoint that this version can load ({type(error).__name__}: {error}). "
            f"Remove the file and train again: `snakemake` with its path as target."
        ) from error
    return network.eval(), content


def key_of(*parts: Any) -> str:
    """The key of a training's saved state: what such a state must have in common with it, and the version of torch.

    parts: as JSON can write them: settings, seed, data, code.
    """
    text = json.dumps([*parts, torch.__version__], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Resume:
    """Where a training keeps its state, so that a killed one is resumed from its last saved epoch.

    folder: outside the outputs of a rule, since the workflow removes those of a failed job.
    key: identifies recipe, data, seed and code. A state with another key is not used.
    share: of the time spent on training that saving may take: 0.05 = 5 %. A state is three times the weights
        (1.6 GB for MuDeep), so that networks with short epochs are not saved after every one.
    """

    folder: Path
    key: str
    share: float = 0.05

    @property
    def file(self) -> Path:
        return self.folder / "state.pt"

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """The saved state, or None when there is none to use. Logs why a state is not used."""
        if not self.file.exists():
            return None
        try:
            state = _read(self.file, device)
            key = state["key"]
        except Exception as error:  # whatever is wrong with the file, a training from the start replaces it
            logger.warning(
                "%s: cannot be read (%s: %s); training starts afresh.", self.file, type(error).__name__, error
            )
            return None
        if key != self.key:
            logger.warning(
                "%s: belongs to another recipe, data set, seed or version of the code; training starts afresh.",
                self.file,
            )
            return None
        return state

    def save(self, state: Mapping[str, Any]) -> float:
        """Write the state. Returns the seconds it took."""
        started = time.perf_counter()
        write(self.file, {"key": self.key, **state})
        return time.perf_counter() - started

    def remove(self) -> None:
        """Forget the state of a training that has ended.

        The folder may outlive it for a while: NFS keeps a file that is open, such as mapped images, under another name.
        """
        self.file.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
