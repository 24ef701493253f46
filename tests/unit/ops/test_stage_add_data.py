"""`anonbench add-data`: hash, counts and licence go under version control, the images stay where they are."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from dataset_writers import FORMATS, write_market1501

from anonbench.datasets import DATASETS
from anonbench.datasets.market1501 import INFO

ROOT = Path(__file__).parents[3]
ANY = json.dumps({"expect": "any"})
Add = Callable[..., Any]


def state(folder: Path) -> dict[str, tuple[int, int, int, int]]:
    """Inode, size and times of every file and folder; the time of change betrays any write, and cannot be set back."""
    found = {str(p): p.lstat() for p in (folder, *folder.rglob("*"))}
    return {p: (s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for p, s in found.items()}


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
    return subprocess.run(["git", *identity, *arguments], capture_output=True, text=True, check=True).stdout


def dvc(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with our .gitignore, in git and DVC; the current folder."""
    from dvc.repo import Repo

    for key, value in {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}.items():
        monkeypatch.setenv(key, value)
    folder = tmp_path / "project"
    (folder / "data/raw").mkdir(parents=True)
    monkeypatch.chdir(folder)
    git("init", "-q")
    for name in (".gitignore", "data/raw/.gitkeep"):
        Path(name).write_bytes((ROOT / name).read_bytes())
    Repo.init().close()
    return folder


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """A tiny dataset in Market-1501's layout, outside the project."""
    write_market1501(tmp_path / "shelf/Market")
    return tmp_path / "shelf/Market"


@pytest.fixture
def add(run_command: Callable[..., Any]) -> Add:
    def run(folder: Path, *arguments: object, spec: str = ANY, format_: str = "market1501") -> Any:
        return run_command("add-data", format_, folder, "--spec", spec, *arguments)

    return run


def read(file: str) -> dict[str, Any]:
    return yaml.safe_load(Path(file).read_text(encoding="utf-8"))


def test_scenes_are_counted_by_their_splits(project: Path, tmp_path: Path, add: Add) -> None:
    FORMATS["cityscapes"].write(tmp_path / "shelf/Cityscapes")
    done = add(tmp_path / "shelf/Cityscapes", format_="cityscapes")
    assert done.status == 0, done.errors
    assert "in all 5 images\n" in done.output
    meta = read("data/raw/cityscapes.dvc")["meta"]
    assert meta["counts"] == {"train": {"images": 3}, "val": {"images": 2}, "all": {"images": 5}}
    assert meta["sidecars"] == 16, "ids, label ids and polygons of five pictures, and a text"


def dvc_directory_md5(folder: Path) -> str:
    """A second implementation: MD5 of the JSON list of MD5s and paths, sorted by path."""
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    entries = [{"md5": hashlib.md5((folder / f).read_bytes()).hexdigest(), "relpath": f} for f in files]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"


def test_a_dataset_is_linked_and_recorded(project: Path, market: Path, add: Add) -> None:
    before = state(market)
    done = add(market)
    assert done.status == 0, done.errors
    assert Path("data/raw/market1501").readlink() == market

    record = read("data/raw/market1501.dvc")
    files = [p for p in market.rglob("*") if p.is_file()]
    assert record["outs"] == [
        {
            "md5": dvc_directory_md5(market),
            "size": sum(p.stat().st_size for p in files),
            "nfiles": len(files),
            "hash": "md5",
            "path": "market1501",
            "cache": False,
        }
    ]
    assert record["desc"] == "Market-1501 (28 images), by its hash"
    meta = record["meta"]
    assert (meta["title"], meta["licence"], meta["citation"], meta["source"]) == (
        INFO.title, INFO.licence, INFO.citation, INFO.request_from,
    )  # fmt: skip
    assert (meta["format"], meta["options"]) == ("market1501", {"expect": "any"})
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", meta["recorded"])
    # As `write_market1501` writes it: three people train, two are looked for, each with two images under two cameras.
    assert meta["counts"] == {
        "train": {"images": 12, "identities": 3, "cameras": 2, "distractors": 0, "junk": 0},
        "query": {"images": 4, "identities": 2, "cameras": 2, "distractors": 0, "junk": 0},
        "gallery": {"images": 12, "identities": 2, "cameras": 2, "distractors": 2, "junk": 2},
        "all": {"images": 28, "identities": 5, "cameras": 2},
    }
    assert meta["dropped"]["hand-drawn box, not part of the re-identification protocol"] == 1
    assert sum(meta["dropped"].values()) + meta["sidecars"] + 28 == len(files) - 1  # .DS_Store
    assert meta["divisions"] == 1
    assert str(market) not in Path("data/raw/market1501.dvc").read_text()

    assert re.search(r"^gallery +12 +2 +2 +2 +2$", done.output, re.MULTILINE)
    assert "in all 28 images of 5 identities by 2 cameras\n" in done.output
    assert f"data/raw/market1501: a link to {market}\n" in done.output
    assert "dropped: 1 x hand-drawn box" in done.output
    assert f"licence: {INFO.licence}\n" in done.output

    assert "up to date" in dvc("status")  # of everything: DVC finds the data file by itself
    assert not Path(".dvc/cache").exists()
    git("add", "--all")
    assert [f for f in git("ls-files").split() if f.startswith("data")] == [
        "data/raw/.gitkeep",
        "data/raw/market1501.dvc",
    ]
    assert state(market) == before


def test_dvc_sees_changes_and_neither_stores_nor_restores(project: Path, market: Path, add: Add) -> None:
    assert add(market).status == 0
    victim = next((market / "query").iterdir())
    victim.write_bytes(b"changed")
    before = state(market)
    assert re.search(r"modified: +data/raw/market1501", dvc("status"))
    dvc("checkout", "--force")
    dvc("commit", "--force")
    assert state(market) == before
    assert not list(Path(".dvc").glob("cache/files/md5/*/*"))


def test_again_changes_nothing(project: Path, market: Path, add: Add) -> None:
    assert add(market).status == 0
    file = Path("data/raw/market1501.dvc")
    file.write_text(re.sub(r"recorded: .*", "recorded: '2001-02-03'", file.read_text()))  # as if of another day
    before = file.read_bytes(), file.stat().st_mtime_ns
    again = add(market)
    assert again.status == 0, again.errors
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert f"data/raw/market1501: a link to {market}, as before\n" in again.output
    assert "data/raw/market1501.dvc: already says so\n" in again.output

    through_the_link = add(Path("data/raw/market1501"))
    assert through_the_link.status == 0, through_the_link.errors
    assert file.read_bytes() == before[0]


def test_a_clone_gets_the_data_only_with_the_recorded_hash(project: Path, market: Path, add: Add) -> None:
    assert add(market).status == 0
    Path("data/raw/market1501").unlink()  # as in a clone
    record = Path("data/raw/market1501.dvc").read_bytes()
    other = market.parent / "other"
    write_market1501(other)
    (other / "readme.txt").write_text("another copy\n")
    refused = add(other)
    assert refused.status == 2
    found = dvc_directory_md5(other)
    assert re.search(
        rf"records other data: \d+ files, [\d,]+ bytes, md5 \w+\.dir\. The folder has .*{found}", refused.errors
    )
    assert "delete market1501.dvc and run this command again" in refused.errors
    assert not Path("data/raw/market1501").is_symlink()
    assert Path("data/raw/market1501.dvc").read_bytes() == record

    assert add(market).status == 0
    assert Path("data/raw/market1501.dvc").read_bytes() == record
    Path("data/raw/market1501").unlink()
    Path("data/raw/market1501.dvc").unlink()
    assert add(other).status == 0
    assert read("data/raw/market1501.dvc")["outs"][0]["md5"] == found


def test_other_options_are_recorded_anew(project: Path, run_command: Callable[..., Any], tmp_path: Path) -> None:
    FORMATS["viper"].write(tmp_path / "viper")
    options = {"expect": "any", "seed": 3}
    for spec in ({"expect": "any"}, options):
        done = run_command("add-data", "viper", tmp_path / "viper", "--spec", json.dumps(spec))
        assert done.status == 0, done.errors
        assert "viper.dvc: written; next: git add data/raw/viper.dvc" in done.output
    record = read("data/raw/viper.dvc")["meta"]
    assert record["options"] == options
    assert record["divisions"] == 20


def test_another_name_and_a_whole_config_entry(project: Path, market: Path, add: Add) -> None:
    entry = {"format": "market1501", "root": "data/raw/campus", "expect": "any", "published_as": "market1501"}
    assert add(market, "--name", "campus", spec=json.dumps(entry)).status == 0
    assert Path("data/raw/campus").resolve() == market
    assert read("data/raw/campus.dvc")["meta"]["options"] == {"expect": "any"}
    assert not Path("data/raw/market1501.dvc").exists()


def test_from_a_folder_of_the_project(project: Path, market: Path, add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "notes").mkdir()
    monkeypatch.chdir(project / "notes")
    assert add(Path("../../shelf/Market")).status == 0
    assert (project / "data/raw/market1501").readlink() == market
    assert list((project / "notes").iterdir()) == []


def test_a_copy(project: Path, market: Path, add: Add) -> None:
    before = state(market)
    assert f"data/raw/market1501: copied from {market}\n" in add(market, "--copy").output
    copy = Path("data/raw/market1501")
    assert not copy.is_symlink()
    assert dvc_directory_md5(copy) == dvc_directory_md5(market) == read("data/raw/market1501.dvc")["outs"][0]["md5"]
    assert not Path(".dvc/cache").exists()
    assert f"a copy of {market}, as before\n" in add(market, "--copy").output
    assert "data/raw/market1501: in place\n" in add(copy).output
    (copy / "readme.txt").write_text("edited\n")
    refused = add(market, "--copy")
    assert refused.status == 2
    assert "there is a folder of that name" in refused.errors
    assert (copy / "readme.txt").read_text() == "edited\n"
    assert state(market) == before


def test_the_cache_on_request(project: Path, market: Path, add: Add) -> None:
    refused = add(market, "--cache")
    assert refused.status == 2
    assert "--cache needs --copy: DVC restores what it has in its cache" in refused.errors
    before = state(market)
    assert add(market, "--copy", "--cache").status == 0
    assert "cache" not in read("data/raw/market1501.dvc")["outs"][0]
    victim = next(Path("data/raw/market1501/query").iterdir())
    image = victim.read_bytes()
    victim.unlink()
    assert "modified" in dvc("status")
    dvc("checkout")
    assert victim.read_bytes() == image
    assert "up to date" in dvc("status")
    assert git("status", "--short", "--untracked-files=all", "data").split("\n")[:2] == [
        "?? data/raw/.gitkeep",
        "?? data/raw/market1501.dvc",
    ]
    assert state(market) == before


def test_linked_folders_are_refused_or_copied(project: Path, market: Path, add: Add) -> None:
    """DVC leaves them out of its hash: it called a dataset unchanged whose training images were deleted."""
    elsewhere = market.parent / "disk2"
    (market / "bounding_box_train").rename(elsewhere)
    (market / "bounding_box_train").symlink_to(elsewhere)
    refused = add(market)
    assert refused.status == 2
    assert "has links to other folders in it (bounding_box_train). DVC would record nothing" in refused.errors
    assert "--copy" in refused.errors
    assert not Path("data/raw/market1501").is_symlink()
    assert not Path("data/raw/market1501.dvc").exists()
    assert add(market, "--copy").status == 0
    copy = Path("data/raw/market1501")
    assert read("data/raw/market1501.dvc")["outs"][0]["md5"] == dvc_directory_md5(copy)
    assert (copy / "bounding_box_train").is_dir()
    assert not (copy / "bounding_box_train").is_symlink()
    assert f"a copy of {market}, as before\n" in add(market, "--copy").output
    victim = next((copy / "bounding_box_train").glob("*.jpg"))
    victim.unlink()
    assert re.search(r"modified: +data/raw/market1501", dvc("status"))


def test_links_made_after_it_was_recorded(project: Path, market: Path, add: Add) -> None:
    assert add(market).status == 0
    (market / "query").rename(market.parent / "disk2")
    (market / "query").symlink_to(market.parent / "disk2")
    refused = add(market)
    assert refused.status == 2
    assert "has links to other folders in it (query)" in refused.errors


def test_a_linked_file_is_in_the_hash(project: Path, market: Path, add: Add) -> None:
    image = next((market / "query").glob("*.jpg"))
    image.rename(market.parent / "image.jpg")
    image.symlink_to(market.parent / "image.jpg")
    assert add(market).status == 0
    assert read("data/raw/market1501.dvc")["outs"][0]["md5"] == dvc_directory_md5(market)
    (market.parent / "image.jpg").write_bytes(b"changed")
    assert re.search(r"modified: +data/raw/market1501", dvc("status"))


@pytest.mark.parametrize("copy", [(), ("--copy",)])
def test_something_else_is_there(project: Path, market: Path, add: Add, copy: tuple[str, ...]) -> None:
    target, elsewhere = Path("data/raw/market1501"), market.parent
    target.symlink_to(elsewhere)
    outcome = add(market, *copy)
    assert outcome.status == 2
    assert f"is a link to {elsewhere}, not to {market}. Remove the link (`rm " in outcome.errors
    target.unlink()
    target.symlink_to(market.parent / "gone")  # broken
    assert "is a link to" in add(market, *copy).errors
    target.unlink()
    target.write_text("mine")
    assert "there is a file of that name" in add(market, *copy).errors
    assert target.read_text() == "mine"
    target.unlink()
    target.mkdir()
    assert "there is a folder of that name" in add(market, *copy).errors
    assert not Path("data/raw/market1501.dvc").exists()
    target.rmdir()
    assert add(market).status == 0
    assert "is a link to" in add(market, "--copy").errors


def test_nothing_is_left_when_it_fails(project: Path, market: Path, add: Add) -> None:
    outcome = add(market, spec="{}")
    assert outcome.status == 2
    assert "found 12 images of 3 identities; expected 12,936 images of 751 identities" in outcome.errors
    assert "no such folder. Expected Market-1501" in add(market / "gone").errors
    assert "has no option 'boxes'" in add(market, spec='{"boxes": "detected"}').errors
    assert "unknown dataset format 'market': did you mean 'market1501'?" in add(market, format_="market").errors
    for name in ("../market", "market.dvc", "", ".market"):
        assert "a dataset's name has letters" in add(market, "--name", name).errors
    assert [p.name for p in Path("data/raw").iterdir()] == [".gitkeep"]


def test_a_folder_that_holds_the_project(project: Path, market: Path, add: Add) -> None:
    (market / "project").mkdir()
    (project / "data").rename(market / "project/data")
    (project / "data").symlink_to(market / "project/data")
    outcome = add(market)
    assert outcome.status == 2
    assert "so a link there would lead into itself" in outcome.errors


@pytest.mark.parametrize(
    ("lines", "copy", "message"),
    [
        ("", (), "would let git take the images"),
        ("", ("--copy",), "would let git take the images"),
        ("/data/raw/*/\n", (), "would let git take the images"),  # a link is no folder for git
        ("/data/raw/*\n!/data/raw/*.dvc\n", (), "hides the data files of this folder from DVC"),
        ("/data/raw/*\n!/data/raw/*.dvc\n", ("--copy",), "hides the data files of this folder from DVC"),
    ],
)
def test_ignore_lines_that_do_not_do(
    project: Path, market: Path, add: Add, lines: str, copy: tuple[str, ...], message: str
) -> None:
    Path(".gitignore").write_text(lines)
    outcome = add(market, *copy)
    assert outcome.status == 2
    assert message in outcome.errors
    assert "must be\n/data/raw/?*\n!/data/raw/*.dvc\n!/data/raw/.gitkeep" in outcome.errors
    assert [p.name for p in Path("data/raw").iterdir()] == [".gitkeep"]
    assert market.is_dir()


def test_images_that_git_has_already(project: Path, market: Path, add: Add) -> None:
    write_market1501(Path("data/raw/market1501"))
    git("add", "--force", "data/raw/market1501")
    outcome = add(Path("data/raw/market1501"))
    assert outcome.status == 2
    assert "git has files of that name; images of people must not be in git" in outcome.errors
    assert "git rm -r --cached" in outcome.errors


def test_what_the_disk_refuses(project: Path, market: Path, add: Add) -> None:
    Path("data/raw/.gitkeep").unlink()
    Path("data/raw").rmdir()
    Path("data/raw").write_text("a file")
    outcome = add(market)
    assert outcome.status == 2
    assert "data/raw/market1501: cannot be made or read: " in outcome.errors
    assert f"Check who owns {project}/data/raw and {market}" in outcome.errors


def test_a_data_file_that_is_none(project: Path, market: Path, add: Add) -> None:
    Path("data/raw/market1501.dvc").write_text("outs: [\n")
    outcome = add(market)
    assert outcome.status == 2
    assert "DVC cannot record the folder" in outcome.errors
    assert not Path("data/raw/market1501").is_symlink()


def test_outside_a_project(market: Path, add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = add(market)
    assert outcome.status == 2
    assert f"{tmp_path}: no DVC project here or above" in outcome.errors
    assert "run `dvc init` there once" in outcome.errors
    (tmp_path / ".dvc").mkdir()  # an archive of the repository, without .git
    (tmp_path / ".dvc/config").write_text("[core]\n    analytics = false\n")
    outcome = add(market)
    assert outcome.status == 2
    assert "is not a git repository, but its DVC project was made in one. Run `git init` there" in outcome.errors
    assert not (tmp_path / "data").exists()


def test_a_stage_that_makes_the_same_folder(project: Path, market: Path, add: Add) -> None:
    stage = {"unpack": {"cmd": "true", "outs": ["data/raw/market1501"]}}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stage}))
    outcome = add(market)
    assert outcome.status == 2
    assert "DVC cannot record the folder: output 'data/raw/market1501' is specified in:" in outcome.errors
    assert "- unpack\n" in outcome.errors
    assert not Path("data/raw/market1501").is_symlink()


@pytest.mark.parametrize("name", DATASETS.names())
def test_every_format(name: str, project: Path, run_command: Callable[..., Any], tmp_path: Path) -> None:
    FORMATS[name].write(tmp_path / "shelf")
    before = state(tmp_path / "shelf")
    done = run_command("add-data", name, tmp_path / "shelf", "--spec", json.dumps(FORMATS[name].options))
    assert done.status == 0, done.errors
    assert read(f"data/raw/{name}.dvc")["outs"][0]["md5"] == dvc_directory_md5(tmp_path / "shelf")
    assert state(tmp_path / "shelf") == before


def test_files_that_cannot_be_hashed(project: Path, market: Path, add: Add) -> None:
    (market / "gone.jpg").symlink_to("nowhere.jpg")
    Path(os.fsdecode(os.fsencode(market) + b"/caf\xe9.jpg")).touch()
    outcome = add(market)
    assert outcome.status == 2
    assert "has 2 files that cannot be recorded. Rename or remove:\n  caf\\xe9.jpg: name that is not" in outcome.errors
    assert "  gone.jpg: link to a file that is not there" in outcome.errors
    assert not Path("data/raw/market1501").is_symlink()
