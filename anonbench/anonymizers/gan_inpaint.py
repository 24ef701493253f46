"""Realistic anonymization: a trained generator puts another person into every region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from anonbench.anonymizers import ANONYMIZERS
from anonbench.anonymizers._histograms import match_histograms
from anonbench.core import checks
from anonbench.data.images import RGB
from anonbench.data.regions import Region, covered
from anonbench.training.framing import Crop, paste

if TYPE_CHECKING:
    import torch

    from anonbench.training.inpainter import Inpainter, Styles

# torch is imported where a picture is made: reading a configuration need not wait for it.

TRUNCATIONS = ("none", "centre", "centres")
HISTOGRAMS = ("none", "match", "latent")
EDGES = ("made", "original")
AT_ONCE = 16  # people that go through the generator together
EDGE_SIGMA = 1 / 32  # of the blurred mask, as a share of the crop's height: 9 pixels of 288


@ANONYMIZERS.register("gan_inpaint")
@dataclass(frozen=True)
class GanInpaint:
    """Fill every region with a person that a generator makes up from what is around it.

    weights: a generator's file, `generator.pt` of a training (`inpainter:` in a variant's entry names it).
    large_weights: a second one, for regions whose box has more pixels than the crop of the first ("HR faces"); "" for
        none.
    batch: pictures at once, whole number >= 1. All their people go through the generator 16 at a time.
    truncation: none; centre: towards the mean of all styles; centres: towards the nearest of the cluster centres.
    psi: what is left of the way there, 0..1.
    histogram: none; match: the colours of the crop get the histogram of the original (HM); latent: the style is moved
        until they have it, nearly (HM-LO).
    pooled: of match: the three channels have one histogram together, as in the public code, instead of one each, as in
        the paper's words.
    edges: of match: what the matched person passes into near the mask's edge: the one that was not matched (`made`), or
        the original (`original`, as in the paper).
    steps, stop, lr: of latent: Adam's steps at most, the loss at which it ends, and its learning rate.

    Only the mask (and a body's key points) tell the generator about the person: pixels of *all* regions of a picture
    are blanked in what it sees, so that nobody who is hidden can show through somebody else's crop, and no pixel of
    any region changes the result (`depends_on_hidden` is False). That is stricter than DeepPrivacy2, whose generator
    sees people beside the one it fills in. The outline, the pose and the place stay as they were.

    PRIVACY: `match` and `latent` read the colours of the people who are hidden: whoever wears red comes out in red.
    `edges: original` even mixes hidden pixels into the result, up to half of each at the mask's edge and throughout
    thin parts. It is the paper's formula. Then `depends_on_hidden` is True.

    A region smaller than the generator's crop is enlarged, filled and brought back: it is as blurred or as sharp as
    its surroundings are, but bodies below 32 x 32 pixels look worst (the paper says so, too). None is skipped. Each
    person's style is drawn from the picture's random numbers, from the smallest region to the largest. Larger people
    are pasted over smaller ones.

    A GPU is used where the job sees one. The arithmetic is float32, on a GPU too, without TensorFloat-32.

    Source: Hukkelås and Lindseth, "Does Image Anonymization Impact Computer Vision Training?", CVPR workshops 2023,
    sections 3.3, 3.4 and 4.4. There: faces without truncation, bodies with `centres` of 512 and nothing left of the way
    (psi 0), latent with 100 steps, 0.02 and (public code) a learning rate of 0.001. The mask is blurred with sigma 9 in
    19 pixels of a crop of 288 x 160; here both follow the crop's height.
    """

    weights: str = ""
    large_weights: str = ""
    batch: int = 8
    truncation: str = "none"
    psi: float = 0.0
    histogram: str = "none"
    pooled: bool = True
    edges: str = "made"
    steps: int = 100
    stop: float = 0.02
    lr: float = 0.001

    def __post_init__(self) -> None:
        checks.integer("batch", self.batch, 1)
        checks.choice("truncation", self.truncation, TRUNCATIONS)
        checks.number("psi", self.psi, 0, 1)
        checks.choice("histogram", self.histogram, HISTOGRAMS)
        checks.choice("pooled", self.pooled, (True, False))
        checks.choice("edges", self.edges, EDGES)
        checks.integer("steps", self.steps, 1)
        checks.number("stop", self.stop, 0)
        checks.number("lr", self.lr, 0, above=True)

    @property
    def depends_on_hidden(self) -> bool:
        """Whether the pixels of those who are hidden have an influence on the result."""
        return self.histogram != "none"

    def anonymize_batch(
        self, images: Sequence[RGB], regions: Sequence[Sequence[Region]], rngs: Sequence[np.random.Generator]
    ) -> list[RGB]:
        """Raises `TrainingError` for weights that are missing, damaged or of another kind."""
        jobs = []
        for number, (image, found, rng) in enumerate(zip(images, regions, rngs, strict=True)):
            hidden = covered(found, *image.shape[:2])
            for region in found:
                generator = self._generator_for(region)
                numbers = rng.standard_normal(generator.network.settings.z).astype(np.float32)
                crop = generator.network.settings.framing.cut(image, region, hidden)
                jobs.append(_Job(number, image, crop, generator, numbers))
        made: dict[int, RGB] = {}
        for generator in self._generators:
            own = [n for n, job in enumerate(jobs) if job.generator is generator]
            for first in range(0, len(own), AT_ONCE):
                part = own[first : first + AT_ONCE]
                made.update(zip(part, self._made([jobs[n] for n in part], generator), strict=True))
        results = [image.copy() for image in images]
        for n, job in enumerate(jobs):  # from the smallest to the largest of each picture
            paste(results[job.picture], job.crop, made[n])
        return results

    def _made(self, jobs: Sequence[_Job], generator: _Generator) -> list[RGB]:
        """(h, w, 3) uint8 for each crop: the person put there, and what may be seen around it."""
        import torch

        from anonbench.anonymizers._latent import optimize_styles
        from anonbench.training.device import reproducible
        from anonbench.training.generators import from_pixels, to_pixels

        network, device = generator.network, next(generator.network.parameters()).device
        crops = [job.crop for job in jobs]

        def tensor(parts: list[Any]) -> torch.Tensor:
            return torch.from_numpy(np.stack(parts)).to(device)

        pictures = from_pixels(tensor([crop.pixels for crop in crops]).permute(0, 3, 1, 2))  # (B, 3, h, w)
        own, known = (tensor([getattr(crop, name) for crop in crops])[:, None] for name in ("own", "known"))
        points = tensor([crop.points for crop in crops])  # (B, 17, 3)

        def put(styles: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = network(pictures, own, known, points, styles)
            return made

        with torch.no_grad(), reproducible("fp32", device):
            drawn = network.mapping(tensor([job.numbers for job in jobs]))
            styles = generator.styles.truncate(drawn, self.truncation, self.psi)
            if self.histogram == "latent":
                originals = from_pixels(tensor([self._original(job) for job in jobs]).permute(0, 3, 1, 2))
                with torch.enable_grad():
                    styles, _ = optimize_styles(
                        styles, lambda s: torch.where(own, put(s), originals), originals, self.steps, self.stop, self.lr
                    )
            made = to_pixels(put(styles)).permute(0, 2, 3, 1).cpu().numpy()
        people = [np.ascontiguousarray(person) for person in made]
        if self.histogram == "match":
            return [self._matched(person, job) for person, job in zip(people, jobs, strict=True)]
        return people

    def _matched(self, made: RGB, job: _Job) -> RGB:
        """HM: the crop with the colours of the original, and without a hard step at the mask's edge."""
        original, own = self._original(job), job.crop.own
        whole = np.where(own[..., None], made, original)
        matched = match_histograms(whole, original, self.pooled)
        sigma = EDGE_SIGMA * len(own)
        side = 2 * round(sigma) + 1
        soft = cv2.GaussianBlur(own.astype(np.float32), (side, side), sigma, borderType=cv2.BORDER_REPLICATE)[..., None]
        under = original if self.edges == "original" else made
        return np.rint(soft * matched + (1 - soft) * under).astype(np.uint8)

    def _original(self, job: _Job) -> RGB:
        """The crop with those who are hidden."""
        return job.generator.network.settings.framing.cut_original(job.image, job.crop.frame)

    def _generator_for(self, region: Region) -> _Generator:
        first = self._generators[0]
        x0, y0, x1, y1 = region.pixels
        height, width = first.network.settings.size
        return self._generators[-1] if (y1 - y0) * (x1 - x0) > height * width else first

    @cached_property
    def _generators(self) -> list[_Generator]:
        """The generator, and the one for large regions where there is one."""
        large = [self.large_weights] if self.large_weights else []
        return [_load(Path(file)) for file in [self.weights, *large]]

    def __getstate__(self) -> dict[str, Any]:
        """Without the networks: another process loads its own."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class _Generator:
    network: Inpainter
    styles: Styles


@dataclass(frozen=True, eq=False)
class _Job:
    """A person to put into a picture.

    picture: its number in the batch.
    numbers: (z,) from N(0, 1), who it is to be.
    """

    picture: int
    image: RGB
    crop: Crop
    generator: _Generator
    numbers: np.ndarray


def _load(file: Path) -> _Generator:
    import torch

    from anonbench.training.device import place
    from anonbench.training.inpainter import Styles, load_inpainter

    network, styles, _ = load_inpainter(file)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    place(network, device, channels_last=True)
    network.requires_grad_(False)
    return _Generator(network, Styles(styles.mean.to(device), styles.centres.to(device)))
