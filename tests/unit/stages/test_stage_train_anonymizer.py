"""The stages train_base, train_anonymizer and train_restoration, on a data set on disk."""

from __future__ import annotations

import copy
import csv
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from anonbench.anonymizers.gaussian_noise import GaussianNoise
from anonbench.core.errors import ConfigError, DataError
from anonbench.data.images import encode_image, read_image, sha256
from anonbench.data.pictures import Picture, read_manifest, write_manifest
from anonbench.stages import _pairs
from anonbench.stages.embed import embed
from anonbench.stages.train_anonymizer import _say, train_anonymizer
from anonbench.stages.train_base import train_base
from anonbench.stages.train_restoration import train_restoration
from anonbench.tasks.reid.people import read_training_people
from anonbench.tasks.reversible.training import JointTask, Validated
from anonbench.training import loading
from anonbench.training.generators import from_pixels, load_generator, to_pixels

HEIGHT, WIDTH = 64, 48
SPEC: dict[str, Any] = {
    "recipe": {
        "epochs": 2,
        "batch_size": 4,
        "sampler": {"identities": 2, "images": 2},
        "generator": {"levels": 4, "width": 2},
        "discriminator": {"width": 2, "layers": 1},
        "upgrade": {"every": 1, "epsilon_rank1": 1, "epsilon_psnr": 99, "epsilon_ssim": 2},
        "precision": "fp32",
    },
    "model": {"method": "bot", "depth": 18, "last_stride": 2, "input": [HEIGHT, WIDTH], "pretrained": False,
              "training": {"epochs": 60}, "evaluation": {"metric": "cosine"}},
    "upgrade": True,
    "desensitized": {"method": "gaussian_blur", "sigma_rel": 0.1, "kernel": "pillow", "resize": [HEIGHT, WIDTH],
                     "detector": None, "encoding": "png"},
}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def write_dataset(root: Path) -> Path:
    """Five training identities with three images from each of two cameras; test identities without any file."""
    rng = np.random.default_rng(0)
    rows = []
    for pid in range(5):  # from 0 on, as MSMT17's
        colour = rng.integers(40, 216, 3)
        for number in range(6):
            pixels = np.clip(colour + rng.integers(-40, 40, (70, 30, 3)), 0, 255).astype(np.uint8)
            rows.append(_write(root, f"train/{pid}_{number}.png", "train", pid, number % 2, pixels))
    for split in ("query", "gallery"):
        path = f"{split}/9_{split}.png"
        rows.append(Picture(path, split, 30, 70, "0" * 64, {"pid": 9, "camid": int(split == "query")}))
    write_manifest(root / "manifest.csv", rows)
    return root / "manifest.csv"


def _write(root: Path, path: str, split: str, pid: int, camid: int, pixels: Any) -> Picture:
    data = encode_image(pixels, ".png", 90)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(data)
    return Picture(path, split, pixels.shape[1], pixels.shape[0], sha256(data), {"pid": pid, "camid": camid})


def changed(**recipe: Any) -> dict[str, Any]:
    spec = copy.deepcopy(SPEC)
    spec["recipe"] |= recipe
    return spec


def run_base(root: Path, out: Path, spec: dict[str, Any] = SPEC, seed: int = 7) -> Path:
    base = {name: spec[name] for name in ("recipe", "model", "desensitized")}
    train_base(
        root / "manifest.csv", root, base, seed, out / "base.pt", out / "reference.json", out / "base.csv",
        out / "base_people.csv", out / "resume_base", "cpu",
    )  # fmt: skip
    return out / "reference.json"


def run_joint(root: Path, out: Path, reference: Path | None, spec: dict[str, Any] = SPEC, seed: int = 7) -> None:
    train_anonymizer(
        root / "manifest.csv", root, spec, seed, out / "reid.pt", out / "anonymizer.pt", out / "recovery.pt",
        out / "history.csv", out / "upgrades.csv", out / "validation.csv", out / "people.csv", out / "resume",
        reference, "cpu",
    )  # fmt: skip


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[str]]:
    """The data set, the outputs of a base and a joint training, and the picture files that were opened."""
    root, out = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("out")
    write_dataset(root)
    opened: list[str] = []

    def recorded(path: Path) -> Any:
        opened.append(str(path.relative_to(root)))
        return read_image(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "read_image", recorded)
        reference = run_base(root, out)
        run_joint(root, out, reference)
    return root, out, opened


def test_no_test_image_is_opened(trained: tuple[Path, Path, list[str]]) -> None:
    root, out, opened = trained
    assert rows_of(out / "upgrades.csv"), "an upgrade is what might look at them"
    train = {picture.path for picture in read_manifest(root / "manifest.csv") if picture.split == "train"}
    assert set(opened) == train
    assert not (root / "query").exists()  # so that one that is opened by other means is an error, too
    assert not (root / "gallery").exists()


def test_the_recorder_would_see_a_test_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that looks at all people, not those of the training split alone, fails for want of their files."""
    write_dataset(tmp_path)
    monkeypatch.setattr(
        "anonbench.stages.train_base.read_training_people", lambda manifest, *_: read_manifest(manifest)
    )
    with pytest.raises(DataError, match=r"(query|gallery)/9_.*png: cannot be read"):
        run_base(tmp_path, tmp_path / "out")


def test_what_is_written(trained: tuple[Path, Path, list[str]]) -> None:
    _, out, _ = trained
    assert sorted(path.name for path in out.iterdir()) == [
        "anonymizer.pt", "base.csv", "base.pt", "base_people.csv", "history.csv", "people.csv", "recovery.pt",
        "reference.json", "reid.pt", "upgrades.csv", "validation.csv",
    ]  # fmt: skip
    history = rows_of(out / "history.csv")
    assert [*history[0]] == ["epoch", *JointTask.values, "lr", "images_per_second", "seconds"]
    assert len(history) == 2
    (first, last) = rows_of(out / "validation.csv")
    assert (first["epoch"], first["upgraded"], first["supervision"]) == ("1", "True", "upgraded")
    assert (last["epoch"], last["upgraded"]) == ("2", "False")
    for row in (first, last):
        for column in ("psnr_protected", "ssim_protected", "psnr_recovered", "ssim_recovered", "rank1"):
            assert np.isfinite(float(row[column]))
    (upgrade,) = rows_of(out / "upgrades.csv")
    assert (upgrade["epoch"], upgrade["psnr"], upgrade["rank1"]) == ("1", first["psnr_protected"], first["rank1"])
    reference = json.loads((out / "reference.json").read_text())
    assert float(upgrade["rank1_before"]) == pytest.approx(reference["rank1"] - 1)
    assert float(upgrade["psnr_limit"]) == pytest.approx(reference["psnr"] + 99)
    assert float(upgrade["ssim_limit"]) == pytest.approx(reference["ssim"] + 2)


def test_base_and_joint_training_divide_people_alike(trained: tuple[Path, Path, list[str]]) -> None:
    root, out, _ = trained
    assert (out / "people.csv").read_bytes() == (out / "base_people.csv").read_bytes()
    roles: dict[str, set[str]] = {}
    for row in rows_of(out / "people.csv"):
        roles.setdefault(row["role"], set()).add(row["path"].split("/")[1].split("_")[0])
    assert len(roles["train"]) == 4
    assert len(roles["query"] | roles["gallery"]) == 1
    assert not roles["train"] & (roles["query"] | roles["gallery"])
    train = {picture.path for picture in read_manifest(root / "manifest.csv") if picture.split == "train"}
    assert {row["path"] for row in rows_of(out / "people.csv")} == train


def test_a_second_key_is_judged_on_the_people_of_the_first(trained: tuple[Path, Path, list[str]]) -> None:
    """Else its rank-1 would be compared with that of a base on other people."""
    root, out, _ = trained
    roles = {}
    for name, division in (("alike", {"division_seed": 7}), ("other", {})):
        folder = out.parent / f"second_{name}"
        base = {key: changed(epochs=0)[key] for key in ("recipe", "model", "desensitized")}
        train_base(
            root / "manifest.csv", root, base, 1009, folder / "base.pt", folder / "reference.json",
            folder / "base.csv", folder / "people.csv", folder / "resume", "cpu", **division,
        )  # fmt: skip
        roles[name] = (folder / "people.csv").read_bytes()
    assert roles["alike"] == (out / "people.csv").read_bytes()
    assert roles["other"] != roles["alike"]


def test_the_keys_are_generators_that_say_what_they_are(trained: tuple[Path, Path, list[str]]) -> None:
    _, out, _ = trained
    anonymizer, about = load_generator(out / "anonymizer.pt")
    recovery, other = load_generator(out / "recovery.pt")
    assert (anonymizer.levels, anonymizer.width) == (recovery.levels, recovery.width) == (4, 2)
    assert about == {"role": "anonymizer", "desensitized": "gaussian_blur", "size": [HEIGHT, WIDTH], "seed": 7}
    assert other["role"] == "recovery"
    made = to_pixels(anonymizer(from_pixels(torch.zeros(1, 3, HEIGHT, WIDTH, dtype=torch.uint8))))
    assert made.shape == (1, 3, HEIGHT, WIDTH)


@pytest.mark.parametrize("name", ["reid.pt", "base.pt"])
def test_the_network_is_a_checkpoint_like_any_other(
    trained: tuple[Path, Path, list[str]], name: str, tmp_path: Path
) -> None:
    _, out, _ = trained
    pixels = np.random.default_rng(1).integers(0, 256, (70, 30, 3), dtype=np.uint8)
    rows = [_write(tmp_path, f"{split}/9.png", split, 9, n, pixels) for n, split in enumerate(("query", "gallery"))]
    write_manifest(tmp_path / "test.csv", rows)
    embed(out / name, tmp_path / "test.csv", tmp_path, tmp_path / "features.npz", "cpu", 1)
    features = np.load(tmp_path / "features.npz")["features"]
    assert features.shape == (2, 512)
    assert np.isfinite(features).all()


def test_the_same_seed_gives_the_same_files(trained: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    root, out, _ = trained
    run_joint(root, tmp_path, out / "reference.json")
    for name in ("anonymizer.pt", "recovery.pt", "reid.pt", "upgrades.csv", "validation.csv"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes(), name


def test_noise_is_drawn_anew_in_training_and_fixed_for_the_validation(
    trained: tuple[Path, Path, list[str]], tmp_path: Path
) -> None:
    root, _, _ = trained
    noise = GaussianNoise(0.2)
    spec = {**SPEC, "desensitized": {"method": "gaussian_noise", "std": 0.2, "resize": [HEIGHT, WIDTH]}}
    settings = _pairs.read_training(spec)
    people = read_training_people(root / "manifest.csv", None, None)
    one, two = (_pairs.load_pictures(root, people, settings, 7, 1, tmp_path) for _ in range(2))
    assert one.noise is not None
    assert one.noise.std == noise.std == 0.2
    assert torch.equal(one.desensitized, two.desensitized)
    assert one.taught_wanted == one.noise


def test_desensitized_pictures_are_made_from_the_resized_originals(
    trained: tuple[Path, Path, list[str]], tmp_path: Path
) -> None:
    from PIL import Image, ImageFilter

    root, _, _ = trained
    people = read_training_people(root / "manifest.csv", None, None)
    found = _pairs.load_pictures(root, people, _pairs.read_training(SPEC), 7, 1, tmp_path)
    picture = Image.open(root / people[3].path).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    blurred = picture.filter(ImageFilter.GaussianBlur(0.1 * WIDTH))
    np.testing.assert_array_equal(found.originals[3].permute(1, 2, 0).numpy(), np.asarray(picture))
    np.testing.assert_array_equal(found.desensitized[3].permute(1, 2, 0).numpy(), np.asarray(blurred))


def test_a_training_that_was_never_upgraded_says_so(
    trained: tuple[Path, Path, list[str]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root, _, _ = trained
    (tmp_path / "reference.json").write_text(json.dumps({"rank1": 1.0}))
    spec = changed(epochs=1, upgrade={"every": 1, "epsilon_rank1": 0, "epsilon_psnr": 0, "epsilon_ssim": 0})
    with caplog.at_level(logging.WARNING):
        run_joint(root, tmp_path, tmp_path / "reference.json", spec)
    assert "the supervision was never upgraded: " in caplog.text
    assert " of 1 validations met the privacy rule, with R1(raw, protected) " in caplog.text
    assert (tmp_path / "upgrades.csv").read_text().count("\n") == 1  # the header alone


def test_a_models_own_recipe_is_not_needed() -> None:
    """The rules leave it out: it trains nothing here, and a change of it must not re-run anything."""
    spec = changed()
    del spec["model"]["training"]
    settings = _pairs.read_training(spec)
    assert settings.build_network(3, 0).feature_dim > 0
    assert settings.checkpoint_entry["training"]["epochs"] == 2


def test_a_rule_that_was_never_met_is_not_taken_for_a_low_rank_1(caplog: pytest.LogCaptureFixture) -> None:
    def look(epoch: int, rank1: float, private: bool) -> Validated:
        return Validated(epoch, 20.0, 0.5, 30.0, 0.9, rank1, private, False, "desensitized")

    task = SimpleNamespace(
        reference=0.5, upgrades=[], upgrading=SimpleNamespace(limits=(18.0, 0.4), best=0.45),
        validated=[look(1, 0.3, True), look(2, 0.9, False)],
    )  # fmt: skip
    _say(task)  # type: ignore[arg-type]
    assert "1 of 2 validations met the privacy rule, with R1(raw, protected) 0.300 at most; expected" in caplog.text
    task.validated = task.validated[1:]
    _say(task)  # type: ignore[arg-type]
    assert "0 of 1 validations met the privacy rule, without which nothing is upgraded" in caplog.text


def test_a_last_epoch_that_breaks_the_privacy_rule_is_said(
    trained: tuple[Path, Path, list[str]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The blur is so strong that a generator's first picture is more alike."""
    root, _, _ = trained
    spec = changed(epochs=1, upgrade={"every": 1, "epsilon_psnr": 0, "epsilon_ssim": 0})
    spec |= {"upgrade": False, "desensitized": {"method": "zero", "resize": [HEIGHT, WIDTH]}}
    with caplog.at_level(logging.WARNING):
        run_joint(root, tmp_path, None, spec)
    assert "the privacy rule is NOT met: the protected pictures have" in caplog.text


# --- mistakes ---


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"desensitized": {"method": "gaussian_blur", "resize": [128, 64]}},
         r"has resize: \[128, 64\] and the model 'bot' has input: \[64, 48\]; expected the same"),
        ({"desensitized": {"method": "gaussian_blur"}}, r"has resize: None and"),
        ({"desensitized": {"method": "gaussian_blur", "sigma": 1, "resize": [HEIGHT, WIDTH]}}, r"sigma"),
        ({"recipe": {"generator": {"levels": 5}}}, r"5 levels .* 64 x 48 .* multiples of 32\. .* to 4 or fewer"),
        ({"recipe": {"epoch": 5}}, r"recipe has no key 'epoch': did you mean 'epochs'"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run_joint(tmp_path, tmp_path, None, {**SPEC, **change})


def test_upgrades_need_a_reference(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"upgrade is true, but no reference is given; expected the JSON that `train_b"
    ):
        run_joint(tmp_path, tmp_path, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a reference"),
        ('{"psnr": 3}', "'rank1' is missing"),
        ('{"rank1": 7}', "rank1 is 7.0; expected a share"),
    ],
)
def test_a_reference_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "reference.json").write_text(text)
    with pytest.raises(DataError, match=message):
        run_joint(tmp_path, tmp_path, tmp_path / "reference.json")


def test_people_who_are_nobody_are_refused(tmp_path: Path) -> None:
    write_manifest(tmp_path / "manifest.csv", [Picture("a.png", "train", 9, 9, "0", {"pid": -1, "camid": 0})])
    with pytest.raises(DataError, match=r"1 images of split 'train' have pid -1 \(junk\), first a\.png"):
        run_joint(tmp_path, tmp_path, None, {**SPEC, "upgrade": False})
    write_manifest(tmp_path / "manifest.csv", [Picture("a.png", "query", 9, 9, "0", {"pid": 1, "camid": 0})])
    with pytest.raises(DataError, match=r"no image has split 'train'"):
        run_joint(tmp_path, tmp_path, None, {**SPEC, "upgrade": False})


# --- restoration ---


def stored_copy(root: Path, folder: Path) -> Path:
    """A stored copy of the training pictures: smaller, and darker."""
    rows = []
    for picture in read_manifest(root / "manifest.csv"):
        if picture.split == "train":
            small = loading.resize(read_image(root / picture.path), (32, 16))
            rows.append(
                _write(folder, picture.path, "train", picture.labels["pid"], picture.labels["camid"], small // 2)
            )
    write_manifest(folder / "copy.csv", rows)
    return folder / "copy.csv"


def run_restoration(root: Path, shown: Path, out: Path, seed: int = 7) -> None:
    train_restoration(
        root / "manifest.csv", root, shown, shown.parent, {"recipe": SPEC["recipe"]}, seed, out / "recovery.pt",
        out / "history.csv", out / "resume", "cpu",
    )  # fmt: skip


def test_a_restoration_is_learnt_from_stored_pictures(trained: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    root, _, _ = trained
    out = tmp_path / "out"
    run_restoration(root, stored_copy(root, tmp_path / "copy"), out)
    assert sorted(path.name for path in out.iterdir()) == ["history.csv", "recovery.pt"]
    recovery, about = load_generator(out / "recovery.pt")
    assert about == {"role": "recovery", "size": [32, 16], "seed": 7}
    assert recovery(torch.zeros(1, 3, 32, 16)).shape == (1, 3, 32, 16)
    assert [row["epoch"] for row in rows_of(out / "history.csv")] == ["1", "2"]


def test_a_restoration_wants_all_pictures_in_one_size(trained: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    root, _, _ = trained
    shown = stored_copy(root, tmp_path / "copy")
    rows = read_manifest(shown)
    write_manifest(shown, rows[1:])
    with pytest.raises(DataError, match=r"1 of 30 training images are not in it, first train/0_0\.png"):
        run_restoration(root, shown, tmp_path)
    first = rows[0]
    write_manifest(shown, [Picture(first.path, "train", 99, 32, first.sha256, first.labels), *rows[1:]])
    with pytest.raises(DataError, match=r"pictures are of 2 sizes, such as 32 x 16 and 32 x 99"):
        run_restoration(root, shown, tmp_path)
