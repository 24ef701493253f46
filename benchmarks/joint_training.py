"""A step of Study 2's joint training beside a plain PyTorch rendering of the public recipe.

    python -m benchmarks.joint_training [--size 256x128] [--width 64] [--depth 50] [--batch 16] [--runs 3] [--write]

The plain rendering is what one writes first: a `Dataset` that decodes a file, resizes it with torchvision's filter and
blurs it with Pillow, every time it is asked for; a `DataLoader` in the process that trains; contiguous float32; one
pass through the re-identification network for the raw pictures and one for the protected ones; discriminators that are
not frozen while the generators learn; `torch.optim.Adam` as it comes. Networks and losses are the same in both.

Each runs in a process of its own, one thread each, `--runs` times in turn; processor time of a step divided by its
images, after two steps that warm up; the best run counts. Memory is the peak resident set minus that before the
networks are built. The Markdown goes to standard output and, with `--write`, into benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from anonbench.rendered import CropPlan, RenderSpec, Studio
from anonbench.tasks.reid.augmentation import normalize
from anonbench.tasks.reid.losses import CenterLoss, reid_loss
from anonbench.tasks.reid.models._network import TrainingOutput, create_model
from anonbench.tasks.reversible.networks import PatchDiscriminator
from anonbench.tasks.reversible.recipe import JointRecipe
from anonbench.tasks.reversible.training import JointTask
from anonbench.tasks.reversible.validation import Quality
from anonbench.training.device import select_device, uses_bfloat16
from anonbench.training.fit import Run, Step
from anonbench.training.generators import UNet
from anonbench.training.loading import load_images
from benchmarks.report import machine, versions, write_block

PACKAGES = ("torch", "pillow")
IDENTITIES, IMAGES = 8, 4
WARM = 2  # steps
SIGMA = 0.09375  # of the width: Pillow's radius 12 on 128 pixels


def recipe(settings: argparse.Namespace) -> JointRecipe:
    images = 4
    entry = {
        "batch_size": settings.batch,
        "sampler": {"identities": settings.batch // images, "images": images},
        "generator": {"levels": settings.levels, "width": settings.width},
        "discriminator": {"width": settings.width},
    }
    return JointRecipe.from_config(entry)


def reid_network(settings: argparse.Namespace) -> nn.Module:
    entry = {"method": settings.model, "depth": settings.depth, "input": list(settings.size), "pretrained": False}
    return create_model(entry).build(IDENTITIES, pretrained=False)


def ours(settings: argparse.Namespace, folder: Path) -> tuple[Callable[[], object], str]:
    """A step of `JointTask`, and what it computes in."""
    device = select_device("cpu", 1)
    paths = sorted(path.name for path in folder.iterdir())
    originals = load_images(folder, paths, settings.size, 1)
    blurred = torch.stack([torch.from_numpy(_blurred(image)).permute(2, 0, 1) for image in originals])
    labels = torch.arange(len(paths)) // IMAGES

    class Unseen:
        def desensitized_quality(self) -> Quality:
            return Quality(20.0, 0.5)

    settings_ = recipe(settings)
    task = JointTask(reid_network(settings), originals, blurred, labels, Unseen(), settings_)  # type: ignore[arg-type]
    task.run = Run(0, settings_.epochs, device, settings_.precision)
    task.setup()
    for network in task.networks.values():
        network.train()
    batches = iter(lambda: list(task.batches(0)), None)
    numbers = (batch for found in batches for batch in found)
    precision = "bfloat16" if uses_bfloat16(settings_.precision, device) else "float32"
    return (lambda: task.step(next(numbers), Step(0, 0, 1, 0))), precision


def _blurred(image: Tensor) -> Any:
    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    return np.array(picture.filter(ImageFilter.GaussianBlur(SIGMA * picture.width)))


class Files(Dataset[tuple[Tensor, Tensor, int]]):
    """A raw and a blurred picture of each file, in -1..1."""

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        self.paths, self.size = sorted(folder.iterdir()), size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, int]:
        height, width = self.size
        picture = Image.open(self.paths[number]).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
        blurred = picture.filter(ImageFilter.GaussianBlur(SIGMA * width))
        if torch.rand(()) < 0.5:
            picture, blurred = (p.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for p in (picture, blurred))
        return self._tensor(picture), self._tensor(blurred), number // IMAGES

    def _tensor(self, picture: Image.Image) -> Tensor:
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float().div(127.5).sub(1).contiguous()


def plain(settings: argparse.Namespace, folder: Path) -> tuple[Callable[[], object], str]:
    """A step of the plain rendering."""
    torch.set_num_threads(1)
    values = recipe(settings)
    G, R = (UNet(settings.levels, settings.width) for _ in range(2))
    D1, D2 = (PatchDiscriminator(settings.width) for _ in range(2))
    reid = reid_network(settings)
    center = CenterLoss(IDENTITIES, reid.feature_dim)
    generators = torch.optim.Adam([*G.parameters(), *R.parameters()], 3.5e-4, (0.5, 0.999), weight_decay=5e-4)
    discriminators = torch.optim.Adam([*D1.parameters(), *D2.parameters()], 3.5e-4, (0.5, 0.999), weight_decay=5e-4)
    reid_adam = torch.optim.Adam([p for p in reid.parameters() if p.requires_grad], 3.5e-4, weight_decay=5e-4)
    centers = torch.optim.SGD(center.parameters(), 0.5)
    loader = DataLoader(Files(folder, settings.size), settings.batch, shuffle=True, drop_last=True)

    def judged(logits: Tensor, real: bool) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))

    def loss_of(pictures: Tensor, labels: Tensor) -> Tensor:
        output = reid(normalize((pictures + 1) * 127.5))
        assert isinstance(output, TrainingOutput)
        return reid_loss(output, labels, values.loss, center)

    def step(originals: Tensor, wanted: Tensor, labels: Tensor) -> None:
        protected = G(originals)
        recovered = R(protected)
        hidden, found = protected.detach(), recovered.detach()
        discriminator = judged(D1(originals, wanted), True) + judged(D1(originals, hidden), False)
        discriminator = discriminator + judged(D2(hidden, originals), True) + judged(D2(hidden, found), False)
        discriminators.zero_grad()
        discriminator.backward()
        discriminators.step()
        loss = judged(D1(originals, protected), True) + judged(D2(protected, recovered), True)
        loss = loss + 100 * F.l1_loss(protected, wanted) + 100 * F.l1_loss(recovered, originals)
        loss = loss + loss_of(originals, labels) + loss_of(protected, labels)
        for optimizer in (generators, reid_adam, centers):
            optimizer.zero_grad()
        loss.backward()
        assert center.centers.grad is not None
        center.centers.grad /= values.loss.center_weight
        for optimizer in (generators, reid_adam, centers):
            optimizer.step()
        float(loss.detach())  # it is printed

    batches: Iterator[Any] = (batch for epoch in iter(lambda: loader, None) for batch in epoch)
    return (lambda: step(*next(batches))), "float32"


def measure(kind: str, settings: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Seconds of processor time an image and peak bytes, in this process."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step, precision = {"ours": ours, "plain": plain}[kind](settings, folder)
    for _ in range(WARM):
        step()
    started = time.process_time()
    for _ in range(settings.steps):
        step()
    seconds = (time.process_time() - started) / settings.steps / settings.batch
    peak = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    return {"seconds": seconds, "bytes": peak, "precision": precision}


def write_people(folder: Path) -> None:
    """Rendered crops of a few people as JPEG files."""
    studio = Studio(RenderSpec(seed=3))
    for number in range(IDENTITIES * IMAGES):
        plan = CropPlan(f"query/{number}.jpg", number // IMAGES, 1 + number % 6, number)
        Image.fromarray(studio.draw(plan).image).save(folder / f"{number:04d}.jpg", quality=95)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="The joint training beside a plain rendering of the public recipe.")
    parser.add_argument("--size", type=lambda text: tuple(map(int, text.split("x"))), default=(256, 128))
    parser.add_argument("--levels", type=int, default=7)
    parser.add_argument("--width", type=int, default=64, help="of generators and discriminators")
    parser.add_argument("--model", default="agw")
    parser.add_argument("--depth", type=int, default=50)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=3, help="that are timed in each run")
    parser.add_argument("--runs", type=int, default=3, help="of each, the best counts")
    parser.add_argument("--write", action="store_true", help="into benchmarks/RESULTS.md")
    parser.add_argument("--measure", nargs=2, metavar=("KIND", "FOLDER"), help=argparse.SUPPRESS)
    settings = parser.parse_args()
    if settings.measure:
        print(json.dumps(measure(settings.measure[0], settings, Path(settings.measure[1]))))
        return
    found: dict[str, list[dict[str, Any]]] = {"ours": [], "plain": []}
    with tempfile.TemporaryDirectory() as name:
        write_people(Path(name))
        for _ in range(settings.runs):
            for kind, results in found.items():
                command = [sys.executable, "-m", "benchmarks.joint_training", *sys.argv[1:], "--measure", kind, name]
                run = subprocess.run(command, check=True, capture_output=True, text=True)
                results.append(json.loads(run.stdout.splitlines()[-1]))
    best = {kind: min(results, key=lambda result: result["seconds"]) for kind, results in found.items()}
    height, width = settings.size
    ratio = best["plain"]["seconds"] / best["ours"]["seconds"]
    labels = {"plain": "plain PyTorch", "ours": f"ours, {best['ours']['precision']}"}
    lines = [
        f"{height}x{width}, generators and discriminators of width {settings.width}, {settings.model} of depth "
        f"{settings.depth}, batches of {settings.batch}, one thread; {settings.runs} runs of {settings.steps} steps in "
        f"turn; {date.today()}.",
        f"{machine()}; {versions(*PACKAGES)}.",
        "",
        "| training step | images a second | ms an image | peak memory |",
        "|---|---|---|---|",
    ]
    for kind, label in labels.items():
        seconds = best[kind]["seconds"]
        lines.append(f"| {label} | {1 / seconds:.2f} | {1000 * seconds:.0f} | {best[kind]['bytes'] / 1e9:.2f} GB |")
    lines += ["", f"Ours is {ratio:.2f} times as fast."]
    text = "\n".join(lines)
    print(text)
    if settings.write:
        write_block("joint-training", text)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
