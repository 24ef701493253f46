"""The 25 box shapes that TinyFaces looks for, and at which image scale each of them counts."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Half width, half height (pixels of the network's input) and the resolution at which the shape was learnt. A template
# covers 2 x half + 1 pixels. Source: the authors' data/widerface/RefBox_N25_scaled.mat (k-medoids of WIDER FACE's
# boxes, each moved to the resolution that detects it best, paper figure 8); the port's templates.json holds the same.
_SHAPES: Final = (
    (86.33823529, 113.44411765, 0.5),
    (48.75, 65.25, 0.5),
    (33.25, 43.75, 0.5),
    (25.75, 33.75, 0.5),
    (40.5, 54.5, 1),
    (34.5, 43.5, 1),
    (28.5, 38.0, 1),
    (25.658905, 31.32215, 1),
    (21.6137, 27.59767, 1),
    (20.0, 22.5, 1),
    (17.5, 25.5, 1),
    (16.3279854, 20.88555, 1),
    (29.4755, 34.4803, 2),
    (25.4202, 37.10609, 2),
    (24.2118, 30.21456, 2),
    (22.0129, 24.7059, 2),
    (19.3142, 28.0202, 2),
    (17.9677, 22.7849, 2),
    (15.6123, 19.5907, 2),
    (13.1842, 18.3421, 2),
    (13.50277, 15.0792, 2),
    (11.1091, 16.4909, 2),
    (10.97686, 14.0478, 2),
    (9.9722, 12.4105, 2),
    (9.6613, 10.6161, 2),
)
NUM_TEMPLATES: Final = len(_SHAPES)
WIDTHS: Final[NDArray[np.float64]] = np.array([2 * half_width + 1 for half_width, _, _ in _SHAPES])  # (25,), pixels
HEIGHTS: Final[NDArray[np.float64]] = np.array([2 * half_height + 1 for _, half_height, _ in _SHAPES])
RESOLUTIONS: Final[NDArray[np.float64]] = np.array([resolution for _, _, resolution in _SHAPES])

# Source: the authors' scripts/hr_res101.m, allscale_templateIds 5:12 and onescale_templateIds 19:25, counted from 1.
TYPE_A: Final = range(4, 12)  # count at every scale
TYPE_B: Final = range(18, 25)  # count where their own resolution is looked at


def active_templates(scale: float) -> NDArray[np.bool_]:
    """Which of the 25 templates count in an image scaled by `scale`, (25,) bool.

    Templates of type A always; those of type B in a reduced image if they were learnt below the original resolution,
    at the original size if learnt there, in an enlarged one if learnt above. As all of type B were learnt at twice
    the resolution, they count only at scales above 1. The other ten never do: they serve training.

    Source: the authors' cnn_widerface_test_AB.m. The port asks for a resolution of exactly 1 in enlarged images, so
    that type B never fires there and faces below about 17 pixels are lost.
    """
    active = np.zeros(NUM_TEMPLATES, bool)
    active[list(TYPE_A)] = True
    own = RESOLUTIONS[list(TYPE_B)]
    active[list(TYPE_B)] = own < 1 if scale < 1 else own == 1 if scale == 1 else own > 1
    return active
