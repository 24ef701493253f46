"""Which crops a dataset consists of: a list of small plans, made before anything is drawn.

A plan says who is seen by which camera under which file name. `crop.py` draws it, `dataset.py` writes it. A new native
layout is a new entry of `LAYOUTS`: how it names a sighting, and the protocol files that it ships beside the images.
"""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.io

from anonbench.core.errors import ConfigError
from anonbench.data.seeding import generator
from anonbench.datasets import DISTRACTOR_PID, JUNK_PID
from anonbench.rendered.camera import VIEW_SHARES, VIEWS
from anonbench.rendered.spec import EMPTY, POOR, CropPlan, RenderSpec

SEQUENCES = 6
MARKET_FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
AIRPORT_DISTRACTORS = 1_320_011  # the numbers from here on are nobody who is looked for
VIPER_ANGLES = {"front": 0, "three_quarter": 45, "profile": 90, "back": 180}

Names = Callable[[CropPlan, int], str]
"""(plan without a path, number of the image among those of its person and camera) -> path"""


@dataclass(frozen=True)
class Layout:
    """A native layout.

    names(rng): makes the function that names the images; rng serves names with random parts.
    sidecars: the protocol files, path -> content, of a list of plans.
    check: raises `ConfigError` for a spec that the layout cannot hold.
    distractor_pid: how the layout numbers the k-th stranger.
    shows_view: whether names say from which side a person is seen. The view is then drawn before the name.
    """

    names: Callable[[np.random.Generator], Names]
    sidecars: Callable[[Sequence[CropPlan]], Mapping[str, bytes]] = field(default=lambda plans: {})
    check: Callable[[RenderSpec], None] = field(default=lambda spec: None)
    distractor_pid: Callable[[RenderSpec, int], int] = field(default=lambda spec, k: DISTRACTOR_PID)
    shows_view: bool = False


def plan_crops(spec: RenderSpec) -> list[CropPlan]:
    """All crops of a dataset, sorted by path."""
    layout = LAYOUTS[spec.layout]
    rng = generator(spec.seed, "plan", spec.layout)
    plans = _sightings(spec, rng, layout)
    if layout.shows_view:
        plans = [replace(plan, view=_view(spec, rng, plan.camid)) for plan in plans]
        name = layout.names(rng)
        plans = [replace(plan, path=name(plan, 0)) for plan in plans]
    return sorted(_dressed(spec, plans), key=lambda plan: plan.path)


def sidecars(spec: RenderSpec, plans: Sequence[CropPlan]) -> Mapping[str, bytes]:
    """The protocol files that the layout ships beside the images: path -> content."""
    return LAYOUTS[spec.layout].sidecars(plans)


def _sightings(spec: RenderSpec, rng: np.random.Generator, layout: Layout) -> list[CropPlan]:
    """Who is seen where: people of both halves, badly framed junk, strangers and false alarms as distractors.

    One image of a test person and camera is the query. Its twins by the same camera stay in the gallery, where the
    metric ignores them. With one image per camera half of each person's cameras give queries and the other half the
    gallery.
    """
    people = spec.train_identities + spec.test_identities
    pids = rng.permutation(np.arange(1, people + 1))
    groups = math.ceil(spec.train_identities / spec.clothes_group)
    first_test = groups * spec.clothes_group  # so that no group of clothes spans both halves
    name = layout.names(rng)
    plans: list[CropPlan] = []

    def see(plan: CropPlan, image: int = 0) -> None:
        plans.append(plan if layout.shows_view else replace(plan, path=name(plan, image)))

    for i, pid in enumerate(sorted(pids[: spec.train_identities].tolist())):
        for camera in _seen_by(spec, rng):
            for image in range(spec.images_per_camera):
                see(CropPlan("", pid, camera, i, split="train"), image)
    test_people = range(first_test, first_test + spec.test_identities)
    for person, pid in zip(test_people, sorted(pids[spec.train_identities :].tolist()), strict=True):
        seen_by = _seen_by(spec, rng)
        for k, camera in enumerate(seen_by):
            for image in range(spec.images_per_camera):
                query = image == 0 and (spec.images_per_camera > 1 or k < len(seen_by) // 2)
                see(CropPlan("", pid, camera, person, split="query" if query else "gallery"), image)
    for _ in range(spec.junk):
        camera = int(rng.integers(1, spec.cameras + 1))
        person = int(rng.choice(np.array(test_people)))
        see(CropPlan("", JUNK_PID, camera, person, POOR, "gallery"))
    strangers = first_test + spec.test_identities
    for k in range(spec.distractors):
        camera = int(rng.integers(1, spec.cameras + 1))
        pid = layout.distractor_pid(spec, k)
        if k % 3 == 2:
            see(CropPlan("", pid, camera, None, EMPTY, "gallery"))
        else:
            see(CropPlan("", pid, camera, strangers + k, split="gallery"))
    return plans


def _dressed(spec: RenderSpec, plans: Sequence[CropPlan]) -> list[CropPlan]:
    """The plans with the outfit that each person wears (`RenderSpec.other_clothes`)."""
    images: Counter[int] = Counter()
    dressed = []
    for plan in plans:
        person = plan.person
        if person is None or plan.pid <= DISTRACTOR_PID or not _changes_clothes(spec, person):
            dressed.append(plan)
            continue
        images[person] += 1
        other = plan.split == "query" or (plan.split == "train" and images[person] % 2 == 0)
        dressed.append(replace(plan, outfit=int(other)))
    return dressed


def _changes_clothes(spec: RenderSpec, person: int) -> bool:
    return bool(generator(spec.seed, "changes clothes", person).random() < spec.other_clothes)


def _seen_by(spec: RenderSpec, rng: np.random.Generator) -> list[int]:
    """The cameras (1..) that see one person: at least two."""
    order, luck = rng.permutation(spec.cameras), rng.random(spec.cameras)
    return sorted(int(c) + 1 for k, c in enumerate(order) if k < 2 or luck[k] < spec.camera_coverage)


def _view(spec: RenderSpec, rng: np.random.Generator, camera: int) -> str:
    """A view, drawn as often as the camera should see it."""
    lists = spec.view_shares or (VIEW_SHARES,)
    shares = np.array(lists[(camera - 1) % len(lists)])
    return str(rng.choice(VIEWS, p=shares / shares.sum()))


# ------------------------------------------------------------------------------------------------------- the layouts
def _once(draw: Callable[[CropPlan], str]) -> Names:
    """Names with random parts, none twice."""
    used: set[str] = set()

    def name(plan: CropPlan, image: int) -> str:
        while (path := draw(plan)) in used:
            pass
        used.add(path)
        return path

    return name


def _market1501(rng: np.random.Generator) -> Names:
    """`PPPP_cCsS_FFFFFF_BB.jpg`: person, camera, sequence, frame, number of the box; `-1` junk, `0000` distractors.

    Source: Zheng et al. 2015, "Scalable Person Re-identification: A Benchmark".
    """

    def draw(plan: CropPlan) -> str:
        label = str(plan.pid) if plan.pid < 0 else f"{plan.pid:04d}"
        sequence, frame, box = rng.integers(1, SEQUENCES + 1), rng.integers(1, 120000), rng.integers(1, 7)
        return f"{MARKET_FOLDERS[str(plan.split)]}/{label}_c{plan.camid}s{sequence}_{frame:06d}_{box:02d}.jpg"

    return _once(draw)


def _dukemtmcreid(rng: np.random.Generator) -> Names:
    """Market-1501's folders, names `PPPP_cC_fFFFFFFF.jpg`; distractors are numbered like people.

    Deviation: every third distractor shows nobody. The original's boxes were drawn by hand and all show people.
    """

    def draw(plan: CropPlan) -> str:
        frame = rng.integers(1, 300_000)
        return f"{MARKET_FOLDERS[str(plan.split)]}/{plan.pid:04d}_c{plan.camid}_f{frame:07d}.jpg"

    return _once(draw)


def _cuhk03(rng: np.random.Generator) -> Names:
    """`images_detected/1_PPP_V_NN.png`: camera pair, person, view, image (1 to 5 and 6 to 10).

    Up to 999 people are of camera pair 1, and so on.
    """

    def name(plan: CropPlan, image: int) -> str:
        pair, person = divmod(plan.pid - 1, 999)
        number = image + 1 + 5 * (plan.camid - 1)
        return f"images_detected/{pair + 1}_{person + 1:03d}_{plan.camid}_{number:02d}.png"

    return name


def _cuhk03_protocol(plans: Sequence[CropPlan]) -> Mapping[str, bytes]:
    """The 767/700 protocol's file: names, identities, cameras and one-based indices of the three splits."""
    names = np.empty((len(plans), 1), dtype=object)
    names[:, 0] = [plan.path.partition("/")[2] for plan in plans]
    content: dict[str, object] = {
        "filelist": names,
        "labels": np.array([[plan.pid] for plan in plans], np.uint16),
        "camId": np.array([[plan.camid] for plan in plans], np.uint8),
    }
    for split in ("train", "query", "gallery"):
        indices = [number for number, plan in enumerate(plans, 1) if plan.split == split]
        content[f"{split}_idx"] = np.array(indices, np.uint32).reshape(-1, 1)
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, content)
    written = buffer.getvalue()
    return {"cuhk03_new_protocol_config_detected.mat": MAT_TEXT + written[len(MAT_TEXT) :]}


MAT_TEXT = b"MATLAB 5.0 MAT-file".ljust(116)  # where SciPy writes the time of day, which would change the bytes


def _viper(rng: np.random.Generator) -> Names:
    """`cam_a/PPP_AA.bmp`, `cam_b/PPP_AA.bmp`: person and viewpoint angle, one image a camera.

    Source: Gray and Tao, ECCV 2008. Deviation: four angles, one for each of the renderer's views.
    """
    return lambda plan, image: f"cam_{'ab'[plan.camid - 1]}/{plan.pid - 1:03d}_{VIPER_ANGLES[str(plan.view)]}.bmp"


def _airport(rng: np.random.Generator) -> Names:
    """`camC/PPPPPPP/FFFFFF.jpg`, listed in `filepath.txt` with backslashes."""
    return _once(lambda plan: f"cam{plan.camid}/{plan.pid:07d}/{rng.integers(1, 999_999):06d}.jpg")


def _airport_lists(plans: Sequence[CropPlan]) -> Mapping[str, bytes]:
    return {
        "filepath.txt": _lines(plan.path.replace("/", "\\") for plan in plans),
        "personID.txt": _lines(plan.pid for plan in plans),
        "camID.txt": _lines(plan.camid for plan in plans),
    }


def _msmt17(rng: np.random.Generator) -> Names:
    """Version 1: `train/PPPP/PPPP_NNN_CC_MMDDtime_FFFF_B.jpg` and `test/…`; persons count from 0 in both halves."""
    persons: dict[str, dict[int, int]] = {"train": {}, "test": {}}  # pid -> its number in the half

    def draw(plan: CropPlan) -> str:
        part = "train" if plan.split == "train" else "test"
        person = persons[part].setdefault(plan.pid, len(persons[part]))
        number, frame = rng.integers(0, 1000), rng.integers(1, 10_000)
        moment = ("morning", "noon", "afternoon")[int(rng.integers(0, 3))]
        day = int(rng.integers(1, 31))
        return f"{part}/{person:04d}/{person:04d}_{number:03d}_{plan.camid:02d}_03{day:02d}{moment}_{frame:04d}_0.jpg"

    return _once(draw)


def _msmt17_lists(plans: Sequence[CropPlan]) -> Mapping[str, bytes]:
    """`<path below train or test> <number>`; every tenth training image is in the validation list."""

    def listed(*chosen: CropPlan) -> bytes:
        below = [plan.path.partition("/")[2] for plan in chosen]
        return _lines(f"{path} {int(path.partition('/')[0])}" for path in below)

    train = [plan for plan in plans if plan.split == "train"]
    return {
        "list_train.txt": listed(*(plan for k, plan in enumerate(train) if k % 10)),
        "list_val.txt": listed(*train[::10]),
        "list_query.txt": listed(*(plan for plan in plans if plan.split == "query")),
        "list_gallery.txt": listed(*(plan for plan in plans if plan.split == "gallery")),
    }


def _lines(values: object) -> bytes:
    return "".join(f"{value}\n" for value in values).encode()  # type: ignore[attr-defined]


def _demand(**limits: tuple[int, int]) -> Callable[[RenderSpec], None]:
    """A check that fields of the spec lie within the limits of a layout."""

    def check(spec: RenderSpec) -> None:
        for name, (low, high) in limits.items():
            if not low <= getattr(spec, name) <= high:
                wanted = str(low) if low == high else f"{low} to {high}"
                raise ConfigError(f"render: layout '{spec.layout}' wants {name} {wanted}, got {getattr(spec, name)}")

    return check


LAYOUTS: dict[str, Layout] = {
    "market1501": Layout(_market1501),
    "dukemtmcreid": Layout(
        _dukemtmcreid,
        check=_demand(junk=(0, 0)),
        distractor_pid=lambda spec, k: spec.train_identities + spec.test_identities + 1 + k,
    ),
    "cuhk03": Layout(
        _cuhk03,
        _cuhk03_protocol,
        _demand(cameras=(2, 2), images_per_camera=(1, 5), junk=(0, 0), distractors=(0, 0)),
    ),
    "viper": Layout(
        _viper,
        check=_demand(cameras=(2, 2), images_per_camera=(1, 1), junk=(0, 0), distractors=(0, 0), other_clothes=(0, 0)),
        shows_view=True,
    ),
    "airport": Layout(
        _airport,
        _airport_lists,
        _demand(junk=(0, 0), other_clothes=(0, 0)),  # its reader draws query and gallery itself, as VIPeR's does
        distractor_pid=lambda spec, k: AIRPORT_DISTRACTORS + k,
    ),
    "msmt17": Layout(_msmt17, _msmt17_lists, _demand(junk=(0, 0), distractors=(0, 0))),
}
