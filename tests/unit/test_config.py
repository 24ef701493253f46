"""The configuration: what is shipped is valid, what is misspelt is named with the nearest valid key."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from snakemake.utils import update_config

from anonbench.config import DEFAULTS, SCHEMA, check_config, check_files, merge, read_config, read_layer, resolve_model
from anonbench.core.errors import ConfigError
from anonbench.data import paths
from anonbench.studies.kinds import study_of
from anonbench.studies.reid_faces.check import SECTIONS as REID_FACES_SECTIONS
from anonbench.studies.reversible.check import SECTIONS as REVERSIBLE_SECTIONS
from anonbench.tasks.reid.models import MODELS

ROOT = Path(__file__).parents[2]
OVERLAYS = ("demo", "quick", "test", "cpu", "paper", "paper_reversible", "paper_scenes")
LAYERS = {name: read_layer(ROOT / f"config/{name}.yaml") for name in OVERLAYS}
LAYERS["default"] = read_config(root=ROOT)
SECTIONS = {**REID_FACES_SECTIONS, **REVERSIBLE_SECTIONS}
SHIPPED = [
    ("default",),
    ("default", "demo"),
    ("default", "demo", "quick"),
    ("default", "test"),
    ("default", "cpu"),
    ("default", "paper"),
    ("default", "paper", "paper_reversible"),
    ("default", "paper", "paper_scenes"),
]


@pytest.fixture
def config() -> dict[str, Any]:
    return copy.deepcopy(LAYERS["default"])


# --- what is shipped ---


@pytest.mark.parametrize("names", SHIPPED, ids="+".join)
def test_every_shipped_config_can_be_used(names: tuple[str, ...]) -> None:
    check_config(merge(LAYERS[name] for name in names))


def test_every_file_in_config_is_tried() -> None:
    assert {p.stem for p in (ROOT / "config").glob("*.yaml")} == set(LAYERS)
    studies = {p.relative_to(ROOT).as_posix() for p in (ROOT / "config/studies").glob("*.yaml")}
    assert {"config/default.yaml", *studies} == set(DEFAULTS)


def test_snakemake_reads_the_same_defaults() -> None:
    text = (ROOT / "workflow/Snakefile").read_text()
    assert tuple(re.findall(r'^configfile: "(.*)"$', text, flags=re.MULTILINE)) == DEFAULTS


def schema_keys(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from node.get("properties", {})
        for value in node.values():
            yield from schema_keys(value)


def test_every_key_of_the_schema_is_explained_in_the_default_config() -> None:
    text = "".join((ROOT / file).read_text() for file in DEFAULTS)
    keys = {*schema_keys(yaml.safe_load(SCHEMA.read_text())), *SECTIONS}
    keys |= {key for schema in SECTIONS.values() for key in schema_keys(schema)}
    assert {"plugins", "jpeg_quality", "unpack", "less_hides"} <= keys
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}:", text)] == []


def test_a_published_table_is_there_for_every_table_that_names_one() -> None:
    for names in SHIPPED:
        for table in merge(LAYERS[name] for name in names)["tables"].values():
            name = table.get("published")
            assert name is None or (ROOT / paths.published(study_of(table), name)).is_file()


def test_overlays_say_only_what_differs() -> None:
    """A key of an overlay that repeats the layer below is noise. Lists of seeds are said again on purpose."""

    def repeated(below: Any, above: Any, where: str = "") -> Iterator[str]:
        for key, value in above.items():
            if isinstance(value, dict) and isinstance(below.get(key), dict):
                yield from repeated(below[key], value, f"{where}.{key}")
            elif key in below and below[key] == value and where == "" and key != "seeds":
                yield f"{where}.{key}"

    for name in ("demo", "test", "paper"):
        assert list(repeated(LAYERS["default"], LAYERS[name])) == []


# --- misspelt keys and unknown names ---

Change = Callable[[dict[str, Any]], object]
MISTAKES: dict[str, tuple[Change, str]] = {
    "top level": (lambda c: c.update(modles={}), r"unknown key 'modles' at the top level: did you mean 'models'\?"),
    "table": (
        lambda c: c["tables"]["table3"].update(datset="x"),
        r"unknown key 'datset' at tables\.table3: did you mean 'dataset'\?",
    ),
    "dataset": (
        lambda c: c["datasets"]["market1501-rendered"].update(expcet="any"),
        r"datasets\.market1501-rendered: dataset format 'market1501' has no option 'expcet': did you mean 'expect'\?",
    ),
    "render": (
        lambda c: c["datasets"]["market1501-rendered"]["render"].update(camera=3),
        r"render has no key 'camera': did you mean 'cameras'\?",
    ),
    "detector": (
        lambda c: c["detectors"]["centerface"].update(treshold=0.3),
        r"detectors\.centerface: detector 'centerface' has no parameter 'treshold': did you mean 'threshold'\?",
    ),
    "anonymizer's parameter": (
        lambda c: c["variants"]["blur"].update(sigma_rell=0.3),
        r"variants\.blur: anonymizer 'gaussian_blur' has no parameter 'sigma_rell': did you mean 'sigma_rel'\?",
    ),
    "variant's own key": (
        lambda c: c["variants"]["blur"].update(box_scal=0.3),
        r"variants\.blur: .* has no parameter 'box_scal': did you mean 'box_scale'\?",
    ),
    "model's parameter": (
        lambda c: c["models"]["bot"].update(last_strid=1),
        r"models\.bot: model 'bot' has no parameter 'last_strid': did you mean 'last_stride'\?",
    ),
    "model's own key": (
        lambda c: c["models"]["bot"].update(pretrainde=True),
        r"models\.bot: .*'pretrainde': did you mean 'pretrained'\?",
    ),
    "recipe": (
        lambda c: c["recipes"]["demo"].update(epoch=3),
        r"has no key 'epoch': did you mean 'epochs'\?",
    ),
    "recipe's section": (
        lambda c: c["recipes"]["demo"]["loss"].update(label_smooth=3),
        r"loss has no key 'label_smooth': did you mean 'label_smoothing'\?",
    ),
    "recipe that no model uses": (
        lambda c: c["recipes"].update(mine={"optimizer": {"method": "adamm"}}),
        r"mine\.optimizer\.method is 'adamm': did you mean 'adam'\?",
    ),
    "evaluation": (
        lambda c: c["models"]["bot"]["evaluation"].update(rerang=None),
        r"models\.bot: evaluation has no key 'rerang': did you mean 'rerank'\?",
    ),
    "unknown model": (lambda c: c["models"]["bot"].update(method="bott"), r"unknown model 'bott': did you mean 'bot'"),
    "unknown anonymizer": (
        lambda c: c["variants"]["zero"].update(method="zeros"),
        r"variants\.zero: unknown anonymizer 'zeros': did you mean 'zero'\?",
    ),
    "unknown format": (
        lambda c: c["datasets"]["market1501-rendered"].update(format="market"),
        r"unknown dataset format 'market': did you mean 'market1501'\?",
    ),
    "model in a table": (
        lambda c: c["tables"]["table8"].update(models=["bots"]),
        r"tables\.table8\.models names 'bots': did you mean 'bot'\?",
    ),
    "variant in a table": (
        lambda c: c["tables"]["table3"].update(variants=["blurr"]),
        r"tables\.table3\.variants names 'blurr': did you mean 'blur'\?",
    ),
    "dataset of a table": (
        lambda c: c["tables"]["table3"].update(dataset="market1501-renderd"),
        r"tables\.table3\.dataset names 'market1501-renderd': did you mean 'market1501-rendered'\?",
    ),
    "detector of a variant": (
        lambda c: c["variants"]["blur"].update(detector="centreface"),
        r"variants\.blur\.detector names 'centreface': did you mean 'centerface'\?",
    ),
    "recipe of a model": (
        lambda c: c["models"]["bot"].update(recipe="dmo"),
        r"models\.bot\.recipe names 'dmo': did you mean 'demo'\?",
    ),
    "table to build": (lambda c: c.update(build=["tabel8"]), r"build names 'tabel8': did you mean 'table8'\?"),
    "untrained": (
        lambda c: c["tables"]["untrained"].update(tables=["table8"]),
        r"tables\.untrained\.tables names 'table8': did you mean 'table7'\?",
    ),
    "kind of a table": (
        lambda c: c["tables"]["table3"].update(rows="model"),
        r"tables\.table3\.rows names 'model': did you mean 'models'\?",
    ),
    "study of a table": (
        lambda c: c["tables"]["table3"].update(study="reid_face"),
        r"tables\.table3\.study names 'reid_face': did you mean 'reid_faces'\?",
    ),
    "section of a study": (lambda c: c.pop("figures"), r"key 'figures' is missing at the top level"),
    "key of a study's section": (
        lambda c: c["figures"]["dose_response"].update(tabel="table8"),
        r"unknown key 'tabel' at figures\.dose_response: did you mean 'table'\?",
    ),
    "dataset in a table of datasets": (
        lambda c: c["tables"]["table2"].update(datasets=["viper"]),
        r"tables\.table2\.datasets names 'viper': did you mean 'viper-rendered'\?",
    ),
    "key that a kind of table needs": (
        lambda c: c["tables"]["table8"].pop("variants"), r"key 'variants' is missing at tables\.table8"
    ),
    "gpus of a model": (lambda c: c["models"]["bot"].update(gpus=0), r"models\.bot\.gpus is 0"),
    "gpus that do not share a batch evenly": (
        lambda c: c["models"]["bot"].update(gpus=3),
        r"models\.bot: training\.batch_size is 16 and gpus is 3; expected a batch_size that is a multiple of gpus",
    ),
    "seeds of a model": (
        lambda c: c["models"]["bot"].update(seeds=[-1]), r"models\.bot\.seeds is \[-1\]"
    ),
    "splits": (
        lambda c: c["datasets"]["viper-rendered"].update(splits=[]), r"datasets\.viper-rendered\.splits is \[\]"
    ),
    "default box": (
        lambda c: c["detectors"]["centerface_default_box"].update(default_box=[15, 4, 3, 23]),
        r"detectors\.centerface_default_box: default_box is \[15, 4, 3, 23\]; expected",
    ),
    "margin": (lambda c: c["statistics"].update(margin=0), r"statistics\.margin is 0"),
    "model of a figure": (
        lambda c: c["figures"]["ranked"].update(model="bott"),
        r"figures\.ranked\.model names 'bott': did you mean 'bot'\?",
    ),
    "variant of a dose": (
        lambda c: c["figures"]["dose_response"]["parameters"].update(n=["blur", "zero"]),
        r"figures\.dose_response\.parameters\.n: variants\.blur has no number called 'n'",
    ),
    "plug-in": (lambda c: c.update(plugins=["no_such_module"]), r"plugins: cannot import 'no_such_module'"),
    "missing key": (lambda c: c.pop("seeds"), r"key 'seeds' is missing at the top level; config/default\.yaml shows"),
    "missing nested key": (lambda c: c["variants"]["zero"].pop("detector"), r"'detector' is missing at variants\.zero"),
    "type": (lambda c: c["figures"].update(people="six"), r"figures\.people is 'six'; expected an integer"),
    "method that YAML makes null": (lambda c: c["models"]["bot"].update(method=None), r"models\.bot\.method is null"),
    "choice": (lambda c: c.update(device="gpu"), r"device is 'gpu': .*cuda"),
    "range": (lambda c: c["variants"]["zero"].update(jpeg_quality=101), r"variants\.zero\.jpeg_quality is 101"),
    "name": (lambda c: c["variants"].update({"a b": {}}), r"the name 'a b' at variants may hold letters"),
    "reserved name": (
        lambda c: c["variants"].update(original=c["variants"]["zero"]), r"variants\.original: the name is reserved"
    ),
    "recipe written in place": (
        lambda c: c["models"]["bot"].update(training={"epochs": 3}),
        r"models\.bot has no key 'training': describe it under `recipes`",
    ),
    "rendered data in a folder of the user's": (
        lambda c: c["datasets"]["market1501-rendered"].update(root="data/raw/market1501"),
        r"rendered data goes to data/rendered/market1501-rendered",
    ),
    "two variants in a table of models": (
        lambda c: c["tables"]["table3"].update(variants=["blur", "zero"]), "compares one variant"
    ),
    "two models in a table of anonymizers": (
        lambda c: c["tables"]["table8"].update(models=["bot", "pcb"]), "shows one model"
    ),
    "parameter out of range": (
        lambda c: c["detectors"]["centerface"].update(threshold=2),
        r"detectors\.centerface: detector 'centerface': threshold must lie between 0 and 1, got 2",
    ),
    "unknown table to build": (
        lambda c: c.update(build=["table3", "detectoin"]), r"build names 'detectoin': did you mean 'detection'\?"
    ),
    "table with the name of that of detectors": (
        lambda c: c["tables"].update(detection=c["tables"]["table3"]), r"tables\.detection: the name is that of"
    ),
    "nothing to try": (
        lambda c: (c.update(build=["detection"]), c["face_images"].clear(), c["face_trainings"].clear()),
        r"build: \[detection\] alone needs detectors of `face_images` to try",
    ),
    "braces in a path": (
        lambda c: c["datasets"].update(mine={"format": "folder", "root": "/data/{new}/market"}),
        r"datasets\.mine\.root is '/data/\{new\}/market'; .* without braces.*ln -s '/data/\{new\}/market' data/raw",
    ),
    "a shell's home": (
        lambda c: c["face_images"].update(wider={"root": "~/wider"}), r"face_images\.wider\.root is '~/wider'.*Write /"
    ),
    "a path like an option": (
        lambda c: c["datasets"].update(mine={"format": "folder", "root": "-new"}),
        r"does not look like an option: write '\./-new'",
    ),
    "a line end in a path": (
        lambda c: c["datasets"].update(mine={"format": "folder", "root": "a\nb"}), r"without tabs and line ends"
    ),
    "member of a union": (
        lambda c: c["detectors"].update(both={"method": "union", "of": ["centerface", "by_hnd"]}),
        r"detectors\.both\.of names 'by_hnd'"
    ),
    "union of nothing": (
        lambda c: c["detectors"].update(both={"method": "union", "of": []}),
        r"detectors\.both: detector 'union': of must be a list of names of detectors, each once and at least one, got"
    ),
    "files without a folder": (
        lambda c: c["variants"].update(theirs={"method": "files", "detector": None}),
        r"variants\.theirs: root is None; expected the folder of the pictures, or one for each dataset",
    ),
    "files with a misspelt folder": (
        lambda c: c["variants"].update(theirs={"method": "files", "detector": None, "rot": "data/theirs"}),
        r"variants\.theirs: variant of files has no .* 'rot': did you mean 'root'",
    ),
    "files of an unknown dataset": (
        lambda c: c["variants"].update(theirs={"method": "files", "detector": None, "root": {"coco": "theirs"}}),
        r"variants\.theirs\.root names 'coco': Known: airport",
    ),
    "files in a folder of a shell": (
        lambda c: c["variants"].update(
            theirs={"method": "files", "detector": None, "root": {"viper-rendered": "~/theirs"}}
        ),
        r"variants\.theirs\.root is '~/theirs'; expected a path as it is on the disk",
    ),
    "files that are anonymized again": (
        lambda c: c["variants"].update(theirs={"method": "files", "detector": None, "root": "t", "box_scale": 1.3}),
        r"variants\.theirs: variant of files has no key 'box_scale'",
    ),
    "files without a detector in a table of faces": (
        lambda c: (
            c["variants"].update(theirs={"method": "files", "detector": None, "root": "t"}),
            c["tables"]["table8"]["variants"].append("theirs"),
        ),
        r"tables\.table8\.variants: 'theirs' names no detector, and this study is about detected faces",
    ),
    "matched faces of nobody": (
        lambda c: c["detectors"].update(faces={"method": "matched_faces", "of": "centreface"}),
        r"detectors\.faces\.of names 'centreface'",
    ),
    "a GPU for matched faces": (
        lambda c: c["detectors"].update(faces={"method": "matched_faces", "of": "centerface", "gpu": True}),
        r"detectors\.faces: detector 'matched_faces' has no key 'gpu'",
    ),
    "union of itself": (
        lambda c: c["detectors"].update(both={"method": "union", "of": ["both"]}),
        r"detectors\.both\.of: a detector must not be made of itself: both -> both"
    ),
    "unions in a circle": (
        lambda c: c["detectors"].update(
            {name: {"method": "union", "of": ["centerface", of]} for name, of in (("a", "b"), ("b", "c"), ("c", "b"))}
        ),
        r"detectors\.b\.of: a detector must not be made of itself: b -> c -> b"
    ),
    "a GPU for a union": (
        lambda c: c["detectors"].update(both={"method": "union", "of": ["centerface"], "gpu": True}),
        r"detectors\.both: detector 'union' has no key 'gpu': .*Known: method, of"
    ),
    "nothing to leave out": (
        lambda c: c["datasets"]["market1501-rendered"].update(leave_out=""),
        r"datasets\.market1501-rendered\.leave_out is ''"
    ),
    "braces in a list to leave out": (
        lambda c: c["datasets"]["market1501-rendered"].update(leave_out="{a}.csv"),
        r"datasets\.market1501-rendered\.leave_out is '\{a\}\.csv'; .*without braces"
    ),
    "a number that is none": (
        lambda c: c["variants"].update(mine={"box_scale": float("nan")}), r"variants\.mine\.box_scale is nan; .*finite"
    ),
    "a name that YAML misreads": (lambda c: c.update(build=[6]), r"build\.0 is 6 \(no text: put it in quotes"),
    "a whole picture with a box": (
        lambda c: c["variants"]["zero"].update(detector=None),
        r"variants\.zero: a variant that hides whole pictures .* has no key 'box_scale'; it has detector, .*encoding"
    ),
    "a whole picture without encoding": (
        lambda c: c["variants"]["blurred"].pop("encoding"),
        r"variants\.blurred: a variant that hides .* needs 'encoding'"
    ),
    "a size beside a detector": (
        lambda c: c["variants"]["zero"].update(resize=[128, 64]),
        r"variants\.zero: a variant with a detector has no key 'resize'; it has"
    ),
    "a png with chroma": (
        lambda c: c["variants"]["blurred"].update(chroma="4:2:0"),
        r"variants\.blurred: .*chroma is 4:2:0, and a png has none"
    ),
    "a copy of itself": (
        lambda c: c["variants"]["blurred_restored"].update(of="blurred_restored"), r"blurred_restored needs itself"
    ),
    "a variant named like a copy": (
        lambda c: c["variants"].update({"zero-seed1": c["variants"]["zero"]}),
        r"variants\.zero-seed1: a name must not end like a run"
    ),
    "a whole picture in a table of faces": (
        lambda c: c["tables"]["table8"].update(variants=["blur", "blurred"]),
        r"tables\.table8\.variants: 'blurred' hides whole pictures"
    ),
    "input size": (lambda c: c["models"]["hacnn"].update(input=[128, 64]), r"models\.hacnn: .*160"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_place_and_the_files(mistake: str, config: dict[str, Any]) -> None:
    change, message = MISTAKES[mistake]
    change(config)
    with pytest.raises(ConfigError, match=message) as caught:
        check_config(config, "config/default.yaml + mine.yaml")
    assert str(caught.value).startswith("config/default.yaml + mine.yaml: ")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("6", r'the name 6 at datasets is no text to YAML but a number\. Write it in quotes, .*: "6":'),
        ("0001", r"the name 1 at datasets .* a number"),
        ("no", r"the name no at datasets .* a truth value"),
        ("null", r"the name null at datasets .* nothing"),
        ("2026-11-29", r"the name 2026-11-29 at datasets .* a date"),
    ],
)
def test_names_that_yaml_does_not_read_as_text(written: str, message: str, config: dict[str, Any]) -> None:
    config["datasets"] |= yaml.safe_load(f"{written}: {{}}")
    with pytest.raises(ConfigError, match=message):
        check_config(config)


def test_a_misread_name_is_shown_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("datasets:\n  0001: {format: folder, root: a}\n")
    message = r'my\.yaml:2: YAML does not read the name 0001 as text but as int\. Write it in quotes: "0001":'
    with pytest.raises(ConfigError, match=message):
        read_layer(tmp_path / "my.yaml")


@pytest.mark.parametrize("value", [None, [], "text", {}])
def test_something_else_than_a_config(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"at the top level|the top level is"):
        check_config(value)


def test_checking_changes_nothing(config: dict[str, Any]) -> None:
    before = copy.deepcopy(config)
    check_config(config)
    assert config == before


def test_unions_of_unions_can_be_used(config: dict[str, Any]) -> None:
    config["detectors"]["both"] = {"method": "union", "of": ["centerface", "annotated"]}
    config["detectors"]["all"] = {"method": "union", "of": ["both", "tinyfaces_small", "annotated"]}
    config["variants"]["blur"]["detector"] = "all"
    check_config(config)


# --- models and layers ---


def test_resolve_model_writes_the_recipe_out(config: dict[str, Any]) -> None:
    entry = resolve_model(config, "bot")
    assert entry["training"] == config["recipes"]["demo"]
    assert "recipe" not in entry
    assert config["models"]["bot"]["recipe"] == "demo"


def test_the_table_of_models_shows_every_model() -> None:
    """Six of them: a new architecture in the repository wants its row, or its reason here."""
    shown = LAYERS["default"]["tables"]["table3"]["models"]
    elsewhere = {"agw"}  # Study 2's
    assert {LAYERS["default"]["models"][m]["method"] for m in shown} == set(MODELS.names()) - elsewhere


VALUES = st.none() | st.booleans() | st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2)
MAPS = st.recursive(
    VALUES, lambda below: st.dictionaries(st.sampled_from("abcd"), below, max_size=3), max_leaves=12
)  # fmt: skip
CONFIGS = st.dictionaries(st.sampled_from("abcd"), MAPS, max_size=4)


@given(st.lists(CONFIGS, min_size=1, max_size=3))
def test_layers_are_merged_as_snakemake_does_it(layers: list[dict[str, Any]]) -> None:
    before = copy.deepcopy(layers)
    expected: dict[str, Any] = {}
    for layer in copy.deepcopy(layers):
        update_config(expected, layer)
    assert merge(layers) == expected
    assert layers == before, "the layers themselves are left alone"


def test_merge_by_hand() -> None:
    assert merge([{"a": {"x": 1, "y": [1, 2]}, "b": 1}, {"a": {"y": [3]}, "c": None}]) == {
        "a": {"x": 1, "y": [3]}, "b": 1, "c": None,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\tx: 1"])
def test_a_layer_that_is_no_yaml(text: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"mine\.yaml: cannot be read"):
        read_layer(tmp_path / "mine.yaml")


def test_a_layer_that_is_missing_or_no_map_or_empty(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.yaml: cannot be read .*No such file"):
        read_layer(tmp_path / "gone.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match=r"list\.yaml: holds a list; expected keys with values below them"):
        read_layer(tmp_path / "list.yaml")
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    assert read_layer(tmp_path / "empty.yaml") == {}


def test_files_are_checked_over_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    mine = tmp_path / "mine.yaml"
    mine.write_text("build: [table3]\n")
    check_files([mine])
    check_files([Path("config/default.yaml"), mine])
    mine.write_text("tables: {table3: {variant: [blur]}}\n")
    with pytest.raises(
        ConfigError, match=r"mine\.yaml: unknown key 'variant' at tables\.table3: did you mean 'variants'"
    ):
        check_files([mine])
