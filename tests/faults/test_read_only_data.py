"""A dataset on a disk that cannot be written to is indexed, searched for faces, anonymized and recorded."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def state(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Size and times of every file and folder; the time of change betrays any write."""
    found = {str(p): p.lstat() for p in (folder, *folder.rglob("*"))}
    return {p: (s.st_size, s.st_mtime_ns, s.st_ctime_ns) for p, s in found.items()}


def test_from_index_to_anonymized_images(
    make_indexed: Callable, read_only: Callable, run_command: Callable, tmp_path: Path
) -> None:
    root = make_indexed(12).root
    read_only(root)
    with pytest.raises(OSError, match="Read-only"):
        (root / "new").touch()
    before, out = state(root), tmp_path / "results"
    shared = ("--root", root, "--resume-dir", out / "resume")
    entry = json.dumps({"format": "folder", "root": str(root)})
    lists = [f"--{name}={out / name}.csv" for name in ("dropped", "sidecars", "splits")]
    assert run_command("index", "--root", root, "--spec", entry, "--output", out / "m.csv", *lists).status == 0
    spec = json.dumps({"method": "centerface", "default_box": [2, 2, 9, 9]})
    done = run_command("detect", "--manifest", out / "m.csv", *shared, "--spec", spec, "--output", out / "d.csv")
    assert done.status == 0, done.errors
    spec = json.dumps({"method": "zero", "detector": "d", "box_scale": 1.0, "jpeg_quality": 95})
    done = run_command(
        "anonymize", "--manifest", out / "m.csv", "--detections", out / "d.csv", *shared, "--spec", spec,
        "--sidecars", out / "sidecars.csv", "--output", out / "zero", "--output-manifest", out / "zero.csv",
    )  # fmt: skip
    assert done.status == 0, done.errors
    assert "12 of 12 images changed" in done.output
    assert state(root) == before


@pytest.mark.slow
def test_add_data(
    make_indexed: Callable, read_only: Callable, run_command: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dvc.repo import Repo

    root = make_indexed(12).root
    read_only(root)
    before = state(root)
    project = tmp_path / "project"
    (project / "data/raw").mkdir(parents=True)
    monkeypatch.chdir(project)
    for key, value in {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}.items():
        monkeypatch.setenv(key, value)
    subprocess.run(["git", "init", "-q"], check=True)
    for name in (".gitignore", "data/raw/.gitkeep"):
        (project / name).write_bytes((REPOSITORY / name).read_bytes())
    Repo.init().close()
    for extra in ([], ["--name", "copied", "--copy"]):
        done = run_command("add-data", "folder", root, *extra)
        assert done.status == 0, done.errors
    assert (project / "data/raw/folder").resolve() == root
    assert "md5" in (project / "data/raw/folder.dvc").read_text()
    assert sorted(p.name for p in (project / "data/raw/copied").iterdir()) == sorted(p.name for p in root.iterdir())
    assert state(root) == before
