"""The examples of docs/add-your-own.md and of the README's own anonymizer: written to files, run as they are shown."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from dataset_writers import write_image

from anonbench.anonymizers import ANONYMIZERS
from anonbench.anonymizers import _contract as anonymizer
from anonbench.config import merge
from anonbench.core.command import read_declaration
from anonbench.core.contract import Contract
from anonbench.data.images import read_image
from anonbench.data.pictures import read_manifest
from anonbench.data.regions import Region, read_regions
from anonbench.datasets import DATASETS
from anonbench.datasets import _contract as dataset
from anonbench.detectors import DETECTORS
from anonbench.detectors import _contract as detector
from anonbench.tasks.reid.models import MODELS
from anonbench.tasks.reid.models import _contract as model

ROOT = Path(__file__).parents[2]
KINDS = {"anonymizer": ANONYMIZERS, "detector": DETECTORS, "model": MODELS, "dataset": DATASETS}
CONTRACTS: dict[str, Contract] = {
    "anonymizer": anonymizer.CONTRACT,
    "detector": detector.CONTRACT,
    "model": model.CONTRACT,
    "dataset": dataset.CONTRACT,
}
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def document(name: str) -> str:
    """A page of the docs, or the README's section about one's own anonymizer."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return text.partition("## Your own anonymizer\n")[2].partition("\n## ")[0] if name == "README.md" else text


@dataclass(frozen=True)
class Examples:
    """What a document shows: files by their name (the comment in their first line), and the lines of its commands."""

    files: dict[str, str]
    commands: list[str]


def read_examples(name: str) -> Examples:
    files, commands = {}, []
    for language, code in FENCE.findall(document(name)):
        if language == "sh":
            commands += [line for line in code.splitlines() if line.strip()]
        else:
            first = code.splitlines()[0]
            assert re.fullmatch(rf"# \w+\.{'py' if language == 'python' else language}", first), f"{name}: {first}"
            files[first[2:]] = code
    return Examples(files, commands)


EXAMPLES = {name: read_examples(name) for name in ("docs/add-your-own.md", "README.md")}
COMMANDS = [(name, line) for name, examples in EXAMPLES.items() for line in examples.commands]


def commands(program: str, *words: str) -> list[tuple[str, str]]:
    return [(n, line) for n, line in COMMANDS if shlex.split(line)[: 1 + len(words)] == [program, *words]]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each document with the files that it shows, the default config and a dataset in its layout."""
    written = {}
    for name, examples in EXAMPLES.items():
        folder = tmp_path_factory.mktemp(name.rpartition("/")[2].partition(".")[0])
        for file, code in examples.files.items():
            (folder / file).write_text(code, encoding="utf-8")
        (folder / "config").symlink_to(ROOT / "config")
        for number, path in enumerate(
            f"{side}/cam{camera}/{pid:04d}_{image:04d}.jpg"
            for side, pids in (("train", (2, 7, 11)), ("test", (1, 3)))
            for pid in pids
            for camera in (1, 2)
            for image in (1, 2)
        ):
            write_image(folder / "data/raw/my_people" / path, number, width=16, height=32)
        (folder / "data/weights").mkdir()
        torch.save(torch.nn.Linear(3, 3).state_dict(), folder / "data/weights/tint.pt")
        written[name] = folder
    return written


@pytest.fixture
def at(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Go to a document's folder, as its reader does; what its plug-ins register is forgotten afterwards."""

    def go(name: str) -> None:
        monkeypatch.chdir(folders[name])
        monkeypatch.syspath_prepend(folders[name])

    yield go
    modules = {Path(file).stem for examples in EXAMPLES.values() for file in examples.files}
    for registry in KINDS.values():
        for key in [key for key, plugin in registry._entries.items() if plugin.__module__ in modules]:
            del registry._entries[key]
    for module in modules:
        sys.modules.pop(module, None)


def test_every_kind_is_shown() -> None:
    assert {shlex.split(line)[2] for _, line in commands("anonbench", "check")} == set(KINDS)
    assert {shlex.split(line)[0] for _, line in COMMANDS} == {"anonbench", "export", "snakemake"}
    assert all(line == "export PYTHONPATH=$PWD" for _, line in commands("export"))


@pytest.mark.parametrize(("name", "line"), commands("anonbench"))
def test_the_commands_succeed(name: str, line: str, at: Callable[[str], None], run_command: Callable) -> None:
    at(name)
    _, *arguments = shlex.split(line, comments=True)
    done = run_command(*arguments)
    assert done.status == 0, done.errors
    if arguments[0] == "check":
        assert done.output.count("ok: ") == len(CONTRACTS[arguments[1]].promises)


def test_every_file_is_used_by_a_command() -> None:
    for name, examples in EXAMPLES.items():
        listed = [
            m for f, code in examples.files.items() if f.endswith(".yaml") for m in yaml.safe_load(code)["plugins"]
        ]
        assert sorted(f"{m}.py" for m in listed) == sorted(f for f in examples.files if f.endswith(".py"))
        text = "\n".join(examples.commands)
        for file in examples.files:
            stem, _, suffix = file.partition(".")
            word = f'["{stem}"]' if suffix == "py" else file
            assert word in text, f"{name} shows {file}, but no command uses it"


@pytest.mark.parametrize("name", EXAMPLES)
def test_snakemake_plans_what_is_asked_for(name: str, folders: dict[str, Path]) -> None:
    """One dry run a document, with all its overlays: each adds something else."""
    targets, overlays = [], []
    for page, line in commands("snakemake"):
        if page == name:
            _, _, _, *words = shlex.split(line, comments=True)  # snakemake --cores 8
            split = words.index("--configfile")
            targets += words[:split]
            overlays += words[split + 1 :]
    plugins = [m for file in dict.fromkeys(overlays) for m in yaml.safe_load(EXAMPLES[name].files[file])["plugins"]]
    (folders[name] / "plugins.yaml").write_text(yaml.safe_dump({"plugins": plugins}))  # lists replace one another
    overlays.append("plugins.yaml")
    assert targets
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folders[name], "-np",
         "--cores", "2", *dict.fromkeys(targets), "--configfile", *dict.fromkeys(overlays)],
        cwd=folders[name], env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folders[name]}"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    plan = done.stdout + done.stderr
    assert done.returncode == 0, plan[-3000:]
    for target in targets:
        assert target in plan
    for module in plugins:
        assert f'["{module}"]' in plan, f"no job imports {module}"


def test_the_stages_run_with_them(at: Callable[[str], None], run_command: Callable, tmp_path: Path) -> None:
    """From a folder of images to metrics with the page's dataset, detector, anonymizer and model, each a plug-in."""
    at("docs/add-your-own.md")
    files = EXAMPLES["docs/add-your-own.md"].files
    config = merge(yaml.safe_load(code) for file, code in files.items() if file.endswith(".yaml"))
    config["models"]["small_cnn"]["training"] = {"epochs": 1, "batch_size": 4}
    del config["models"]["small_cnn"]["recipe"]

    def stage(name: str, plugin: str | None = None, **options: object) -> None:
        arguments: list[object] = ["--plugins", json.dumps([plugin] if plugin else [])]
        for key, value in options.items():
            text = json.dumps(value) if isinstance(value, dict) else value
            arguments += [f"--{key.replace('_', '-')}", text]
        done = run_command(name, *arguments)
        assert done.status == 0, done.errors

    raw, hidden = Path("data/raw/my_people"), tmp_path / "smiley"
    manifest, sidecars = tmp_path / "original.csv", tmp_path / "sidecars.csv"
    stage(
        "index", "camera_folders", root=raw, spec=config["datasets"]["my_people"], output=manifest,
        dropped=tmp_path / "dropped.csv", sidecars=sidecars, splits=tmp_path / "splits.csv",
    )  # fmt: skip
    images = read_manifest(manifest)
    assert Counter(i.split for i in images) == {"train": 12, "query": 4, "gallery": 4}
    assert all(i.path.endswith("_0001.jpg") == (i.split == "query") for i in images if i.split != "train")

    boxes = tmp_path / "boxes.csv"
    stage("detect", "head_box", manifest=manifest, root=raw, spec=config["detectors"]["head_box"], output=boxes)
    expected = [Region((4, 0, 12, 6.4), score=1)]  # in 16 x 32 pixels: the middle half, 0.2 of the height
    assert read_regions(boxes) == {i.path: expected for i in images}

    stage(
        "anonymize", "smiley", manifest=manifest, detections=boxes, root=raw, sidecars=sidecars,
        spec={**config["variants"]["smiley"], "jpeg_quality": 95}, output=hidden,
        output_manifest=tmp_path / "hidden.csv",
    )  # fmt: skip
    face = read_image(hidden / images[0].path)[:7, 3:13].astype(int)  # the box enlarged by 1.3
    assert (np.abs(face - (255, 205, 0)).sum(axis=2) < 60).mean() > 0.4

    features = tmp_path / "features.npz"
    stage(
        "train", "small_cnn", manifest=tmp_path / "hidden.csv", root=hidden, seed=0, spec=config["models"]["small_cnn"],
        output=tmp_path / "model.pt", history=tmp_path / "history.csv", resume_dir=tmp_path / "resume", device="cpu",
    )  # fmt: skip
    stage(
        "embed", "small_cnn", checkpoint=tmp_path / "model.pt", manifest=tmp_path / "hidden.csv", root=hidden,
        output=features, device="cpu",
    )  # fmt: skip
    stage(
        "evaluate", query=features, gallery=features, labels={}, spec=config["models"]["small_cnn"]["evaluation"],
        output=tmp_path / "metrics.json", queries=tmp_path / "queries.csv",
    )  # fmt: skip
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert (metrics["n_queries"], metrics["n_gallery"]) == (4, 4)
    assert 0 <= metrics["map"] <= 1


def test_the_readme_leads_to_the_page() -> None:
    assert "](docs/add-your-own.md)" in document("README.md")


@pytest.mark.parametrize("kind", KINDS)
def test_every_promise_is_explained(kind: str) -> None:
    text = " ".join(document("docs/add-your-own.md").split())
    for promise in CONTRACTS[kind].promises:
        assert f"**{promise.text}**" in text


def test_examples_are_code_of_our_own_width() -> None:
    for examples in EXAMPLES.values():
        for file, code in examples.files.items():
            assert max(map(len, code.splitlines())) <= 120, file
            if file.endswith(".py"):
                assert ast.get_docstring(ast.parse(code)) is None  # short: the class's docstring says it all


def test_the_example_of_a_step_declares_what_its_rule_names(tmp_path: Path) -> None:
    page = document("docs/add-a-step.md")
    (stage,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (rule,) = re.findall(r"^```\nrule (.*?)^```", page, re.MULTILINE | re.DOTALL)
    name = rule.partition(":")[0]
    file = tmp_path / f"{name}.py"
    file.write_text(stage, encoding="utf-8")
    declared = read_declaration(file, f"anonbench.stages.{name}", name)
    named = set(re.findall(r"^        (\w+)=", rule, re.MULTILINE)) - {"stamp", "code", "mem_mb", "runtime"}
    assert named == {option.name for option in declared.options}
    assert all(option.help for option in declared.options)
    assert f'call("{name}")' in rule

    manifest = tmp_path / "manifest.csv"
    manifest.write_text("path,height\na.jpg,128\nb.jpg,131\nc.jpg,64\n")
    scope: dict[str, Callable] = {}
    exec(compile(stage, file.name, "exec"), scope)
    scope[name](manifest, tmp_path / "sizes.csv", step=16)
    assert (tmp_path / "sizes.csv").read_text().split() == ["height,count", "64,1", "128,2"]
