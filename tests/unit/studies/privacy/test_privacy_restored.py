"""The table of restored faces: a table of Study 2 about faces that were cut out."""

from __future__ import annotations

import json
from pathlib import Path

from anonbench.config import read_config
from anonbench.report.tables import write_table
from anonbench.studies.kinds import check_table, kind_of

CONFIG = read_config(root=Path(__file__).parents[4])
NAME = "privacy_restored"
LABEL = "toy (rendered people: a check of the pipeline, not evidence about real ones)"


def test_which_copies_are_compared() -> None:
    check_table(CONFIG, NAME)
    entry = CONFIG["tables"][NAME]
    files = kind_of(entry).inputs(CONFIG, entry)
    assert list(files) == ["quality"]
    assert files["quality"][:3] == [
        f"results/quality/market1501-faces/{name}.json" for name in ("blur", "blur_restored-seed0", "blur_remade-seed0")
    ]
    assert len(files["quality"]) == len(entry["variants"])


def test_faces_before_and_after_restoration(tmp_path: Path) -> None:
    entry = CONFIG["tables"][NAME] | {"variants": ["zero", "zero_restored"]}
    kind = kind_of(entry)
    made = []
    for path, psnr in zip(kind.inputs(CONFIG, entry)["quality"], (8.5, 16.25), strict=True):
        file = tmp_path / Path(path).name
        learned = {"variant": "zero_restored", "seed": 0} if "restored" in file.name else {"variant": "zero"}
        measures = {"n": 40, "identical": 0, "psnr": psnr, "psnr_pooled": psnr - 1, "ssim": psnr / 100}
        file.write_text(json.dumps({"dataset": "market1501-faces", **learned, **measures}))
        made.append(file)
    spec = json.loads(json.dumps(kind.spec(CONFIG, entry)))
    text = write_table(kind.build(NAME, {"quality": made}, spec, LABEL), tmp_path / "t.csv")
    assert "zero | 40 | 8.50 | 7.50 | 0.085 |" in text
    assert "zero_restored | 40 | 16.25 | 15.25 | 0.163 |" in text
    assert LABEL in text
    assert "the paper" not in text  # which has no faces, and no printed numbers to compare
