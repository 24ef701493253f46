"""The generator that puts another person into a hole of a picture, and its file: trainings make it, anonymizers use it.

network = Inpainter(InpainterSettings(kind="body", size=(72, 40)))
styles = network.mapping(torch.randn(8, network.settings.z))        # who it is to be: (8, style)
made = network(pictures, own, known, points, styles)                # (8, 3, 72, 40) in -1..1, known pixels as they were
save_inpainter(path, network, Styles(mean, centres), {"seed": 0})
network, styles, about = load_inpainter(path)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anonbench.core import checks as _checks
from anonbench.core.fields import build
from anonbench.data.instances import COCO_KEYPOINTS
from anonbench.training import checkpoint
from anonbench.training.framing import Framing
from anonbench.training.generators import SLOPE, STD, WIDEST

KINDS = ("body", "face")
TRUNCATIONS = ("none", "centre", "centres")
SKIP_GAIN = 3**-0.5  # of maps that come straight from the encoder
POINT_SIGMA = 1 / 36  # of a key point's spot, as a share of the crop's height: 8 pixels of 288
VISIBLE = 1e-6  # below it a standard deviation counts as none


@dataclass(frozen=True)
class InpainterSettings:
    """A generator and the crops that it works on.

    kind: body (it is told 17 key points) or face.
    size: height and width of its pictures in pixels, multiples of 2^levels. DeepPrivacy2: 288 x 160, faces 128 x 128 or
        256 x 256.
    margin: what a crop has beside the region's box on each side, as a share of it, >= 0. Default: 0.05 for bodies,
        0.35 for faces.
    background: least share of a crop that does not belong to the region, 0 <= background < 1.
    levels: halvings, >= 1.
    width: channels of the first level, >= 1. They double with every level up to eight times as many.
    z: numbers that are drawn for each person, >= 1.
    style: numbers that they become, >= 1.
    mapping: fully connected layers between the two, >= 1.
    """

    kind: str = "body"
    size: tuple[int, int] = (288, 160)
    margin: float | None = None
    background: float = 0.3
    levels: int = 5
    width: int = 64
    z: int = 64
    style: int = 512
    mapping: int = 2

    def __post_init__(self) -> None:
        _checks.choice("kind", self.kind, KINDS)
        for name in ("levels", "width", "z", "style", "mapping"):
            _checks.integer(name, getattr(self, name), 1)
        if self.margin is None:
            object.__setattr__(self, "margin", 0.05 if self.kind == "body" else 0.35)
        height, width = self.framing.size
        step = 2**self.levels
        if height % step or width % step or min(height, width) < 2 * step:
            raise ValueError(
                f"size is {list(self.size)} and levels is {self.levels}; expected multiples of {step}, {2 * step} at "
                f"least: halve less often, or choose another size"
            )

    @property
    def framing(self) -> Framing:
        """How its crops are cut."""
        assert self.margin is not None
        return Framing(self.size, self.margin, self.background)

    @property
    def points(self) -> int:
        """Maps of key points that it is given."""
        return len(COCO_KEYPOINTS) if self.kind == "body" else 0


@dataclass(frozen=True, eq=False)
class Styles:
    """Where the styles of a generator lie.

    mean: (style,) float32, of many people.
    centres: (K, style) float32, centres of clusters of them.
    """

    mean: Tensor
    centres: Tensor

    def truncate(self, styles: Tensor, truncation: str, psi: float) -> Tensor:
        """(B, style) styles brought nearer to the mean (`centre`) or each to its nearest centre (`centres`).

        psi: what is left of the way, 0..1. 1 changes nothing, 0 leaves the centre alone.
        Source: Karras et al., CVPR 2019 (the truncation trick); Mokady et al., SIGGRAPH 2022 (several centres).
        """
        if truncation == "none":
            return styles
        if truncation == "centre":
            return self.mean + psi * (styles - self.mean)
        nearest = self.centres[torch.cdist(styles, self.centres).argmin(dim=1)]  # (B, style)
        return nearest + psi * (styles - nearest)


class StyledConv(nn.Module):
    """3 x 3 convolution, instance normalisation, and the mean and contrast of each channel that a style asks for."""

    def __init__(self, inputs: int, outputs: int, style: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)  # normalisation takes a bias away
        self.affine = nn.Linear(style, 2 * outputs)

    def forward(self, maps: Tensor, styles: Tensor) -> Tensor:
        """(B, inputs, h, w), (B, style) -> (B, outputs, h, w)"""
        contrast, mean = self.affine(styles)[..., None, None].chunk(2, dim=1)  # (B, outputs, 1, 1) each
        maps = F.instance_norm(self.conv(maps))
        return F.leaky_relu(maps * (1 + contrast) + mean, SLOPE)


class StyleMapping(nn.Sequential):
    """(B, z) numbers from N(0, 1) to (B, style): fully connected layers on the normalised numbers."""

    def __init__(self, z: int, style: int, layers: int) -> None:
        parts: list[nn.Module] = []
        for number in range(layers):
            parts += [nn.Linear(z if number == 0 else style, style), nn.LeakyReLU(SLOPE)]
        super().__init__(*parts[:-1])

    def forward(self, numbers: Tensor) -> Tensor:
        length = numbers.square().mean(dim=1, keepdim=True).clamp_min(VISIBLE).sqrt()
        return super().forward(numbers / length)


class Inpainter(nn.Module):
    """A U-Net that fills the hole of a crop, in the style that it is given.

    Encoder: 3 x 3 convolutions, of stride 2 between levels, LeakyReLU(0.2). Decoder: nearest-neighbour enlargement and
    styled convolutions; the encoder's maps of the same size are added through 1 x 1 convolutions. tanh ends it.

    Source: simpler than the generators of DeepPrivacy2 (Hukkelås and Lindseth, WACV 2023), which are StyleGAN2's with
    skip connections: instance normalisation and style in the decoder, 1 x 1 skips of gain 1 / sqrt(3) and two mapping
    layers are theirs. Theirs modulate weights, clamp at 256, have no tanh, and scale gradients by the share of the
    picture that is filled. Theirs see people beside the one they fill in; this one does not (`known`).
    """

    def __init__(self, settings: InpainterSettings) -> None:
        super().__init__()
        self.settings = settings
        channels = [settings.width * min(2**level, WIDEST) for level in range(settings.levels + 1)]
        self.mapping = StyleMapping(settings.z, settings.style, settings.mapping)
        self.first = nn.Conv2d(5 + settings.points, channels[0], 3, 1, 1)
        self.down = nn.ModuleList(
            nn.Sequential(
                nn.LeakyReLU(SLOPE), nn.Conv2d(few, many, 3, 2, 1), nn.LeakyReLU(SLOPE), nn.Conv2d(many, many, 3, 1, 1)
            )
            for few, many in pairwise(channels)
        )
        self.middle = StyledConv(channels[-1], channels[-1], settings.style)
        self.up, self.skip, self.refine = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for few, many in zip(channels[-2::-1], channels[:0:-1], strict=True):
            self.up.append(StyledConv(many, few, settings.style))
            self.skip.append(nn.Conv2d(few, few, 1))
            self.refine.append(StyledConv(few, few, settings.style))
        self.last = nn.Conv2d(channels[0], 3, 1)
        self.apply(initialize)
        nn.init.normal_(self.last.weight, 0.0, STD)  # grey at first: tanh has no gradient at black and white

    def forward(self, pictures: Tensor, own: Tensor, known: Tensor, points: Tensor, styles: Tensor) -> Tensor:
        """(B, 3, h, w) float in -1..1: known pixels as they were, all others made up.

        pictures: (B, 3, h, w) float in -1..1. Of pixels that are not known nothing is used.
        own: (B, 1, h, w) bool, the person to put there.
        known: (B, 1, h, w) bool, what may be seen.
        points: (B, 17, 3) float, `framing.Crop.points`; not looked at for faces.
        styles: (B, style).
        """
        seen = torch.where(known, pictures, 0.0)
        given = [seen, own.to(seen.dtype), known.to(seen.dtype)]
        if self.settings.points:
            given.append(spots(points, *self.settings.size).to(seen.dtype))
        maps = self.first(torch.cat(given, dim=1))  # (B, width, h, w)
        passed = [maps]
        for layer in self.down:
            maps = layer(maps)  # half the height and width, twice the channels
            passed.append(maps)
        passed.pop()
        maps = self.middle(maps, styles)
        for up, skip, refine in zip(self.up, self.skip, self.refine, strict=True):
            maps = up(F.interpolate(maps, scale_factor=2, mode="nearest"), styles)  # twice, half
            maps = refine((maps + skip(passed.pop())) * SKIP_GAIN, styles)
        made = torch.tanh(self.last(maps)).to(pictures.dtype)  # (B, 3, h, w)
        return torch.where(known, pictures, made)


def initialize(layer: nn.Module) -> None:
    """New weights of one layer: He's, for maps of the same spread from layer to layer, and biases 0.

    With torch's own the spread falls to 0.6 in every layer, and a discriminator of three levels sees no picture any
    more: its loss stayed at 2 log 2 over 2,400 crops.
    """
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(layer.weight, SLOPE)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def spots(points: Tensor, height: int, width: int) -> Tensor:
    """(B, K, 3) key points to (B, K, height, width) float in 0..1: a Gaussian spot where each is, if it is known."""
    sigma = POINT_SIGMA * height
    rows = torch.arange(height, device=points.device) + 0.5  # centres of pixels
    columns = torch.arange(width, device=points.device) + 0.5
    across = torch.exp(-((columns - points[..., 0:1]) ** 2) / (2 * sigma**2))  # (B, K, width)
    along = torch.exp(-((rows - points[..., 1:2]) ** 2) / (2 * sigma**2)) * points[..., 2:3]  # (B, K, height)
    return along[..., None] * across[..., None, :]


def save_inpainter(path: Path, network: Inpainter, styles: Styles, about: Mapping[str, Any]) -> None:
    """Write a generator with its styles and what there is to say about it: texts, numbers, lists and mappings."""
    settings = {**asdict(network.settings), "size": list(network.settings.size)}
    more = {"mean": styles.mean.cpu(), "centres": styles.centres.cpu(), "about": dict(about)}
    checkpoint.save_network(path, network, {"inpainter": settings, **more})


def load_inpainter(path: Path) -> tuple[Inpainter, Styles, dict[str, Any]]:
    """The generator of a file by `save_inpainter`, on the CPU in eval mode, its styles, and what the file says of it.

    Raises `TrainingError` when the file is missing, damaged, or no generator of this code.
    """

    def of(content: Mapping[str, Any]) -> Inpainter:
        return Inpainter(build(InpainterSettings, content["inpainter"], f"{path}: inpainter"))

    network, content = checkpoint.load_network(path, of, "train_inpainter")
    return network, Styles(content["mean"], content["centres"]), content["about"]
