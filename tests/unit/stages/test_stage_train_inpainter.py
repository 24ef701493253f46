"""The stage train_inpainter, on scenes on disk: what it learns, writes, resumes and refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from inpainting_files import write_scenes

from anonbench.core.errors import ConfigError, DataError, TrainingError
from anonbench.data.images import read_image
from anonbench.data.regions import read_regions
from anonbench.stages.train_inpainter import train_inpainter
from anonbench.tasks.inpainting.crops import choose_crops, load_crops
from anonbench.tasks.inpainting.recipe import InpaintingRecipe
from anonbench.tasks.inpainting.samples import withheld_sheet
from anonbench.tasks.inpainting.training import InpaintingTask
from anonbench.training.fit import fit
from anonbench.training.inpainter import load_inpainter

SPEC: dict[str, Any] = {
    "network": {"size": [24, 16], "levels": 2, "width": 8, "z": 8, "style": 16},
    "epochs": 2, "crops_per_epoch": 32, "batch_size": 8, "discriminator_width": 8, "least_px": 4, "centres": 3,
    "precision": "fp32",
}  # fmt: skip
FILES = ("generator.pt", "history.csv", "samples.png")


def train(folder: Path, scenes: Path, spec: dict[str, Any] | None = None, **more: Any) -> Path:
    manifest, root, detections = scenes / "manifest.csv", scenes / "pictures", scenes / "bodies.csv"
    output, history, samples = (folder / file for file in FILES)
    values = {"spec": {**SPEC, **(spec or {})}, "seed": 1, "people": "drawn", "resume_dir": folder / "resume", **more}
    train_inpainter(manifest, root, detections, output=output, history=history, samples=samples, **values)
    return folder


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder)
    return folder


def test_it_writes_a_generator_its_history_and_samples(scenes: Path, tmp_path: Path, capsys: Any) -> None:
    made = train(tmp_path, scenes)
    network, styles, about = load_inpainter(made / "generator.pt")
    assert network.settings.size == (24, 16)
    assert styles.centres.shape == (3, 16)
    assert about == {"seed": 1, "crops": 16, "epochs": 2}, "9 pictures for training, of which 1 is held out"
    history = pd.read_csv(made / "history.csv")
    assert list(history) == ["epoch", *InpaintingTask.values, "lr", "images_per_second", "seconds"]
    assert history[["generator", "discriminator", "l1", "distance"]].notna().all().all()
    sheet = read_image(made / "samples.png")
    assert sheet.shape[0] > 2 * 24
    assert not (made / "resume").exists()
    assert "16 crops of 8 pictures, 2 held out to judge by" in capsys.readouterr().out


def test_a_training_that_was_stopped_ends_as_an_undisturbed_one(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in its second epoch; fp32, one thread."""
    whole = train(tmp_path / "whole", scenes)
    step, calls = InpaintingTask.step, []

    def stopping(task: InpaintingTask, *arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return step(task, *arguments)

    monkeypatch.setattr("anonbench.training.checkpoint.Resume.share", 1e9, raising=False)
    monkeypatch.setattr("anonbench.training.fit.SAVE_BYTES_PER_SECOND", 1e18)
    monkeypatch.setattr(InpaintingTask, "step", stopping)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "half", scenes)
    assert (tmp_path / "half" / "resume" / "state.pt").exists()
    half = train(tmp_path / "half", scenes)
    assert len(calls) == 6 + 4, "the first epoch was not done again"
    assert (whole / "generator.pt").read_bytes() == (half / "generator.pt").read_bytes()


def test_real_people_are_shown_on_request_alone(scenes: Path, tmp_path: Path) -> None:
    spec = {"epochs": 0}
    hidden = train(tmp_path / "hidden", scenes, spec, people="withheld")
    np.testing.assert_array_equal(read_image(hidden / "samples.png"), withheld_sheet())
    shown = read_image(train(tmp_path / "shown", scenes, spec, people="real") / "samples.png")
    drawn = read_image(train(tmp_path / "drawn", scenes, spec) / "samples.png")
    assert shown.shape[0] > drawn.shape[0] > 100, "a line more: the warning"
    with pytest.raises(ConfigError, match="people is 'all'; expected one of drawn, real, withheld"):
        train(tmp_path / "all", scenes, spec, people="all")


def test_the_distance_falls_and_people_get_their_colours(scenes: Path) -> None:
    """Discs that are red on the left and blue on the right of a picture: 96 steps, in fp32."""
    spec = {
        **SPEC, "epochs": 3, "crops_per_epoch": 256, "optimizer": {"lr": 0.002}, "l1": 2.0, "average": 0.95,
        "batch_size": 8, "held_out": 0.4, "flip": 0.0,
    }  # fmt: skip
    recipe = InpaintingRecipe.from_config(spec)
    regions = read_regions(scenes / "bodies.csv")
    wanted = choose_crops(regions, "body", 4, 100, seed=0)
    crops, judged = (load_crops(scenes / "pictures", part, regions, recipe.network, 1) for part in (wanted, wanted[:6]))
    task = InpaintingTask(crops, judged, recipe)
    history = fit(task, recipe.epochs, seed=0)
    distances = [row.values["distance"] for row in history]
    assert distances[-1] < 0.5 * distances[0]


def test_values_that_are_not_finite_stop_it_with_advice(scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"Lower optimizer.lr .*, or raise r1"):
        train(tmp_path, scenes, {"optimizer": {"lr": 1e30}, "crops_per_epoch": 200})


def test_inputs_that_do_not_belong_together_are_refused(scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 0 regions of kind 'face'"):
        train(tmp_path, scenes, {"network": {"kind": "face", "size": [16, 16], "levels": 2}})
    other = tmp_path / "other"
    write_scenes(other)
    rows = (other / "bodies.csv").read_text().splitlines(keepends=True)
    (other / "bodies.csv").write_text("".join(row for row in rows if not row.startswith("03")))
    with pytest.raises(DataError, match=r"does not belong to .*: 03.png is not in it"):
        train(tmp_path, other)
