"""The stage anonymize_whole: a copy in which every picture is hidden as a whole."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, JpegImagePlugin, PngImagePlugin

from anonbench.anonymizers.gaussian_noise import GaussianNoise
from anonbench.anonymizers.mosaic import Mosaic
from anonbench.anonymizers.pix2pix import Pix2pix
from anonbench.core.errors import ConfigError, DataError
from anonbench.data.images import RGB, read_image, sha256
from anonbench.data.pictures import read_manifest, read_sidecars, write_sidecars
from anonbench.data.regions import Region
from anonbench.data.seeding import image_generator
from anonbench.stages.anonymize import anonymize
from anonbench.stages.anonymize_whole import ENTRY_KEYS, anonymize_whole
from anonbench.stages.index import index
from anonbench.training.generators import UNet, save_generator

SIZE = (32, 16)  # of copies; the originals have 48 x 24
ENTRY = {"method": "mosaic", "cell_px": 5, "detector": None, "resize": list(SIZE), "encoding": "png"}
JPEG = {"encoding": "jpeg", "jpeg_quality": 90, "chroma": "4:4:4"}
Hashes = Callable[[Path], dict[str, str]]


def run(dataset: Any, output: str = "out", *, of: str | None = None, **changes: Any) -> Path:
    """Hides everything; what is in `changes` goes into the entry. of: the name of the copy to read."""
    options = {
        key: changes.pop(key) for key in ("weights", "threads", "plugins", "resume_dir", "code") if key in changes
    }
    manifest, root = dataset.manifest, dataset.root
    if of is not None:
        manifest, root = dataset.results / f"{of}.csv", dataset.results / of
        changes["of"] = of
    base = {key: value for key, value in ENTRY.items() if "method" not in changes or key not in ("method", "cell_px")}
    entry = {**base, **changes}
    folder: Path = dataset.results / output
    anonymize_whole(
        manifest, root, entry, folder, dataset.results / f"{output}.csv", sidecars=dataset.sidecars, **options
    )
    return folder


def small(dataset: Any, path: str) -> RGB:
    """A picture of the dataset as the stage must bring it to its size."""
    with Image.open(dataset.root / path) as image:
        return np.asarray(image.convert("RGB").resize((SIZE[1], SIZE[0]), Image.Resampling.BILINEAR))


def redacted(anonymizer: Any, image: RGB, path: str) -> RGB:
    return anonymizer.redact(image, Region((0, 0, image.shape[1], image.shape[0])), image_generator(path))


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a generator of four levels: multiples of 16 pixels."""
    file = tmp_path_factory.mktemp("weights") / "anonymizer.pt"
    torch.manual_seed(1)
    save_generator(file, UNet(levels=4, width=4), {})
    return file


def test_the_copy_has_the_same_tree_and_names(make_dataset: Any, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = make_dataset()
    copy = run(dataset)
    files = sorted(str(p.relative_to(copy)) for p in copy.rglob("*") if p.is_file())
    assert files == sorted([*dataset.paths, "images.csv", "notes/readme.txt"])
    assert capsys.readouterr().out == (
        "anonymize_whole: 9 images hidden as a whole, png, 32 x 16 pixels (height x width)\n"
        "anonymize_whole: beside the images: images.csv (path, pid, camid, split), notes/readme.txt\n"
    )


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_png_holds_what_the_anonymizer_made_to_the_last_bit(suffix: str, make_dataset: Any) -> None:
    dataset = make_dataset(suffix)
    copy = run(dataset)
    for path in dataset.paths:
        expected = redacted(Mosaic(5), small(dataset, path), path)
        np.testing.assert_array_equal(read_image(copy / path), expected)


def test_the_manifest_describes_the_copy(make_dataset: Any) -> None:
    dataset = make_dataset()
    copy = run(dataset)
    before = {image.path: image for image in read_manifest(dataset.manifest)}
    rows = read_manifest(dataset.results / "out.csv")
    assert [row.path for row in rows] == dataset.paths
    for row in rows:
        assert (row.height, row.width) == read_image(copy / row.path).shape[:2] == SIZE
        assert row.sha256 == sha256((copy / row.path).read_bytes())
        assert (row.split, row.labels) == (before[row.path].split, before[row.path].labels)


def test_without_a_resize_pictures_keep_their_sizes(make_dataset: Any) -> None:
    dataset = make_dataset()
    copy = run(dataset, resize=None)
    assert {read_image(copy / path).shape for path in dataset.paths} == {(48, 24, 3)}
    assert {(row.height, row.width) for row in read_manifest(dataset.results / "out.csv")} == {(48, 24)}


def test_a_png_under_the_name_of_a_jpeg_is_said_and_read(make_dataset: Any, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = make_dataset(".jpg")
    copy = run(dataset)
    said = "9 files are png whatever their names say, the first: cam0/gallery_002.jpg. Readers that look at the first"
    assert said in capsys.readouterr().out
    file = copy / dataset.paths[0]
    assert file.read_bytes().startswith(b"\x89PNG")
    np.testing.assert_array_equal(cv2.imread(str(file))[..., ::-1], read_image(file))


@pytest.mark.parametrize(("chroma", "sampling"), [("4:4:4", 0), ("4:2:0", 2)])
def test_a_jpeg_has_the_sampling_and_the_quality_asked_for(chroma: str, sampling: int, make_dataset: Any) -> None:
    dataset = make_dataset()
    copy = run(dataset, **{**JPEG, "chroma": chroma})
    reference = io.BytesIO()
    Image.new("RGB", (16, 16)).save(reference, "JPEG", quality=90)
    with Image.open(reference) as made, Image.open(copy / dataset.paths[0]) as image:
        assert image.format == "JPEG"
        assert JpegImagePlugin.get_sampling(image) == sampling
        assert image.quantization == made.quantization  # type: ignore[attr-defined]


def test_a_better_jpeg_is_nearer_to_what_was_made(make_dataset: Any) -> None:
    dataset = make_dataset()
    exact = run(dataset, "png")
    errors = []
    for number, change in enumerate([{"jpeg_quality": 100}, {}, {"jpeg_quality": 40}, {"chroma": "4:2:0"}]):
        copy = run(dataset, f"jpeg{number}", **{**JPEG, **change})
        differ = [read_image(copy / path).astype(int) - read_image(exact / path) for path in dataset.paths]
        errors.append(float(np.square(differ).mean()))
    assert 0 < errors[0] < errors[1] < min(errors[2], errors[3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoding": "webp"}, "encoding is 'webp'; expected one of png, jpeg"),
        ({**JPEG, "jpeg_quality": 101}, "jpeg_quality is 101; expected >= 1 and <= 100"),
        ({**JPEG, "jpeg_quality": None}, "jpeg_quality is .*; expected an integer >= 1"),
        ({**JPEG, "jpeg_quality": "keep"}, "jpeg_quality is 'keep'; expected an integer or null"),
        ({**JPEG, "chroma": "4:1:1"}, "chroma is '4:1:1'; expected one of 4:4:4, 4:2:0"),
        ({**JPEG, "chroma": 15124}, "chroma is 15124 .*put it in quotes"),  # what YAML 1.1 makes of 4:12:4
        ({"jpeg_quality": 90}, "jpeg_quality is 90, and a png has none; take it out, or encode as jpeg"),
        ({"chroma": "4:4:4"}, "chroma is 4:4:4, and a png has none"),
        ({"resize": [128]}, "resize is .*; expected a list of 2, each an integer or null"),
        ({"resize": [128, 0]}, "resize is 0; expected an integer >= 1"),
        ({"detector": "centerface"}, "detector is 'centerface', and this hides whole pictures; write `detector: null`"),
        ({"box_scale": 1.0}, "anonymizer 'mosaic' has no parameter 'box_scale'"),
    ],
)
def test_an_entry_that_cannot_be_followed(change: dict[str, Any], message: str, make_dataset: Any) -> None:
    dataset = make_dataset()
    with pytest.raises(ConfigError, match=message):
        run(dataset, **change)
    assert not (dataset.results / "out").exists()


def test_noise_belongs_to_the_image(make_dataset: Any, hashes: Hashes) -> None:
    """The same in every run, another for each picture; the pictures are equal, so that only noise tells them apart."""
    dataset = make_dataset(count=70)
    for path in dataset.paths:
        Image.new("RGB", (24, 48), (90, 120, 150)).save(dataset.root / path)
    index(dataset.root, {"format": "folder"}, dataset.manifest, dataset.results / "dropped.csv", dataset.sidecars,
          dataset.results / "splits.csv")  # fmt: skip
    noisy = {"method": "gaussian_noise", "std": 0.3}
    first, again = run(dataset, "first", **noisy), run(dataset, "again", **noisy, threads=2)
    assert hashes(first) == hashes(again)
    assert (dataset.results / "first.csv").read_bytes() == (dataset.results / "again.csv").read_bytes()
    a, b = (read_image(first / path).astype(float) for path in dataset.paths[:2])
    noise_a, noise_b = (image - image.mean(axis=(0, 1)) for image in (a, b))
    assert abs(np.corrcoef(noise_a.ravel(), noise_b.ravel())[0, 1]) < 0.1
    expected = redacted(GaussianNoise(0.3), small(dataset, dataset.paths[0]), dataset.paths[0])
    np.testing.assert_array_equal(a, expected)


def test_a_chain_reads_the_stored_files(make_dataset: Any, generator: Path) -> None:
    """A recovery sees what JPEG left of a picture, not what was made before."""
    dataset = make_dataset()
    protected = run(dataset, "protected", **{**JPEG, "jpeg_quality": 30})
    recovered = run(dataset, "recovered", of="protected", method="pix2pix", weights=generator)
    network = Pix2pix(str(generator))
    whole = [Region((0, 0, SIZE[1], SIZE[0]))]
    for path in dataset.paths:
        (expected,) = network.anonymize_batch([read_image(protected / path)], [whole], [image_generator(path)])
        assert np.abs(read_image(recovered / path).astype(int) - expected).max() <= 1  # in a batch: last digits
    assert [row.labels for row in read_manifest(dataset.results / "recovered.csv")] == [
        row.labels for row in read_manifest(dataset.manifest)
    ]


def test_a_chain_refuses_a_stored_copy_that_has_changed(make_dataset: Any) -> None:
    dataset = make_dataset()
    protected = run(dataset, "protected")
    (protected / dataset.paths[3]).write_bytes((protected / dataset.paths[4]).read_bytes())
    with pytest.raises(DataError, match=rf"protected/{dataset.paths[3]}: has changed since it was indexed"):
        run(dataset, "recovered", of="protected")


def test_an_original_that_has_changed_is_refused(make_dataset: Any) -> None:
    dataset = make_dataset()
    (dataset.root / dataset.paths[3]).write_bytes((dataset.root / dataset.paths[4]).read_bytes())
    with pytest.raises(DataError, match=rf"{dataset.paths[3]}: has changed since it was indexed"):
        run(dataset)
    assert not (dataset.results / "out").exists()
    assert not (dataset.results / "out.csv").exists()


# --- generators ---


def test_a_generator_needs_its_weights_and_its_sizes(make_dataset: Any, generator: Path, tmp_path: Path) -> None:
    dataset = make_dataset()
    with pytest.raises(ConfigError, match="anonymizer 'pix2pix' is learned and needs its weights; write"):
        run(dataset, method="pix2pix")
    with pytest.raises(DataError, match=r"gone\.pt: no such file; expected the weights of anonymizer 'pix2pix'"):
        run(dataset, method="pix2pix", weights=tmp_path / "gone.pt")
    with pytest.raises(
        ConfigError, match=r"multiples of 16 pixels with these weights; cam0/gallery_002\.png has 48 x 24"
    ):
        run(dataset, method="pix2pix", weights=generator, resize=None)
    assert not (dataset.results / "out").exists()


@pytest.mark.slow
def test_processes_and_batches_make_no_difference_of_more_than_a_level(make_dataset: Any, generator: Path) -> None:
    dataset = make_dataset(count=70)
    whole = run(dataset, "whole", method="pix2pix", weights=generator)
    for name, change in (("two", {"threads": 2, "batch": 16}), ("single", {"batch": 1})):
        copy = run(dataset, name, method="pix2pix", weights=generator, **change)
        for path in dataset.paths:
            assert np.abs(read_image(copy / path).astype(int) - read_image(whole / path)).max() <= 1


def test_the_stage_of_regions_refuses_a_generator(make_dataset: Any, generator: Path) -> None:
    dataset = make_dataset()
    entry = {"method": "pix2pix", "detector": "d", "box_scale": 1.0, "jpeg_quality": 95}
    with pytest.raises(ConfigError, match=r"anonymizer 'pix2pix' hides whole pictures alone, .* `detector: null`"):
        anonymize(
            dataset.manifest, dataset.detections, dataset.root, entry, dataset.sidecars, dataset.results / "out",
            dataset.results / "out.csv", weights=generator,
        )  # fmt: skip


# --- what survives ---


def test_nothing_of_an_original_file_but_its_pixels_survives(make_dataset: Any) -> None:
    dataset = make_dataset(".jpg")
    for number, path in enumerate(dataset.paths):
        with Image.open(dataset.root / path) as image:
            exif = Image.Exif()
            exif[0x010E] = "Anna, at home"
            options = {"comment": b"Anna", "xmp": b"<x>Anna</x>", "icc_profile": b"Anna" * 40, "exif": exif}
            image.convert("L" if number % 2 else "RGB").save(dataset.root / path, "JPEG", **options)
        (dataset.root / path).write_bytes((dataset.root / path).read_bytes() + b"Anna again")
    index(dataset.root, {"format": "folder"}, dataset.manifest, dataset.results / "dropped.csv", dataset.sidecars,
          dataset.results / "splits.csv")  # fmt: skip
    for name, change in (("png", {}), ("jpeg", JPEG)):
        copy = run(dataset, name, **change)
        for path in dataset.paths:
            data = (copy / path).read_bytes()
            assert b"Anna" in (dataset.root / path).read_bytes()
            assert b"Anna" not in data
            with Image.open(io.BytesIO(data)) as image:
                assert image.mode == "RGB"
                assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
                assert not image.getexif()
                if isinstance(image, PngImagePlugin.PngImageFile):
                    assert not image.text


def test_text_files_that_say_where_something_is_do_not_go_with_pictures_of_another_size(
    make_dataset: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = make_dataset()
    places = {
        "ground_truth/annotations.csv": "path,pid,x0,y0,x1,y1\na,1,2,3,4,5\n",
        "ground_truth/keypoints.csv": "path;nose_x;nose_y\na;1;2\n",
        "coco.json": json.dumps({"annotations": [{"bbox": [1, 2, 3, 4]}]}),
    }
    others = {"cameras.csv": "camera,place,exit\n1,hall,x\n", "about.yaml": "boxes of cardboard: none\n"}
    for name, text in (places | others).items():
        (dataset.root / name).parent.mkdir(exist_ok=True)
        (dataset.root / name).write_text(text)
    before = read_sidecars(dataset.sidecars)
    columns = {name: list(kept) for name, kept in before.items()}
    write_sidecars(dataset.sidecars, [*before, *places, *others], columns)

    copy = run(dataset)
    assert not any((copy / name).exists() for name in places)
    assert all((copy / name).read_text() == text for name, text in others.items())
    said = (
        "left out, since they say where something is in pictures of another size: coco.json, ground_truth/annotations"
    )
    assert said in capsys.readouterr().out
    again = run(dataset, "again", of="out")
    assert not any((again / name).exists() for name in places)
    assert (again / "cameras.csv").exists()
    same = run(dataset, "same", resize=None)
    assert all((same / name).read_text() == text for name, text in (places | others).items())
    (dataset.root / "about.yaml").unlink()
    with pytest.raises(DataError, match=r"about\.yaml: cannot be read"):
        run(dataset, "gone")


# --- resuming ---

STOPPING = """
import os
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from anonbench.anonymizers import ANONYMIZERS

@ANONYMIZERS.register("outside_stopping_whole")
@dataclass(frozen=True)
class Stopping:
    shade: int = 0

    def redact(self, image, region, rng):
        done = Path(os.environ["REDACTED"])
        with done.open("a") as stream:
            stream.write("x")
        if os.environ["STOP"] == str(done.stat().st_size):
            raise KeyboardInterrupt
        return np.full(image.shape, self.shade, np.uint8)
"""


def test_an_interrupted_run_goes_on_and_ends_as_if_undisturbed(
    make_dataset: Any,
    write_plugin: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    hashes: Hashes,
) -> None:
    write_plugin("outside_stopping_whole", STOPPING)
    dataset, done = make_dataset(), tmp_path / "redacted"
    monkeypatch.setenv("REDACTED", str(done))

    def go(stop: int, output: str, **changes: Any) -> int:
        done.write_text("")
        monkeypatch.setenv("STOP", str(stop))
        with contextlib.suppress(KeyboardInterrupt):
            run(
                dataset, output, method="outside_stopping_whole", plugins=["outside_stopping_whole"],
                resume_dir=tmp_path / "resume", code="c", **changes,
            )  # fmt: skip
        return done.stat().st_size

    assert go(0, "whole") == 9
    assert go(5, "out") == 5
    assert not (dataset.results / "out").exists()
    assert not (dataset.results / "out.csv").exists()
    assert go(0, "out") == 5, "four were kept"
    assert hashes(dataset.results / "out") == hashes(dataset.results / "whole")
    assert (dataset.results / "out.csv").read_bytes() == (dataset.results / "whole.csv").read_bytes()
    assert not (tmp_path / "resume").exists()
    assert go(5, "third") == 5
    assert go(0, "third", shade=9) == 9, "what another entry left is not used"


def test_the_command(make_dataset: Any, generator: Path, run_command: Callable[..., Any], hashes: Hashes) -> None:
    dataset = make_dataset()
    entry = {**ENTRY, "method": "pix2pix", "training": "joint", "gpu": True, "jpeg_quality": None}
    del entry["cell_px"]
    out, stamp = dataset.results / "cli", dataset.results / "s.json"
    outcome = run_command(
        "anonymize-whole", "--manifest", dataset.manifest, "--root", dataset.root, "--sidecars", dataset.sidecars,
        "--spec", json.dumps(entry), "--weights", generator, "--device", "cpu", "--output", out, "--output-manifest",
        dataset.results / "cli.csv", "--stamp", stamp, "--code", "c",
    )  # fmt: skip
    assert outcome.status == 0, outcome.errors
    assert hashes(out) == hashes(run(dataset, "direct", method="pix2pix", weights=generator))
    assert str(generator) in json.dumps(json.loads(stamp.read_text())["inputs"])
    assert set(ENTRY_KEYS) >= {"detector", "training", "of", "gpu", "resize", "encoding", "jpeg_quality", "chroma"}
