"""`anonbench check anonymizer`: the contract of the tests, for plug-ins from outside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from anonbench.errors import ConfigError
from anonbench.registry import ANONYMIZERS, load_plugins
from anonbench.stages.check import BOXES, check_anonymizer

CODE = """
from dataclasses import dataclass
import numpy as np
from anonbench.registry import ANONYMIZERS

@ANONYMIZERS.register("outside")
@dataclass(frozen=True)
class Outside:
    shade: int = 0

    def redact(self, image, box, rng):
        x0, y0, x1, y1 = box
        patch = np.full((y1 - y0, x1 - x0, 3), self.shade, np.uint8)
        {change}
        return patch
"""


@pytest.mark.parametrize("name", ANONYMIZERS.names())
def test_ours_pass(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    check_anonymizer(name, {})
    assert capsys.readouterr().out.splitlines() == [f"ok: {what}" for what in BOXES]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("patch[-1] = image[y1 - 1, x0:x1]", r"on a box inside the image \(6, 5, 18, 19\): row 18 is left as it was"),
        ("patch[:, 0] = image[y0:y1, x0]", r"on a box inside the image .*: column 6 is left as it was"),
        ("patch = image[y0:y1, x0:x1].copy()", "row 5 is left as it was"),
        ("patch[-1] = image[y1 - 1, x0:x1] if y1 == len(image) else 0", "a box in the lower right corner .*: row 39"),
        (
            "patch = np.random.default_rng().integers(1, 255, patch.shape, np.uint8)",
            "give different results; draw from",
        ),
        ("patch = patch[1:]", "fails on a box inside the image"),
        ("patch = patch.astype(float)", "fails on a box inside the image"),
        ("patch = patch[..., 0]", "fails on a box inside the image"),
    ],
)
def test_a_broken_promise_is_named(change: str, message: str, write_plugin: Callable[[str, str], Path]) -> None:
    write_plugin("outside_module", CODE.format(change=change))
    load_plugins(["outside_module"])
    with pytest.raises(ConfigError, match=rf"^anonymizer 'outside' .*{message}"):
        check_anonymizer("outside", {})


def test_a_good_one_passes_with_its_parameters(
    write_plugin: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    write_plugin("outside_module", CODE.format(change="pass"))
    load_plugins(["outside_module"])
    check_anonymizer("outside", {"shade": 255})
    assert capsys.readouterr().out.count("ok: ") == 5
    with pytest.raises(ConfigError, match=r"anonymizer 'outside' has no parameter 'shad': did you mean 'shade'\?"):
        check_anonymizer("outside", {"shad": 255})
