"""What several test files share: rendered people, the command line in this process, plug-ins from outside."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from anonbench.core.parallel import THREAD_SETTINGS

if "PYTEST_XDIST_WORKER" in os.environ:  # one process of several: each has a core, as two jobs of the workflow have
    os.environ.update(dict.fromkeys(THREAD_SETTINGS, "1"))

from anonbench.anonymizers import ANONYMIZERS
from anonbench.cli import main
from anonbench.data.images import RGB
from anonbench.datasets import DATASETS
from anonbench.detectors import DETECTORS
from anonbench.rendered import CropPlan, RenderSpec, Studio
from anonbench.tasks.reid.models import MODELS


@pytest.fixture(scope="session")
def rendered_crops() -> list[RGB]:
    """Rendered people seen from the front, (256, 128, 3): their faces are large enough to be found as they are."""
    studio = Studio(RenderSpec(seed=11, height_px=256, width_px=128, occluder_share=0.0, bystander_share=0.0))
    return [studio.draw(CropPlan(f"query/{n}.jpg", 1, 1 + n, n), view="front").image for n in range(4)]


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit status and what it wrote to stdout and stderr."""

    status: int
    output: str
    errors: str


@pytest.fixture
def run_command(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Outcome]]:
    """Runs `anonbench` with some arguments in this process; what it changes in the process is taken back."""
    environment, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        try:
            status = main([str(a) for a in arguments])
        except SystemExit as stop:  # argparse
            status = int(stop.code or 0)
        text = capfd.readouterr()
        return Outcome(status, text.out, text.err)

    yield run
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def write_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Path]]:
    """Writes a module that can be imported during the test; what it registers is forgotten afterwards."""
    folder = tmp_path / "outside"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    written = []

    def write(module: str, code: str) -> Path:
        written.append(module)
        (folder / f"{module}.py").write_text(code, encoding="utf-8")
        return folder / f"{module}.py"

    yield write
    for registry in (ANONYMIZERS, DATASETS, DETECTORS, MODELS):
        for key in [key for key, plugin in registry._entries.items() if plugin.__module__ in written]:
            del registry._entries[key]
    for module in written:
        sys.modules.pop(module, None)


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_works() -> None:
    """A shell starts background jobs with Ctrl-C ignored, and their children inherit it; the tests send it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
