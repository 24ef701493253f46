"""Draw the README's picture: rendered people at twice the usual size, original and anonymized.

python docs/images/make_variants.py
"""

import json
import tempfile
from pathlib import Path

from PIL import Image

from anonbench.cli import main

HERE = Path(__file__).parent
PEOPLE = {"seed": 1, "height_px": 256, "width_px": 128, "train_identities": 12, "test_identities": 12, "cameras": 4}
METHODS = {
    "blur": "gaussian_blur",
    "zero": "zero",
    "blank": "blank",
    "pixelate": "pixelate",
    "inpaint": "poisson_inpaint",
}


def draw(work: Path) -> None:
    """Run the workflow's own commands, one after the other, below the folder `work`."""
    run("render", spec=PEOPLE, output=work / "original")
    listing = {"manifest": work / "manifest.csv", "sidecars": work / "sidecars.csv"}
    index = {"output": listing["manifest"], "sidecars": listing["sidecars"], "dropped": work / "dropped.csv"}
    index["splits"] = work / "splits.csv"
    run("index", root=work / "original", spec={"format": "market1501", "expect": "any"}, **index)
    boxes = work / "boxes.csv"
    detector = {"method": "centerface", "upscale": 1.0, "threshold": 0.25}
    run("detect", manifest=listing["manifest"], root=work / "original", spec=detector, output=boxes)
    for name, method in METHODS.items():
        spec = {"method": method, "detector": "centerface", "box_scale": 1.0, "jpeg_quality": "keep"}
        output = {"output": work / name, "output-manifest": work / f"{name}.csv"}
        run("anonymize", detections=boxes, root=work / "original", spec=spec, **listing, **output)
    folders = {name: str(work / name) for name in ("original", *METHODS)}
    run("samples", manifest=listing["manifest"], detections=boxes, spec=folders, count=9, output=work / "variants.png")
    # 256 colours: a third of the size, no visible difference at this scale
    Image.open(work / "variants.png").convert("RGB").quantize(256).save(HERE / "variants.png", optimize=True)


def run(command: str, **options: object) -> None:
    arguments = [f"--{key}={json.dumps(value) if key == 'spec' else value}" for key, value in options.items()]
    if main([command, *arguments]) != 0:
        raise SystemExit(f"{command} failed")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder))
