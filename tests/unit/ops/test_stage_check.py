"""`anonbench check`: good plug-ins pass, and each broken promise is named with what was found."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from dataset_writers import FORMATS, write_image

from anonbench.anonymizers import ANONYMIZERS
from anonbench.anonymizers._contract import CONTRACT
from anonbench.core.errors import ConfigError, DataError
from anonbench.data.images import encode_image
from anonbench.datasets import DATASETS
from anonbench.ops.check import check
from anonbench.training.generators import UNet, save_generator
from anonbench.training.inpainter import Inpainter, InpainterSettings, Styles, save_inpainter

Write = Callable[[str, str], Path]

ANONYMIZER = """
from dataclasses import dataclass
import numpy as np
from anonbench.anonymizers import ANONYMIZERS

@ANONYMIZERS.register("outside")
@dataclass(frozen=True)
class Outside:
    shade: int = 0

    def redact(self, image, region, rng):
        x0, y0, x1, y1 = region.pixels
        patch = np.full((y1 - y0, x1 - x0, 3), self.shade, np.uint8)
        {change}
        return patch
"""


@pytest.mark.parametrize("name", ANONYMIZERS.names())
def test_our_anonymizers_pass(name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    spec = {}
    if name == "pix2pix":
        save_generator(tmp_path / "anonymizer.pt", UNet(levels=4, width=4), {})
        spec["weights"] = str(tmp_path / "anonymizer.pt")
    if name == "gan_inpaint":
        inpainter = Inpainter(InpainterSettings(size=(32, 16), levels=3, width=8, z=8, style=16))
        save_inpainter(tmp_path / "inpainter.pt", inpainter, Styles(torch.zeros(16), torch.zeros(1, 16)), {})
        spec["weights"] = str(tmp_path / "inpainter.pt")
    check("anonymizer", name, spec, [])
    assert all(line.startswith("ok: ") for line in capsys.readouterr().out.splitlines())


def test_one_that_says_it_hides_whole_pictures_alone_and_takes_parts(write_plugin: Write) -> None:
    code = ANONYMIZER.format(change="pass")
    field = "    shade: int = 0\n"
    assert field in code
    write_plugin("outside_module", code.replace(field, f"{field}    whole_picture = True\n"))
    message = r"refuses a part of one with a ValueError\. It takes the box \(0, 0, 40, 47\) of a picture of 40 x 48"
    with pytest.raises(ConfigError, match=message):
        check("anonymizer", "outside", {}, ["outside_module"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("patch[-1] = image[y1 - 1, x0:x1]", r"A box inside \(9, 7, 24, 27\): row 26 is left as it was"),
        ("patch[:, 0] = image[y0:y1, x0]", r"A box inside .*: column 9 is left as it was"),
        ("patch = image[y0:y1, x0:x1].copy()", "row 7 is left as it was"),
        ("patch = image[y0:y1, x0:x1]", "it is a view; return a copy"),
        ("patch[-1] = image[y1 - 1, x0:x1] if y1 == len(image) else 0", "A box in the lower right corner .*: row 47"),
        ("patch = 255 - image[y0:y1, x0:x1]", r"before and after correlate by 1\.00"),
        ("patch = image[y0:y1, x0:x1] // 2", r"before and after correlate by 1\.00"),
        ("patch = np.random.default_rng().integers(1, 255, patch.shape, np.uint8)", "Draw from `rng` only"),
        ("patch = patch[1:]", r"found uint8 of shape \(19, 15, 3\); expected uint8 of shape \(20, 15, 3\)"),
        ("patch = patch.astype(float)", "found float64 of shape"),
        ("patch = None", "found NoneType"),
        ("image[y0, x0] = 0", r"It fails at .*outside_module\.py:14: ValueError: assignment destination is read-only"),
        ("patch[1, 1]", r"copes with boxes of one pixel.*IndexError"),
    ],
)
def test_an_anonymizer_that_breaks_a_promise(change: str, message: str, write_plugin: Write) -> None:
    write_plugin("outside_module", ANONYMIZER.format(change=change))
    with pytest.raises(ConfigError, match=rf"^anonymizer 'outside' breaks its contract: .*{message}"):
        check("anonymizer", "outside", {}, ["outside_module"])


def test_an_anonymizer_that_is_no_value(write_plugin: Write) -> None:
    write_plugin("outside_module", ANONYMIZER.format(change="pass").replace("(frozen=True)", ""))
    with pytest.raises(ConfigError, match=r"Outside is not one; write @dataclass\(frozen=True\)"):
        check("anonymizer", "outside", {}, ["outside_module"])


def test_parameters_and_whole_config_entries(write_plugin: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write_plugin("outside_module", ANONYMIZER.format(change="pass"))
    entry = {"method": "outside", "shade": 255, "detector": "centerface", "box_scale": 1.3, "jpeg_quality": 95}
    check("anonymizer", "outside", entry, ["outside_module"])
    assert "ok: changes every row and column of the box, and nothing else" in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"anonymizer 'outside' has no parameter 'shad': did you mean 'shade'\?"):
        check("anonymizer", "outside", {"shad": 255}, ["outside_module"])


def test_a_folder_that_nobody_reads() -> None:
    with pytest.raises(ConfigError, match=r"--root is for detectors and datasets; model 'bot' reads no folder"):
        check("model", "bot", {}, [], Path())


DETECTOR = """
from dataclasses import dataclass
import numpy as np
from anonbench.data.regions import Region
from anonbench.detectors import DETECTORS

@DETECTORS.register("outside")
@dataclass(frozen=True)
class Outside:
    width: float = 4.0

    def open(self, root):
        calls = []
        def detect(image, path):
            calls.append(path)
            found = [Region((1.0, 1.0, 1.0 + self.width, 5.0), score=0.9), Region((0.0, 0.0, 2.0, 2.0), score=0.5)]
            {change}
            return found
        return detect
"""


def test_detectors_pass_with_a_folder_and_without(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check("detector", "annotated", {"default_box": [1, 2, 3, 4]}, [])
    assert "(boxes in 3 of 10 images, in 3 of 3 rendered people)" in capsys.readouterr().out

    (tmp_path / "cam1").mkdir()
    (tmp_path / "cam1/a.png").write_bytes(encode_image(np.full((20, 10, 3), 90, np.uint8), ".png", 95))
    (tmp_path / "boxes.csv").write_text("path,x0,y0,x1,y1\ncam1/a.png,1,2,8,9\n")
    check("detector", "annotated", {"file": "boxes.csv"}, [], tmp_path)
    assert "(boxes in 1 of 1 images)" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"other\.csv: missing"):
        check("detector", "annotated", {"file": "other.csv"}, [], tmp_path)
    with pytest.raises(DataError, match=r"no image .* below it"):
        check("detector", "annotated", {}, [], tmp_path / "nothing")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("found = tuple(found)", r"person0\.png \(128 x 256 pixels\): found tuple; expected a list"),
        ("found = None", "found NoneType; expected a list, empty without a face"),
        ("found = [(1, 2, 3, 4, 0.5)]", r"found \(1, 2, 3, 4, 0\.5\) in the list; expected Region"),
        ("found.reverse()", r"the scores are \[0\.5, 0\.9\]; expected the best first"),
        ("found = [Region((5.0, 1.0, 5.0, 5.0), score=0.9)]", "is empty; expected x0 < x1 and y0 < y1"),
        (
            "found = [Region((0.0, 0.0, np.inf, 5.0), score=0.9)]",
            r"x1 is inf \(float\); expected a finite Python float",
        ),
        ("found = [Region((0.0, 0.0, np.float32(5), 5.0), score=0.9)]", r"x1 is .*\(float32\).*: float\(x1\)"),
        ("found = [Region((0.0, 0.0, 5.0, 5.0), score=7.3)]", r"the score is 7\.3; expected 0\.\.1"),
        ("found = found * (len(calls) % 2)", r"found \[.*\] first, \[.*\] after other images"),
        ("image = image.copy() if len(image) < 9 else image; image[0] = 0", "its pixels change; work on a copy"),
        ("image[5, 5]", r"It fails at .*outside_module\.py:17: IndexError"),
    ],
)
def test_a_detector_that_breaks_a_promise(change: str, message: str, write_plugin: Write) -> None:
    write_plugin("outside_module", DETECTOR.format(change=change))
    with pytest.raises(ConfigError, match=rf"(?s)^detector 'outside' breaks its contract: .*{message}"):
        check("detector", "outside", {}, ["outside_module"])


MODEL = """
from dataclasses import dataclass
from typing import ClassVar
import torch
from torch import nn
from anonbench.tasks.reid.models._network import ReidNetwork, TrainingOutput
from anonbench.tasks.reid.models import MODELS

@MODELS.register("outside")
@dataclass(frozen=True)
class Outside:
    channels: int = 8
    input_size: ClassVar = None

    def build(self, num_identities, pretrained):
        return Network(self.channels, num_identities)

class Network(ReidNetwork):
    def __init__(self, channels, classes):
        super().__init__(channels)
        self.conv = nn.Conv2d(3, channels, 3, stride=4)
        self.norm = nn.BatchNorm2d(channels)
        self.head = nn.Linear(channels, classes)
        {init}

    def forward(self, images):
        features = self.norm(self.conv(images)).relu().mean(dim=(2, 3))
        logits = (self.head(features),)
        {change}
        return TrainingOutput(logits, features) if self.training else features
"""


def test_a_good_model_passes(write_plugin: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write_plugin("outside_module", MODEL.format(init="pass", change="pass"))
    entry = {
        "channels": 6,
        "input": [64, 48],
        "pretrained": False,
        "recipe": "demo",
        "evaluation": {"metric": "cosine"},
    }
    check("model", "outside", entry, ["outside_module"])
    output = capsys.readouterr().out
    assert "(0.00 million parameters, 6 features, at 64 x 48 pixels)" in output
    assert "(1 classifier)" in output
    assert re.search(r"steps of Adam lower the loss \(loss \d\.\d\d -> \d\.\d\d in 5 steps\)", output)


@pytest.mark.parametrize(
    ("init", "change", "message"),
    [
        ("pass", "logits = logits[0]", "logits is no tuple"),
        ("pass", "logits = (logits[0][:, :2],)", r"logits\[0\] has shape \(4, 2\); expected \(B, n\) = \(4, 3\)"),
        ("pass", "features = features[:, :5]", r"Shape \(4, 5\); expected \(B, feature_dim\) = \(4, 8\)"),
        ("pass", "features = features / 0", "There are NaN or infinite values"),
        ("pass", "features = features + torch.rand(1)", "embed differently a second time"),
        ("pass", "features = features - features.mean(0)", "embeds differently alone and in a batch"),
        ("pass", "features = features * 0", "Two different images have the same embedding"),
        ("pass", "return features", "In train mode it returns Tensor"),
        ("pass", "return TrainingOutput(logits, features)", "In eval mode it returns TrainingOutput"),
        ("pass", "images.view(-1)", r"It fails at .*outside_module\.py:\d+: RuntimeError: view size"),
        ("self.spare = nn.Linear(2, 2)", "pass", r"No gradient reaches spare\.weight, spare\.bias: neither logits nor"),
        ("pass", "logits = (logits[0].detach(),)", r"The logits are cut off from every parameter"),
        ("self.shift = torch.rand(1)", "features = features + self.shift", "not all in the state_dict"),
        (
            "nn.init.constant_(self.conv.weight, __import__('time').time_ns() % 1e6)",
            "pass",
            "conv.weight differ between",
        ),
    ],
)
def test_a_model_that_breaks_a_promise(init: str, change: str, message: str, write_plugin: Write) -> None:
    write_plugin("outside_module", MODEL.format(init=init, change=change))
    with pytest.raises(ConfigError, match=rf"(?s)^model 'outside' breaks its contract: .*{message}"):
        check("model", "outside", {"input": [64, 48]}, ["outside_module"])


def test_remarks_about_a_model(write_plugin: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """What is allowed but worth knowing: a branch for the metric losses alone, no bfloat16."""
    init = "self.branch = nn.Linear(channels, channels)"
    fp32_only = "self.conv(images).dtype == torch.float32 or torch.zeros(2).expand(5)"
    change = f"features = self.branch(features); {fp32_only}"
    write_plugin("outside_module", MODEL.format(init=init, change=change))
    check("model", "outside", {"input": [64, 48]}, ["outside_module"])
    output = capsys.readouterr().out
    assert "branch.weight, branch.bias only through the features" in output
    assert re.search(r"\(it does not: .*; write `precision: fp32` in its recipe\)", output)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    input_size: ClassVar = None\n", "", "input_size is 'missing'"),
        ("input_size: ClassVar = None", "input_size: ClassVar = 128", "input_size is 128"),
        ("return Network(self.channels, num_identities)", "return nn.Identity()", "returned Identity; subclass"),
        ("super().__init__(channels)", "super().__init__(0)", "feature_dim is 0"),
    ],
)
def test_a_model_that_is_put_together_wrongly(old: str, new: str, message: str, write_plugin: Write) -> None:
    code = MODEL.format(init="pass", change="pass")
    assert old in code
    write_plugin("outside_module", code.replace(old, new))
    with pytest.raises(ConfigError, match=rf"^model 'outside' breaks its contract: .*{message}"):
        check("model", "outside", {}, ["outside_module"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("name", [name for name in DATASETS.names() if name in FORMATS])
def test_our_dataset_formats_pass(name: str, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    FORMATS[name].write(root)
    check("dataset", name, {"format": name, "root": str(root), **FORMATS[name].options}, [], root)
    output = capsys.readouterr().out
    assert output.count("ok: ") == 9
    numbers = 5 if "query" in FORMATS[name].splits else 1
    assert re.search(rf"^{FORMATS[name].splits[1]}( +\d+){{{numbers}}}$", output, re.MULTILINE)


def test_counts_tell_whether_ones_data_fits(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ["a.png,1,1,train", "b.png,2,1,train", "c.png,3,1,query", "d.png,3,2,gallery", "e.png,0,2,gallery"]
    for number, row in enumerate([*rows, "f.png,"]):
        write_image(root / row.partition(",")[0], number, width=8 + number)
    write_image(root / "f.png", 0, width=8)
    (root / "images.csv").write_text("\n".join(["path,pid,camid,split", *rows, "g.png,-1,0,gallery"]) + "\n")
    write_image(root / "g.png", 6)
    check("dataset", "folder", {}, [], root)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[-5:-1]] == [
        ["split", "images", "identities", "cameras", "distractors", "junk"],
        ["train", "2", "2", "1", "0", "0"],
        ["query", "1", "1", "1", "0", "0"],
        ["gallery", "3", "1", "2", "1", "1"],
    ]
    assert lines[-1] == "dropped: 1 x not listed in images.csv"
    assert "ok: lists images that can be read (8 to 12 pixels wide, 16 to 16 high)" in lines
    assert any(line.endswith("under another camera in the gallery (1 of 1)") for line in lines)


def test_data_that_does_not_fit(root: Path) -> None:
    with pytest.raises(ConfigError, match="add --root: your data's folder"):
        check("dataset", "folder", {}, [])
    with pytest.raises(DataError, match=r"nowhere: no such folder\. Expected your own data"):
        check("dataset", "folder", {}, [], root / "nowhere")
    FORMATS["folder"].write(root)
    image = next(iter(sorted(root.rglob("*.jpg")) + sorted(root.rglob("*.png"))))
    image.write_bytes(image.read_bytes()[:40])
    with pytest.raises(DataError, match=f"{image.name}: not a readable image"):
        check("dataset", "folder", FORMATS["folder"].options, [], root)
    with pytest.raises(ConfigError, match="dataset format 'folder' has no option 'cvs'"):
        check("dataset", "folder", {"cvs": "images.csv"}, [], root)


DATASET = """
import os
from pathlib import Path
from anonbench.datasets._listing import DatasetInfo, DatasetListing, adapter, complete, list_files
from anonbench.data.pictures import DroppedImage
from anonbench.datasets import PersonImage
from anonbench.datasets import DATASETS

INFO = DatasetInfo(title="Outside", format="outside", layout="<split>/<pid>_<camid>.png", citation="none",
                   licence="mine", request_from="from me")

@DATASETS.register("outside")
@adapter(INFO)
def read(root, *, start: int = 0):
    files = list_files(root, INFO)
    images = []
    for path in files:
        if path.endswith(".png"):
            split, _, name = path.partition("/")
            pid, camid = name.split(".")[0].split("_")
            images.append(PersonImage(path, int(pid), int(camid), split))
    listing = complete(root, INFO, images, files, lambda path: "no image of mine")
    {change}
    return listing
"""
FILES = ("train/1_0.png", "train/2_0.png", "query/3_0.png", "gallery/3_1.png", "gallery/4_1.png", "readme.txt")


def write_outside(root: Path) -> None:
    for number, path in enumerate(FILES):
        if path.endswith(".png"):
            write_image(root / path, number)
    (root / "readme.txt").write_text("mine\n")


def test_a_good_dataset_format_passes(root: Path, write_plugin: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write_outside(root)
    write_plugin("outside_module", DATASET.format(change="pass"))
    check("dataset", "outside", {}, ["outside_module"], root)
    output = capsys.readouterr().out
    assert "(its own: start)" in output
    assert "(5 images, 0 dropped, 1 sidecars)" in output


NUMBERED = (
    "names = os.listdir(root / 'gallery');"
    "listing = DatasetListing(tuple(PersonImage(i.path, i.pid, names.index('3_1.png'), i.split)"
    " if i.path == 'gallery/3_1.png' else i for i in listing.images), (), listing.sidecars)"
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("(root / 'cache.txt').write_text('x')", r"After reading, .*cache\.txt differ in size or time"),
        ("os.utime(root / 'readme.txt', ns=((root / 'readme.txt').stat().st_mtime_ns,) * 2)", r"readme\.txt differ"),
        ("listing = list(listing.images)", "It returns no DatasetListing"),
        ("listing = DatasetListing(listing.images[::-1], (), listing.sidecars)", "images are not sorted"),
        ("listing = DatasetListing(listing.images, (), ())", r"readme\.txt: in no group"),
        ("listing = DatasetListing(listing.images, (), ('readme.txt', 'z.txt'))", r"z\.txt: listed, but there is no"),
        (
            "listing = DatasetListing(listing.images, (DroppedImage('readme.txt', ''),), ())",
            r"readme\.txt: dropped without a reason",
        ),
        (
            "listing = DatasetListing(listing.images[:-1], (), ('readme.txt', 'train/2_0.png'))",
            r"train/2_0\.png: images as sidecars",
        ),
        (
            "listing = DatasetListing(listing.images[:2] + listing.images[3:],"
            " (DroppedImage('query/3_0.png', 'x'),), ('readme.txt',))",
            "No image for query",
        ),
        (
            "listing = DatasetListing(tuple(PersonImage(i.path, str(i.pid), 0, i.split) for i in listing.images), (),"
            " ('readme.txt',))",
            "pid or camid is no Python int",
        ),
        (
            "listing = DatasetListing(tuple(PersonImage(i.path, min(i.pid, 3), 0, i.split) for i in listing.images),"
            " (), ('readme.txt',))",
            r"There is none: nothing can be measured",
        ),
        (NUMBERED, "in another order, images come out differently: sort before you number"),
        ("1 / start", r"It fails at .*outside_module\.py:\d+: ZeroDivisionError"),
    ],
)
def test_a_dataset_format_that_breaks_a_promise(change: str, message: str, root: Path, write_plugin: Write) -> None:
    write_outside(root)
    write_plugin("outside_module", DATASET.format(change=change))
    with pytest.raises(ConfigError, match=rf"(?s)^dataset format 'outside' breaks its contract: .*{message}"):
        check("dataset", "outside", {}, ["outside_module"], root)


SEVERAL = """
@dataclasses.dataclass(frozen=True)
class Several(DatasetListing):
    splits: tuple = ()
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("second.pop('train/1_0.png')", "Split 1: it does not name exactly the images"),
        ("second['train/1_0.png'] = 'probe'", r"Split 1: train/1_0\.png is 'probe'; expected one of train"),
        ("second['train/1_0.png'] = second['train/2_0.png'] = 'gallery'", "Split 1: No image for train"),
        ("second['query/3_0.png'] = 'train'; second['gallery/4_1.png'] = 'query'", "Split 1: Identities both .*: 3"),
        ("second['train/1_0.png'] = 'gallery'", "Split 1: There is 1 identity in train"),
        ("pass", None),
    ],
)
def test_a_dataset_format_with_several_splits(
    change: str, message: str | None, root: Path, write_plugin: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        "first = {i.path: i.split for i in listing.images}",
        "second = dict(first)",
        change,
        "listing = Several(listing.images, listing.dropped, listing.sidecars, splits=(first, second))",
    ]
    write_outside(root)
    code = DATASET.format(change="\n    ".join(lines)).replace("import os\n", "import dataclasses\n")
    write_plugin("outside_module", code.replace("@DATASETS", SEVERAL + "\n@DATASETS"))
    if message is None:
        check("dataset", "outside", {}, ["outside_module"], root)
        assert "nobody is both in train and test (2 ways to split it)" in capsys.readouterr().out
    else:
        with pytest.raises(ConfigError, match=message):
            check("dataset", "outside", {}, ["outside_module"], root)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("@adapter(INFO)\n", "", "It has no `info`"),
        ('licence="mine"', 'licence=""', "info.licence is ''"),
        ('format="outside"', 'format="inside"', "info.format is 'inside'; expected 'outside'"),
        ("list_files(root, INFO)", "['readme.txt']", "A missing folder is no DataError|It fails"),
    ],
)
def test_a_dataset_format_that_says_too_little(
    old: str, new: str, message: str, root: Path, write_plugin: Write
) -> None:
    write_outside(root)
    code = DATASET.format(change="pass")
    assert old in code
    write_plugin("outside_module", code.replace(old, new))
    with pytest.raises(ConfigError, match=rf"^dataset format 'outside' breaks its contract: .*({message})"):
        check("dataset", "outside", {}, ["outside_module"], root)


def test_the_command_line(run_command: Callable[..., object], write_plugin: Write, root: Path) -> None:
    write_plugin("outside_module", ANONYMIZER.format(change="pass"))
    plugins = '["outside_module"]'
    done = run_command("check", "anonymizer", "outside", "--spec", '{"shade": 9}', "--plugins", plugins)
    assert (done.status, done.output.count("ok: ")) == (0, len(CONTRACT.promises))  # type: ignore[attr-defined]
    done = run_command("check", "dataset", "folder", "--root", root)
    assert done.status == 2  # type: ignore[attr-defined]
    assert done.errors.startswith("anonbench check: ")  # type: ignore[attr-defined]
    assert run_command("check", "attack", "outside").status == 2  # type: ignore[attr-defined]
