"""Tiny datasets in every native layout, made of random pixels: one writer for each dataset format.

`FORMATS` says for each registered format how to write a valid dataset and how to spoil it; a new adapter adds its own
entry, and the contract tests do the rest.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
from PIL import Image
from scene_writers import write_bdd100k, write_cityscapes, write_coco

from anonbench.datasets import SCENE_SPLITS, SPLITS, airport, msmt17
from anonbench.rendered import CropPlan, RenderSpec, plan_crops
from anonbench.rendered.plan import MARKET_FOLDERS, sidecars

TRAIN_PIDS, TEST_PIDS, CAMERAS = (2, 7, 11), (1, 3), (1, 2)
CUHK03_PERSONS = {1: (1, 2, 3), 2: (1, 2)}  # camera pair: persons; identities are numbered through


@dataclass(frozen=True)
class Format:
    """How the contract tests make and break a dataset of one format.

    write(root): a valid dataset with all its splits, at least one image outside the protocol and one sidecar.
    empty_split(root, split): takes every image of a split away.
    duplicate(root): lists one image twice.
    options: what `read` needs to accept it.
    splits: those that a dataset of the format must have.
    """

    write: Callable[[Path], object]
    empty_split: Callable[[Path, str], object]
    duplicate: Callable[[Path], object]
    options: dict[str, Any] = field(default_factory=dict)
    splits: tuple[str, ...] = SPLITS


def write_image(path: Path, seed: int = 0, width: int = 8, height: int = 16) -> None:
    """A random image in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


# --- Market-1501 ---


def write_market1501(
    root: Path, train_pids: Sequence[int] = TRAIN_PIDS, test_pids: Sequence[int] = TEST_PIDS, extras: bool = True
) -> None:
    """Two images an identity and camera in train and gallery, one in query; junk, distractors and extras beside."""
    names = []
    for camera in CAMERAS:
        for pid in train_pids:
            names += [f"bounding_box_train/{pid:04d}_c{camera}s1_{frame:06d}_01.jpg" for frame in (51, 76)]
        for pid in test_pids:
            names.append(f"query/{pid:04d}_c{camera}s1_000101_00.jpg")
            names += [f"bounding_box_test/{pid:04d}_c{camera}s1_{frame:06d}_01.jpg" for frame in (101, 126)]
        names += [f"bounding_box_test/{pid}_c{camera}s2_000151_02.jpg" for pid in ("-1", "0000")]
    for seed, name in enumerate(names):
        write_image(root / name, seed)
    if extras:
        write_image(root / "gt_bbox/0001_c1s1_000101_00.jpg")
        write_image(root / "ground_truth/masks/0001_c1s1_000101_00.png")
        write_image(root / "query/._0001_c1s1_000101_00.jpg")
        (root / "gt_query").mkdir()
        scipy.io.savemat(root / "gt_query/0001_c1s1_000101_00_good.mat", {"good_index": [1, 2]})
        (root / "ground_truth/annotations.csv").write_text("path,x0,y0,x1,y1\n")
        (root / "bounding_box_train/Thumbs.db").write_bytes(b"thumbnails")
        (root / "query/.DS_Store").write_bytes(b"")
        (root / "readme.txt").write_text("Market-1501\n")


# --- CUHK03 ---


def cuhk03_filelist() -> list[tuple[str, int, int]]:
    """(file name, identity, camera) of two images a person and view, in the protocol's order."""
    entries, identity = [], 0
    for pair, persons in CUHK03_PERSONS.items():
        for person in persons:
            identity += 1
            for view, numbers in ((1, (1, 3)), (2, (6, 10))):
                entries += [(f"{pair}_{person:03d}_{view}_{n:02d}.png", identity, view) for n in numbers]
    return entries


def write_cuhk03_protocol(folder: Path, boxes: str = "detected", **changes: Any) -> Path:
    """A protocol file: identities 1-3 train; of each later one the first image a view is the query.

    changes: replace whole variables, for making bad files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries = cuhk03_filelist()
    names = np.empty((len(entries), 1), dtype=object)
    names[:, 0] = [name for name, _, _ in entries]
    train = [i for i, (_, pid, _) in enumerate(entries, 1) if pid <= 3]
    query = [i for i, (name, pid, _) in enumerate(entries, 1) if pid > 3 and name.endswith(("01.png", "06.png"))]
    content: dict[str, Any] = {
        "filelist": names,
        "labels": _column([pid for _, pid, _ in entries], np.uint16),
        "camId": _column([camera for _, _, camera in entries], np.uint8),
        "train_idx": _column(train, np.uint16),
        "query_idx": _column(query, np.uint16),
        "gallery_idx": _column(sorted(set(range(1, len(entries) + 1)) - set(train) - set(query)), np.uint16),
    }
    content.update(changes)
    path = folder / f"cuhk03_new_protocol_config_{boxes}.mat"
    scipy.io.savemat(path, {key: value for key, value in content.items() if value is not None})
    return path


def write_cuhk03_extracted(root: Path, boxes: str = "detected", suffix: str = ".png") -> None:
    """Extracted images with the protocol file, one stray image and a read-me."""
    write_cuhk03_protocol(root, boxes)
    for seed, (name, _, _) in enumerate(cuhk03_filelist()):
        write_image(root / f"images_{boxes}" / Path(name).with_suffix(suffix), seed)
    write_image(root / f"images_{boxes}" / "9_999_1_01.png")
    (root / "readme.txt").write_text("CUHK03\n")


def write_cuhk03_mat(root: Path, boxes: str = "detected") -> dict[str, np.ndarray]:
    """`cuhk03_release/cuhk-03.mat` as MATLAB writes it, and the protocol file; returns the images by name."""
    write_cuhk03_protocol(root, boxes)
    (root / "cuhk03_release").mkdir(parents=True)
    rng, images = np.random.default_rng(5), {}
    listed = {name for name, _, _ in cuhk03_filelist()}
    with h5py.File(root / "cuhk03_release" / "cuhk-03.mat", "w", userblock_size=512) as release:
        contents = release.create_group("#refs#")
        pairs = release.create_dataset(boxes, (1, len(CUHK03_PERSONS)), dtype=h5py.ref_dtype)
        for p, (pair, persons) in enumerate(CUHK03_PERSONS.items()):
            cells = contents.create_dataset(f"pair{pair}", (10, len(persons)), dtype=h5py.ref_dtype)
            pairs[0, p] = cells.ref
            for column, person in enumerate(persons):
                for number in range(1, 11):
                    name = f"{pair}_{person:03d}_{1 + (number > 5)}_{number:02d}.png"
                    if name in listed:
                        image = rng.integers(0, 256, (12 + number, 7 + person, 3), dtype=np.uint8)  # (H, W, 3)
                        cell = contents.create_dataset(name, data=image.transpose(2, 1, 0))
                        images[name] = image
                    else:
                        cell = contents.create_dataset(name, data=np.zeros(2, dtype=np.uint64))
                        cell.attrs["MATLAB_empty"] = np.uint8(1)
                    cells[number - 1, column] = cell.ref
    return images


def _empty_cuhk03(root: Path, split: str) -> None:
    write_cuhk03_protocol(root, **{f"{split}_idx": _column([], np.uint16)})


def _column(values: Sequence[int], dtype: type) -> np.ndarray:
    return np.array(values, dtype=dtype).reshape(-1, 1)


# --- folder ---


def folder_rows() -> list[tuple[str, int, int, str]]:
    """(path, pid, camid, split) of the rows that `write_folder` writes."""
    rows = []
    for camera in CAMERAS:
        rows += [(f"cam{camera}/{pid}_train.jpg", pid, camera, "train") for pid in TRAIN_PIDS]
        rows += [(f"cam{camera}/{pid}_query.png", pid, camera, "query") for pid in TEST_PIDS]
        rows += [(f"cam{camera}/{pid}_gallery.bmp", pid, camera, "gallery") for pid in (-1, 0, *TEST_PIDS)]
    return rows


def write_folder(root: Path, rows: Sequence[Sequence[object]] | None = None, table: str = "images.csv") -> None:
    """Images, one stray image, a read-me and the CSV; `rows` replaces the rows of the CSV alone."""
    for seed, (path, *_) in enumerate(folder_rows()):
        write_image(root / path, seed)
    write_image(root / "stray.jpg")
    (root / "readme.md").write_text("mine\n")
    with (root / table).open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("path", "pid", "camid", "split"), *(folder_rows() if rows is None else rows)])


# --- the layouts that only the renderer's planner writes ---


def write_layout(root: Path, layout: str, **changes: Any) -> list[CropPlan]:
    """The files of a rendered dataset with random pixels in place of people; a stray image and a read-me beside."""
    settings = {"train_identities": 4, "test_identities": 3, "cameras": 3, "junk": 0, "distractors": 0} | changes
    spec = RenderSpec(layout=layout, seed=3, **settings)
    plans = plan_crops(spec)
    for seed, plan in enumerate(plans):
        write_image(root / plan.path, seed)
    for name, content in sidecars(spec, plans).items():
        (root / name).write_bytes(content)
    write_image(root / "ground_truth/masks/mask.png")
    (root / "readme.txt").write_text(f"{layout}\n")
    return plans


def _empty_folder(folders: dict[str, str]) -> Callable[[Path, str], None]:
    def empty(root: Path, split: str) -> None:
        for path in (root / folders[split]).glob("*.*"):
            path.unlink()

    return empty


VIPER = {"cameras": 2, "images_per_camera": 1}


def write_splits_json(root: Path, splits: Sequence[dict[str, list[str]]]) -> None:
    """torchreid's split file; paths as on another machine, identities numbered anew."""
    entries = [
        {split: [[f"/data/VIPeR/{path}", n, 0] for n, path in enumerate(paths)] for split, paths in roles.items()}
        for roles in splits
    ]
    (root / "splits.json").write_text(json.dumps(entries))


def _empty_viper(root: Path, split: str) -> None:
    """A split file whose only split has nobody in one role."""
    images = {camera: sorted(p.relative_to(root).as_posix() for p in (root / camera).glob("*.bmp"))
              for camera in ("cam_a", "cam_b")}  # fmt: skip
    half = len(images["cam_a"]) // 2
    roles = {
        "train": {"train": [], "query": images["cam_a"], "gallery": images["cam_b"]},
        "query": {"train": images["cam_a"][:half] + images["cam_b"][:half], "query": [],
                  "gallery": images["cam_a"][half:] + images["cam_b"][half:]},
        "gallery": {"train": images["cam_a"][:half] + images["cam_b"][:half],
                    "query": images["cam_a"][half:] + images["cam_b"][half:], "gallery": []},
    }  # fmt: skip
    write_splits_json(root, [roles[split]])


def write_airport(root: Path) -> None:
    """With a split file, so that a split can be emptied."""
    write_layout(root, "airport", distractors=3)
    rows = [f"{r.path},{r.split}\n" for r in airport.read(root, expect="any").images]
    (root / "split.csv").write_text("path,split\n" + "".join(rows))


def _empty_airport(root: Path, split: str) -> None:
    lines = (root / "split.csv").read_text().splitlines(keepends=True)
    (root / "split.csv").write_text("".join(line for line in lines if not line.endswith(f",{split}\n")))


def _empty_msmt17(root: Path, split: str) -> None:
    for name, role in msmt17.LISTS.items():
        if role == split:
            (root / name).write_text("")


def _repeat_line(root: Path, *names: str) -> None:
    for name in names:
        text = (root / name).read_text()
        (root / name).write_text(text + text.splitlines()[0] + "\n")


FORMATS = {
    "market1501": Format(
        write_market1501,
        _empty_folder(MARKET_FOLDERS),
        lambda root: write_image(root / "query/0001_c1s1_000101_00.png"),
        {"expect": "any"},
    ),
    "cuhk03": Format(
        write_cuhk03_extracted,
        _empty_cuhk03,
        lambda root: write_image(root / "images_detected/1_001_1_01.jpg"),
        {"expect": "any"},
    ),
    "dukemtmcreid": Format(
        lambda root: write_layout(root, "dukemtmcreid", distractors=2),
        _empty_folder(MARKET_FOLDERS),
        lambda root: write_image(
            sorted((root / "query").glob("*.jpg"))[0].with_suffix(".png"),
        ),
        {"expect": "any"},
    ),
    "viper": Format(
        lambda root: write_layout(root, "viper", **VIPER),
        _empty_viper,
        lambda root: write_image(sorted((root / "cam_a").glob("*.bmp"))[0].with_suffix(".png")),
        {"expect": "any"},
    ),
    "airport": Format(
        write_airport,
        _empty_airport,
        lambda root: _repeat_line(root, "filepath.txt", "personID.txt", "camID.txt"),
        {"expect": "any", "split_file": "split.csv"},
    ),
    "msmt17": Format(
        lambda root: write_layout(root, "msmt17"),
        _empty_msmt17,
        lambda root: _repeat_line(root, "list_query.txt"),
        {"expect": "any"},
    ),
    "coco": Format(
        write_coco,
        _empty_folder({split: f"{split}2017" for split in SCENE_SPLITS}),
        lambda root: write_image(root / "val2017/000000000004.png"),
        {"expect": "any"},
        SCENE_SPLITS,
    ),
    "cityscapes": Format(
        write_cityscapes,
        _empty_folder({split: f"leftImg8bit/{split}/ulm" for split in SCENE_SPLITS}),
        lambda root: write_image(root / "leftImg8bit/val/ulm/ulm_000000_000004_leftImg8bit.jpg"),
        {"expect": "any"},
        SCENE_SPLITS,
    ),
    "bdd100k": Format(
        write_bdd100k,
        _empty_folder({split: f"images/10k/{split}" for split in SCENE_SPLITS}),
        lambda root: write_image(root / "images/10k/val/0000000d-4.png"),
        {"expect": "any"},
        SCENE_SPLITS,
    ),
    "folder": Format(
        write_folder,
        lambda root, split: write_folder(root, [row for row in folder_rows() if row[3] != split]),
        lambda root: write_folder(root, [*folder_rows(), folder_rows()[0]]),
    ),
}
