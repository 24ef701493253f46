"""Writing a rendered dataset: many crops in parallel, ground truth beside them, all or nothing."""

from __future__ import annotations

import csv
import multiprocessing
import signal
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from multiprocessing.synchronize import Event
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from anonbench.core.errors import AnonbenchError, ConfigError
from anonbench.core.files import atomic_folder
from anonbench.core.parallel import end_with_parent, single_threaded_children
from anonbench.core.progress import ProgressBar
from anonbench.data.annotations import FILE as TRUTH
from anonbench.data.images import decode_image, encode_image
from anonbench.rendered.crop import Crop, Studio
from anonbench.rendered.plan import plan_crops, sidecars
from anonbench.rendered.spec import CropPlan, RenderSpec
from anonbench.rendered.truth import COCO_KEYPOINTS, FACE_THRESHOLD

TRUTH_FOLDER = str(PurePosixPath(TRUTH).parent)
ANNOTATION_COLUMNS = (
    "path", "pid", "camid", "view", "yaw", "x0", "y0", "x1", "y1", "face_fraction", "skin_tone", "occluded",
    "face_occluded",
)  # fmt: skip
KEYPOINT_COLUMNS = ("path", *(f"{name}_{value}" for name in COCO_KEYPOINTS for value in ("x", "y", "v")))
CHUNK = 24  # crops a job; people are not split over jobs unless they have more crops
Row = dict[str, str]


def render_dataset(spec: RenderSpec, output: Path, workers: int, progress: bool = True) -> None:
    """Draw every crop of `spec` and write them to the folder `output` in the native layout.

    The folder appears when it is complete: it is written beside its place and renamed. The bytes depend on the spec,
    not on the number of workers.

    workers: processes to use, >= 1.
    progress: show a bar on a terminal.
    Raises `DataError` when `output` exists with content or cannot be written, `ConfigError` for a bad worker count.
    """
    if workers < 1:
        raise ConfigError(f"render: workers must be at least 1, got {workers}")
    plans = plan_crops(spec)
    with atomic_folder(Path(output)) as folder:
        for place in sorted({str(Path(plan.path).parent) for plan in plans}):
            (folder / place).mkdir(parents=True, exist_ok=True)
            (folder / TRUTH_FOLDER / "masks" / place).mkdir(parents=True, exist_ok=True)
        rows = _render_parallel(spec, plans, folder, workers, progress)
        rows.sort(key=lambda pair: pair[0]["path"])
        for name, content in sidecars(spec, plans).items():
            (folder / name).write_bytes(content)
        _write_csv(folder / TRUTH, ANNOTATION_COLUMNS, [a for a, _ in rows])
        _write_csv(folder / TRUTH_FOLDER / "keypoints.csv", KEYPOINT_COLUMNS, [k for _, k in rows])
        (folder / TRUTH_FOLDER / "README.txt").write_text(_readme(spec, plans), encoding="utf-8")


# ---------------------------------------------------------------------------------------------- parallel drawing
def _render_parallel(
    spec: RenderSpec, plans: Sequence[CropPlan], folder: Path, workers: int, progress: bool
) -> list[tuple[Row, Row]]:
    jobs = _jobs(plans)
    rows: list[tuple[Row, Row]] = []
    # Fresh processes, even for one worker: NumPy reads its thread settings when it is imported.
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    with single_threaded_children():
        pool = ProcessPoolExecutor(min(workers, len(jobs)), context, _start_worker, (spec, str(folder), stop))
        try:
            pending: set[Future] = {pool.submit(_draw_job, job) for job in jobs}
            with ProgressBar(len(plans), "render", "images", silent=not progress) as bar:
                while pending:
                    done, pending = wait(pending, return_when=FIRST_EXCEPTION, timeout=0.5)
                    for future in done:
                        rows += (drawn := future.result())
                        bar.update(len(drawn))
        except BrokenProcessPool as error:
            raise AnonbenchError(
                "render: a drawing process ended unexpectedly (killed, or out of memory). Nothing was written. "
                "Try again with fewer workers."
            ) from error
        finally:
            stop.set()  # after Ctrl-C or a failure, let running jobs end at their next crop
            pool.shutdown(wait=True, cancel_futures=True)
    return rows


def _jobs(plans: Sequence[CropPlan]) -> list[list[CropPlan]]:
    """Crops grouped by person, so that a person's surfaces are built once."""
    by_person: dict[int, list[CropPlan]] = {}
    for plan in plans:
        by_person.setdefault(-1 if plan.person is None else plan.person, []).append(plan)
    jobs: list[list[CropPlan]] = [[]]
    for person in sorted(by_person):
        if jobs[-1] and len(jobs[-1]) + len(by_person[person]) > CHUNK:
            jobs.append([])
        jobs[-1] += by_person[person]
    return jobs


_worker: tuple[Studio, Path, Event] | None = None


def _start_worker(spec: RenderSpec, folder: str, stop: Event) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which stops the pool
    end_with_parent()
    cv2.setNumThreads(1)
    _worker = (Studio(spec), Path(folder), stop)


def _draw_job(plans: Sequence[CropPlan]) -> list[tuple[Row, Row]]:
    assert _worker is not None
    studio, folder, stop = _worker
    rows = []
    for plan in plans:
        if stop.is_set():
            break
        crop = studio.draw(plan)
        (folder / plan.path).write_bytes(encode(crop, Path(plan.path).suffix))
        mask = (crop.truth.mask * 255).astype(np.uint8)
        mask_file = folder / TRUTH_FOLDER / "masks" / Path(plan.path).with_suffix(".png")
        mask_file.write_bytes(cv2.imencode(".png", mask)[1].tobytes())
        rows.append((_annotation(plan, crop), _keypoints(plan, crop)))
    return rows


def encode(crop: Crop, suffix: str) -> bytes:
    """The file of a crop: the camera's own JPEG, or its pixels in a lossless format that the layout wants."""
    jpeg = encode_jpeg(crop)
    if suffix == ".jpg":
        return jpeg
    return encode_image(decode_image(jpeg, "a rendered crop"), suffix, crop.jpeg_quality)


def encode_jpeg(crop: Crop) -> bytes:
    """The file that the camera delivers: JPEG at its own quality, with the usual chroma subsampling."""
    bgr = np.ascontiguousarray(crop.image[..., ::-1])
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, crop.jpeg_quality])[1].tobytes()


# ---------------------------------------------------------------------------------------------- ground truth files
def _annotation(plan: CropPlan, crop: Crop) -> Row:
    truth = crop.truth
    box = [f"{v:.1f}" for v in truth.face_box] if truth.face_box else [""] * 4
    yaw = "" if truth.yaw_deg is None else f"{truth.yaw_deg:.1f}"
    tone = "" if truth.skin_tone is None else str(truth.skin_tone)
    values = (
        plan.path, plan.pid, plan.camid, truth.view or "", yaw, *box, f"{truth.face_fraction:.3f}", tone,
        int(truth.occluded), int(truth.face_occluded),
    )  # fmt: skip
    return dict(zip(ANNOTATION_COLUMNS, map(str, values), strict=True))


def _keypoints(plan: CropPlan, crop: Crop) -> Row:
    values = [plan.path]
    for point in crop.truth.keypoints:
        values += [f"{point.x:.1f}", f"{point.y:.1f}", str(point.visibility)]
    return dict(zip(KEYPOINT_COLUMNS, values, strict=True))


def _write_csv(file: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _readme(spec: RenderSpec, plans: Sequence[CropPlan]) -> str:
    settings = "\n".join(f"  {name}: {value}" for name, value in asdict(spec).items())
    return f"""These {len(plans)} images are rendered by anonbench. They show nobody.

They check that a pipeline works; they are not evidence about real people.

annotations.csv  one row an image: pid, camid; view and yaw of the head relative to the camera (degrees, 0 = facing
                 it); x0, y0, x1, y1 of the visible face (pixels, half-open; empty when less than {FACE_THRESHOLD} of
                 the frontal face area shows); face_fraction (visible over frontal face area); skin_tone (0 lightest);
                 occluded, face_occluded (1: something hides more than 5 % of the person, of the face).
                 Passers-by at the edge are not annotated.
keypoints.csv    COCO's 17 keypoints: x, y in pixels, v = 0 outside the image, 1 hidden, 2 visible.
masks/           visible pixels of the person (255), named like the images.

Settings:
{settings}
"""
