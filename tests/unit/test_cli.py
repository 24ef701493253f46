"""The command line: exit statuses, messages that say what to do, stamps, and a training that is killed."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dataset_writers import write_folder, write_image, write_market1501

from anonbench import __version__
from anonbench.anonymizers import ANONYMIZERS
from anonbench.anonymizers._contract import CONTRACT
from anonbench.data.pictures import Picture, read_manifest, write_manifest
from anonbench.data.regions import Region, write_regions
from anonbench.datasets import DATASETS
from anonbench.detectors import DETECTORS
from anonbench.ops import plugins
from anonbench.ops.catalog import command_names
from anonbench.stages import ttest as ttest_stage
from anonbench.tasks.reid.models import MODELS

Run = Callable[..., Any]
ROOT = Path(__file__).parents[2]


def index_arguments(root: Path, results: Path, **entry: Any) -> list[object]:
    spec = json.dumps({"format": "market1501", "root": str(root), "expect": "any", **entry})
    return ["index", "--root", root, "--spec", spec, "--output", results / "m.csv", "--dropped", results / "d.csv",
            "--sidecars", results / "s.csv",
            "--splits", results / "splits.csv"]  # fmt: skip


@pytest.fixture
def market(tmp_path: Path) -> Path:
    write_market1501(tmp_path / "market")
    return tmp_path / "market"


# --- what is asked for ---


def test_version_and_help(run_command: Run) -> None:
    assert run_command("--version").output.strip() == f"anonbench {__version__}"
    text = run_command("--help").output
    for command in ("render", "index", "detect", "anonymize", "train", "embed", "evaluate", "table", "ttest", "list"):
        assert command in text


def test_the_installed_command_works() -> None:
    command = Path(sys.executable).parent / "anonbench"
    done = subprocess.run([command, "list", "anonymizers"], capture_output=True, text=True, check=True)
    assert "gaussian_blur" in done.stdout.split()


@pytest.mark.parametrize(
    ("kind", "registry"),
    [("anonymizers", ANONYMIZERS), ("datasets", DATASETS), ("detectors", DETECTORS), ("models", MODELS)],
)
def test_list(kind: str, registry: Any, run_command: Run) -> None:
    outcome = run_command("list", kind)
    assert outcome.status == 0
    lines = [line for line in outcome.output.splitlines() if not line.startswith(" ")]
    assert [line.split()[0] for line in lines] == registry.names()
    assert all(len(line.split()) > 2 for line in lines), "a line of description each"


def test_list_of_all_kinds(run_command: Run) -> None:
    lines = run_command("list").output.splitlines()
    assert [line for line in lines if line.endswith(":") and " " not in line] == [
        "anonymizers:", "datasets:", "detectors:", "models:",
    ]  # fmt: skip
    assert "zero             Black boxes." in lines


def test_what_a_plugin_needs_and_is_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(plugins, "PACKAGES", {"mlfn": ("no_such_package",), "pcb": ("anonbench/none.onnx", "numpy")})
    found = {line.name: line.lacks for line in plugins.describe_plugins("models")}
    file = tmp_path / "hub/checkpoints/mlfn_imagenet.pth"
    pretrained = f"for `pretrained: true` mlfn_imagenet.pth in {file.parent}"
    assert found["mlfn"] == ("package no_such_package, see requirements.txt", pretrained)
    assert found["pcb"][0] == "none.onnx in package anonbench"
    assert found["hacnn"] == ()
    file.parent.mkdir(parents=True)
    file.touch()
    assert {line.name: line.lacks for line in plugins.describe_plugins("models")}["mlfn"][1:] == ()


def test_what_plugins_are_said_to_need_is_what_they_look_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from anonbench.tasks.reid.models import _imagenet

    known = {name for kind in plugins.REGISTRIES for name in plugins.registry_of(kind).names()}
    assert {*plugins.PACKAGES, *plugins.PRETRAINED, *plugins.WEIGHTS} <= known
    assert set(plugins.PRETRAINED.values()) == {Path(_imagenet.RESNET50_URL).name, _imagenet.MLFN_FILE}
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    for variable in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv("TORCH_HOME", raising=False)
        monkeypatch.setenv(variable, str(tmp_path))
        assert plugins.weights_folder() == _imagenet.cache_folder()


PLUGIN = """
from dataclasses import dataclass
import numpy as np
from anonbench.anonymizers import ANONYMIZERS

@ANONYMIZERS.register("forgetful")
@dataclass(frozen=True)
class Forgetful:
    def redact(self, image, region, rng):
        x0, y0, x1, y1 = region.pixels
        patch = np.zeros((y1 - y0, x1 - x0, 3), np.uint8)
        patch[-1] = image[y1 - 1, x0:x1]
        return patch
"""


def test_plugins_are_listed_and_held_against_the_contract(run_command: Run, write_plugin: Callable) -> None:
    write_plugin("forgetful_module", PLUGIN)
    assert "forgetful" in run_command("list", "anonymizers", "--plugins", '["forgetful_module"]').output.split()
    outcome = run_command("check", "anonymizer", "forgetful", "--plugins", '["forgetful_module"]')
    assert outcome.status == 2
    assert outcome.errors.startswith("anonbench check: anonymizer 'forgetful' breaks its contract: changes every row")
    assert "row 26 is left as it was" in outcome.errors


def test_check_prints_what_was_checked(run_command: Run) -> None:
    outcome = run_command("check", "anonymizer", "pixelate", "--spec", '{"n": 4}')
    assert outcome.status == 0
    assert outcome.output.count("ok: ") == len(CONTRACT.promises)


def test_check_config(run_command: Run, tmp_path: Path) -> None:
    default = ROOT / "config/default.yaml"
    assert run_command("check-config", default, ROOT / "config/test.yaml").output == (
        "config: every key and every name is known\n"
    )
    (tmp_path / "mine.yaml").write_text("variants: {blur: {sigma_rell: 0.5}}\n")
    outcome = run_command("check-config", default, tmp_path / "mine.yaml")
    assert outcome.status == 2
    assert "mine.yaml: variants.blur: anonymizer 'gaussian_blur' has no parameter 'sigma_rell': did you mean" in (
        outcome.errors
    )
    outcome = run_command("check-config", tmp_path / "gone.yaml")
    assert outcome.status == 2
    assert "gone.yaml: cannot be read" in outcome.errors


def test_check_config_says_what_an_overlay_can_be_used_over(run_command: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("models: {pcb: {recipe: torchreid}}\n")
    outcome = run_command("check-config", tmp_path / "mine.yaml")
    assert "models.pcb.recipe names 'torchreid'" in outcome.errors
    add = f"Over config/paper.yaml it can be used: anonbench check-config config/paper.yaml {tmp_path / 'mine.yaml'}\n"
    assert outcome.errors.endswith(add)
    assert run_command("check-config", "config/paper.yaml", tmp_path / "mine.yaml").status == 0


# --- completion ---


def test_bash_completes_commands_options_kinds_and_files(run_command: Run, tmp_path: Path) -> None:
    (tmp_path / "complete.bash").write_text(run_command("completion", "bash").output)
    (tmp_path / "my.yaml").touch()
    asked = {
        "ver": "verify", "list mo": "models", "check det": "detector", "add-data mar": "market1501",
        "verify --js": "--json", "detect --dev": "--device", "detect --device cu": "cuda",
        "check-config m": "my.yaml", "completion z": "zsh",
    }  # fmt: skip
    lines = ["source complete.bash"]
    for words in asked:
        lines.append(f"COMP_WORDS=(anonbench {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=()")
        lines.append('_shtab_anonbench; echo "${COMPREPLY[*]}"')
    done = subprocess.run(["bash", "-c", "\n".join(lines)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == list(asked.values())


def test_zsh_and_shells_that_are_not_known(run_command: Run) -> None:
    script = run_command("completion", "zsh").output
    assert script.startswith("#compdef anonbench")
    for name in command_names():
        assert f"{name.replace('_', '-')}:'" in script
    refused(run_command("completion", "fish"), "unknown shell 'fish'", "Known: bash, zsh")


# --- what goes wrong ---


def refused(outcome: Any, *parts: str) -> None:
    """Exit status 2 with one message on stderr and no traceback."""
    assert outcome.status == 2, outcome
    for part in parts:
        assert part in outcome.errors
    assert "Traceback" not in outcome.errors
    assert outcome.output == ""


def test_a_truncated_jpeg(market: Path, run_command: Run, tmp_path: Path) -> None:
    victim = sorted((market / "query").glob("0*.jpg"))[0]
    victim.write_bytes(victim.read_bytes()[:200])
    outcome = run_command(*index_arguments(market, tmp_path / "results"))
    refused(outcome, f"anonbench index: {victim}: not a readable image (200 bytes", "fetch it again from the dataset's")
    assert not list((tmp_path / "results").glob("*.csv"))


@pytest.mark.parametrize(("split", "folder"), [("train", "bounding_box_train"), ("query", "query")])
def test_an_empty_split(split: str, folder: str, market: Path, run_command: Run, tmp_path: Path) -> None:
    for image in (market / folder).glob("*.jpg"):
        image.unlink()
    refused(run_command(*index_arguments(market, tmp_path)), str(market), split)


def test_a_missing_dataset(run_command: Run, tmp_path: Path) -> None:
    outcome = run_command(*index_arguments(tmp_path / "gone", tmp_path))
    refused(outcome, f"{tmp_path / 'gone'}: no such folder", "bounding_box_train", "http")


def test_unknown_names(market: Path, run_command: Run, tmp_path: Path) -> None:
    outcome = run_command(*index_arguments(market, tmp_path, format="market-1501"))
    refused(outcome, "unknown dataset format 'market-1501': did you mean 'market1501'?")
    outcome = run_command(*index_arguments(market, tmp_path, expcet="any"))
    refused(outcome, "has no option 'expcet': did you mean 'expect'?")
    spec = {"method": "bott", "input": [64, 64], "pretrained": False, "training": {"epochs": 0}}
    outcome = run_command("train", "--manifest", tmp_path / "m.csv", "--root", market, "--spec", json.dumps(spec),
                          "--seed", 0, "--output", tmp_path / "m.pt", "--history", tmp_path / "h.csv", "--resume-dir",
                          tmp_path / "r", "--device", "cpu")  # fmt: skip
    refused(outcome, "anonbench train: unknown model 'bott': did you mean 'bot'? Known: agw, bot, hacnn")


def test_a_results_folder_that_cannot_be_written_to(market: Path, run_command: Run, tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file where the results folder should be")
    outcome = run_command(*index_arguments(market, tmp_path / "results"))
    refused(outcome, f"{tmp_path / 'results/m.csv'}: cannot be written", "There is a file where a folder is needed")


def test_no_permission(market: Path, run_command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "write_text", refuse)
    outcome = run_command(*index_arguments(market, tmp_path / "results"))
    refused(outcome, "m.csv: cannot be written (Permission denied", "Check who owns its folder")


def test_a_detections_file_that_was_cut_off(run_command: Run, tmp_path: Path) -> None:
    write_folder(tmp_path / "raw")
    spec = json.dumps({"format": "folder", "root": str(tmp_path / "raw")})
    assert run_command("index", "--root", tmp_path / "raw", "--spec", spec, "--output", tmp_path / "m.csv", "--dropped",
                       tmp_path / "d.csv", "--sidecars", tmp_path / "s.csv", "--splits",
                       tmp_path / "splits.csv").status == 0  # fmt: skip
    paths = [i.path for i in read_manifest(tmp_path / "m.csv")]
    write_regions(tmp_path / "boxes.csv", {p: [Region((1, 1, 5, 5), score=0.5)] for p in paths})
    whole = (tmp_path / "boxes.csv").read_bytes()
    (tmp_path / "boxes.csv").write_bytes(whole[: len(whole) // 2])
    entry = json.dumps({"method": "zero", "detector": "d", "box_scale": 1.0, "jpeg_quality": 95})
    outcome = run_command("anonymize", "--manifest", tmp_path / "m.csv", "--detections", tmp_path / "boxes.csv",
                          "--root", tmp_path / "raw", "--sidecars", tmp_path / "s.csv", "--spec", entry, "--output",
                          tmp_path / "out", "--output-manifest", tmp_path / "out.csv")  # fmt: skip
    refused(outcome, "boxes.csv")
    assert not (tmp_path / "out").exists()


def test_a_feature_file_that_was_cut_off(run_command: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", features=np.zeros((9, 9)))
    (tmp_path / "f.npz").write_bytes((tmp_path / "f.npz").read_bytes()[:300])
    features = tmp_path / "f.npz"
    outcome = run_command("evaluate", "--query", features, "--gallery", features, "--spec", "{}", "--labels", "{}",
                          "--output", tmp_path / "m.json", "--queries", tmp_path / "q.csv")  # fmt: skip
    refused(outcome, "f.npz: not a complete feature file", "Delete it and embed again")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["index", "--root", "x", "--spec", "{broken"],
            "argument --spec: '{broken' is neither JSON (Expecting",
        ),
        (["index", "--rot", "x"], "unknown option '--rot': did you mean '--root'?"),
        (["idnex"], "unknown command 'idnex': did you mean 'index'?"),
        (["detect", "--device", "gpu"], "invalid choice: 'gpu': did you mean 'cpu'? Known: auto, cpu, cuda"),
        (["list", "everything"], "unknown kind 'everything': Known: anonymizers, datasets, detectors, models"),
        (["ttest", "--tables", "a.csv", "--output", "b.csv", "--threads", "0"], "'0' is not a whole number from 1 on"),
        (["ttest", "--tables", "a.csv", "--output", "b.csv", "--threads", "two"], "'two' is not a whole number from 1"),
        ([], "usage: anonbench COMMAND [OPTIONS]"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str, run_command: Run) -> None:
    outcome = run_command(*arguments)
    assert outcome.status == 2
    assert message in outcome.errors


def test_a_bug_keeps_its_traceback(run_command: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def bug(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ttest_stage, "ttest", bug)
    with pytest.raises(ZeroDivisionError):
        run_command("ttest", "--tables", tmp_path / "a.csv", "--output", tmp_path / "b.csv")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_job_cleans_up(
    number: int, run_command: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from anonbench.core.files import atomic_folder

    def work(**_: object) -> None:
        with atomic_folder(tmp_path / "out") as folder:
            (folder / "half").touch()
            os.kill(os.getpid(), number)
            time.sleep(5)

    monkeypatch.setattr(ttest_stage, "ttest", work)
    outcome = run_command(
        "ttest", "--tables", tmp_path / "a.csv", "--output", tmp_path / "b.csv", "--stamp", tmp_path / "s"
    )
    assert outcome.status == 130
    assert outcome.errors == "anonbench ttest: interrupted; unfinished outputs were removed.\n"
    assert list(tmp_path.iterdir()) == []


# --- stamps and threads ---


def test_a_stamp_holds_the_hashes_of_inputs_and_outputs(run_command: Run, tmp_path: Path) -> None:
    published = [ROOT / f"config/published/reid_faces/table{n}.csv" for n in (3, 4)]
    outcome = run_command("ttest", "--tables", *published, "--output", tmp_path / "t.csv", "--stamp",
                          tmp_path / "stamps/t.json", "--code", "0123456789ab")  # fmt: skip
    assert outcome.status == 0, outcome.errors
    stamp = json.loads((tmp_path / "stamps/t.json").read_text())
    assert stamp["stage"] == "ttest"
    assert stamp["code"] == "0123456789ab"
    assert stamp["inputs"] == {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in published}
    assert stamp["outputs"] == {str(tmp_path / "t.csv"): hashlib.sha256((tmp_path / "t.csv").read_bytes()).hexdigest()}
    assert stamp["seconds"] >= 0


def test_a_stamp_of_a_stage_with_folders_and_settings(market: Path, run_command: Run, tmp_path: Path) -> None:
    arguments = [*index_arguments(market, tmp_path), "--stamp", tmp_path / "stamp.json"]
    assert run_command(*arguments).status == 0
    stamp = json.loads((tmp_path / "stamp.json").read_text())
    assert stamp["inputs"] == {str(market): None}
    assert stamp["settings"]["spec"]["format"] == "market1501"


def test_a_failed_command_leaves_no_stamp(market: Path, run_command: Run, tmp_path: Path) -> None:
    arguments = [*index_arguments(tmp_path / "gone", tmp_path), "--stamp", tmp_path / "stamp.json"]
    assert run_command(*arguments).status == 2
    assert not (tmp_path / "stamp.json").exists()


def test_threads_are_told_to_the_libraries_before_they_load(run_command: Run, tmp_path: Path) -> None:
    run_command("ttest", "--tables", tmp_path / "a.csv", "--output", tmp_path / "b.csv", "--threads", "3")
    assert {os.environ[f"{library}_NUM_THREADS"] for library in ("OMP", "OPENBLAS", "MKL")} == {"3"}


# --- a training that is killed ---

SPEC = {
    "method": "hacnn",  # the smallest: 3 million parameters
    "input": [160, 64],
    "pretrained": False,
    "training": {"epochs": 5, "batch_size": 8, "precision": "fp32"},
    "evaluation": {"metric": "euclidean"},
}


@pytest.mark.slow
def test_a_killed_training_goes_on_from_its_last_epoch_to_the_same_weights(tmp_path: Path) -> None:
    rows = []
    for n in range(16):
        path = f"{n}.png"
        write_image(tmp_path / path, n, 20, 40)
        rows.append(
            Picture(path, "train", 20, 40, hashlib.sha256(path.encode()).hexdigest(), {"pid": 1 + n // 4, "camid": 1})
        )
    write_manifest(tmp_path / "m.csv", rows)

    def command(name: str) -> list[str]:
        folder = tmp_path / name
        arguments = ["train", "--manifest", tmp_path / "m.csv", "--root", tmp_path, "--spec", json.dumps(SPEC),
                     "--seed", 3, "--output", folder / "model.pt", "--history", folder / "history.csv", "--resume-dir",
                     folder / "resume", "--device", "cpu", "--threads", 1]  # fmt: skip
        return [sys.executable, "-m", "anonbench.cli", *map(str, arguments)]

    undisturbed = subprocess.run(command("whole"), capture_output=True, text=True, check=False)
    assert undisturbed.returncode == 0, undisturbed.stderr
    assert "epoch 5/5" in undisturbed.stderr, "a log shows the epochs"

    state = tmp_path / "killed/resume/state.pt"
    with subprocess.Popen(command("killed"), stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not state.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed/model.pt").exists()

    again = subprocess.run(command("killed"), capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "continuing after epoch" in again.stderr
    weights = [torch.load(tmp_path / f"{n}/model.pt", weights_only=True)["weights"] for n in ("whole", "killed")]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    with (tmp_path / "killed/history.csv").open(newline="") as stream:
        assert [row["epoch"] for row in csv.DictReader(stream)] == ["1", "2", "3", "4", "5"]
    assert not state.exists(), "nothing is kept of a training that has ended"
