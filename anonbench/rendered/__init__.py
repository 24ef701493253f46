"""Rendered people: a procedural stand-in for re-identification datasets, with ground truth.

`render_dataset(RenderSpec(seed=1), Path("data/rendered/market1501"), workers=2)` draws a dataset in Market-1501's
native layout. `render_portrait` draws a single large picture. See docs/rendering.md.
"""

from anonbench.rendered.crop import Crop, Studio, render_portrait
from anonbench.rendered.dataset import render_dataset
from anonbench.rendered.plan import plan_crops
from anonbench.rendered.spec import CropPlan, RenderSpec

__all__ = ["Crop", "CropPlan", "RenderSpec", "Studio", "plan_crops", "render_dataset", "render_portrait"]
