"""Put a dataset under version control by its hash alone: linked below `data/raw`, described in a DVC data file.

Images of people never enter git, and enter DVC's cache only when the user asks: the data file says `cache: false`, so
that DVC compares the folder with its hash but neither stores nor restores it.
"""

from __future__ import annotations

import datetime
import filecmp
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from anonbench.core.errors import ConfigError, DataError
from anonbench.core.files import atomic_folder
from anonbench.core.registry import load_plugins
from anonbench.datasets import DATASETS, DISTRACTOR_PID, JUNK_PID
from anonbench.datasets._contract import count_listing, describe_listing
from anonbench.datasets._listing import DatasetInfo, DatasetListing, unusable_files
from anonbench.ops.dvc.errors import in_words
from anonbench.stages.index import ENTRY_KEYS

if TYPE_CHECKING:
    from dvc.repo import Repo

RAW = Path("data/raw")
SHOWN = 5  # files and links named in a message
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # of datasets in the config
# DVC reads `/data/raw/*` as "data/raw itself is ignored" and would overlook the data files in it.
IGNORE_LINES = f"/{RAW}/?*\n!/{RAW}/*.dvc\n!/{RAW}/.gitkeep"


@dataclass(frozen=True)
class Added:
    """What became of the folder (a link, a copy, in place) in words, and whether its data file had to be written."""

    placed: str
    written: bool


def add_data(
    format_: str,
    source: Path,
    spec: Mapping[str, Any],
    name: str | None = None,
    *,
    copy: bool = False,
    cache: bool = False,
    plugins: list[str] | None = None,
) -> None:
    """Check a folder with its adapter, link it to `data/raw/{name}` and write `data/raw/{name}.dvc`; `source` is read.

    The data file is DVC's own: the directory's MD5 as DVC computes it, size and number of files, and under `meta:` the
    format, its options, licence, citation, source, date and counts. Where one is there already, the folder must have
    the hash that it records. Paths are those of the DVC project around the current folder.

    spec: options of the adapter, or a whole config entry.
    name: that of the format when left out.
    copy: copy the files instead of linking the folder.
    cache: store the copy in DVC's cache, for `dvc push`.

    Raises `ConfigError` for an unknown format or option and a name that cannot be used; `DataError` when the folder is
    not as its layout promises, differs from the recorded one, or cannot be placed, and outside a DVC project.
    """
    load_plugins(plugins or [])
    name = _checked_name(format_ if name is None else name)
    if cache and not copy:
        raise ConfigError(
            "--cache needs --copy: DVC restores what it has in its cache, and through a link it would write into the "
            "original folder."
        )
    options = {key: value for key, value in spec.items() if key not in ENTRY_KEYS}
    read = DATASETS.get(format_)
    with _open_project() as repo, in_words(Path(repo.root_dir)):
        listing = read(source, **options)
        _refuse_unusable(source)
        info: DatasetInfo = read.info  # type: ignore[attr-defined]
        print("\n".join(describe_listing(listing)))
        print(_in_all(listing), flush=True)
        meta = _meta(format_, options, info, listing)
        added = _add(repo, source.resolve(), name, meta, copy, cache)
    file = f"{RAW / name}.dvc"
    print(f"{RAW / name}: {added.placed}")
    print(f"{file}: {'written; next: git add ' + file if added.written else 'already says so'}")
    print(f"licence: {info.licence}")


def _refuse_unusable(source: Path) -> None:
    """Raise `DataError` for files that DVC cannot hash: it stops at them with a traceback, or waits for ever."""
    unusable = unusable_files(source)
    if unusable:
        named = "\n".join(f"  {file.path}: {file.reason}" for file in unusable[:SHOWN])
        raise DataError(f"{source}: has {len(unusable)} files that cannot be recorded. Rename or remove:\n{named}")


def _checked_name(name: str) -> str:
    if not NAME.fullmatch(name) or name.endswith(".dvc"):
        raise ConfigError(
            f"--name {name!r}: a dataset's name has letters, digits, dots, dashes and underscores, begins with a "
            f"letter or digit and does not end in .dvc, as in 'market1501'."
        )
    return name


def _open_project() -> Repo:
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo
    from dvc.scm import SCMError

    try:
        return Repo()
    except NotDvcRepoError as error:
        raise DataError(
            f"{Path.cwd()}: no DVC project here or above, so nothing can be recorded. Go to the project's folder and "
            f"run `dvc init` there once, then this command again."
        ) from error
    except SCMError as error:
        raise DataError(
            f"{error}, but its DVC project was made in one. Run `git init` there, or work in a clone of the repository."
        ) from error


def _count_all(listing: DatasetListing) -> dict[str, int]:
    """Images, and of people the identities and cameras."""
    counts = {"images": len(listing.images)}
    if people := listing.people:
        counts["identities"] = len({image.pid for image in people} - {JUNK_PID, DISTRACTOR_PID})
        counts["cameras"] = len({image.camid for image in people})
    return counts


def _in_all(listing: DatasetListing) -> str:
    counts = _count_all(listing)
    people = f" of {counts['identities']:,} identities by {counts['cameras']} cameras" if listing.people else ""
    return f"in all {counts['images']:,} images{people}"


def _meta(format_: str, options: Mapping[str, Any], info: DatasetInfo, listing: DatasetListing) -> dict[str, Any]:
    """`meta:` of the data file. The place of the folder is not in it: it is this machine's own affair."""
    counts: dict[str, Any] = {split: dict(found) for split, found in count_listing(listing).items()}
    counts["all"] = _count_all(listing)
    return {
        "title": info.title,
        "format": format_,
        "options": dict(options),
        "licence": info.licence,
        "citation": info.citation,
        "source": info.request_from,
        "recorded": datetime.date.today().isoformat(),
        "counts": counts,
        "dropped": dict(sorted(Counter(d.reason for d in listing.dropped).items())),
        "sidecars": len(listing.sidecars),
        "divisions": max(1, len(listing.splits)),
    }


def _add(repo: Repo, source: Path, name: str, meta: dict[str, Any], copy: bool, cache: bool) -> Added:
    from dvc.exceptions import DvcException
    from dvc.lock import LockError

    raw = Path(repo.root_dir) / RAW
    try:
        with repo.lock, _place(source, raw / name, copy) as placed:
            _check_ignored(repo, raw / name)
            written = _record(repo, raw, name, meta, cache)
    except (DvcException, LockError) as error:
        raise DataError(f"{RAW / name}.dvc: DVC cannot record the folder: {error}") from error
    except OSError as error:
        raise DataError(
            f"{RAW / name}: cannot be made or read: {error}. Check who owns {raw} and {source}, and whether there is "
            f"room on the disk."
        ) from error
    return Added(placed, written)


@contextmanager
def _place(source: Path, target: Path, copy: bool) -> Iterator[str]:
    """Make `target` a link to `source` or a copy of it, and say which; undone when the block fails.

    Raises `DataError` when something else is there, and for linked folders in what is not to be copied.
    """
    if target.parent.resolve().is_relative_to(source):
        raise DataError(f"{source}: holds {target.parent}, so a link there would lead into itself. Move the data out.")
    if target.is_symlink() or target.exists():
        _refuse_linked_folders(target)
        yield _what_is_there(source, target, copy)
        return
    if not copy:
        _refuse_linked_folders(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    if copy:
        with atomic_folder(target) as temporary:
            shutil.copytree(source, temporary, dirs_exist_ok=True)
    else:
        target.symlink_to(source, target_is_directory=True)
    try:
        yield f"copied from {source}" if copy else f"a link to {source}"
    except BaseException:
        shutil.rmtree(target) if copy else target.unlink()
        raise


def _refuse_linked_folders(folder: Path) -> None:
    """Raise `DataError` for links to folders below one: DVC hashes none of what is in them, without a word."""
    links = sorted(
        path.relative_to(folder).as_posix()
        for base, names, _ in os.walk(folder)
        for path in (Path(base, name) for name in names)
        if path.is_symlink()
    )
    if links:
        named = ", ".join(links[:SHOWN]) + (f" and {len(links) - SHOWN} more" if links[SHOWN:] else "")
        raise DataError(
            f"{folder}: has links to other folders in it ({named}). DVC would record nothing of what is in them, and "
            f"call changed images up to date. Put real folders in their place, or add a copy: --copy."
        )


def _what_is_there(source: Path, target: Path, copy: bool) -> str:
    """Words for what is at `target` already, when that is what was asked for; `DataError` when it is not."""
    if target.is_symlink():
        if target.resolve() != source:
            raise DataError(
                f"{target}: is a link to {target.readlink()}, not to {source}. Remove the link "
                f"(`rm {target}` leaves the data alone) or give this dataset another --name."
            )
        if copy:
            raise DataError(
                f"{target}: is a link to {source} already. Remove it (`rm {target}` leaves the data alone) to copy, or "
                f"leave --copy and --cache out."
            )
        return f"a link to {source}, as before"
    if target.resolve() == source:
        return "in place"
    if copy and target.is_dir() and _same_files(source, target):
        return f"a copy of {source}, as before"
    raise DataError(
        f"{target}: there is {'a folder' if target.is_dir() else 'a file'} of that name, and it is not {source}. Move "
        f"it away, give it as the folder to add, or give this dataset another --name."
    )


def _same_files(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files with the same bytes."""
    names = [_files_below(root) for root in (one, other)]
    return names[0] == names[1] and all(filecmp.cmp(one / n, other / n, shallow=False) for n in sorted(names[0]))


def _files_below(root: Path) -> set[str]:
    """Every file, also those in linked folders, which a copy has as real ones."""
    found = (Path(base, name) for base, _, names in os.walk(root, followlinks=True) for name in names)
    return {path.relative_to(root).as_posix() for path in found if path.is_file()}


def _check_ignored(repo: Repo, target: Path) -> None:
    """Raise `DataError` unless git ignores the folder, and DVC sees the data files beside it."""
    from dvc.scm import NoSCM

    git = ["git", "-C", repo.root_dir]
    check = subprocess.run([*git, "check-ignore", "--quiet", "--no-index", target], capture_output=True, check=False)
    if check.returncode not in (0, 1):  # no git here
        return
    ignored = check.returncode == 0
    tracked = subprocess.run([*git, "ls-files", target], capture_output=True, check=False).stdout
    if tracked:
        raise DataError(
            f"{target}: git has files of that name; images of people must not be in git. Remove them from it "
            f"(`git rm -r --cached {target}`), and from its history if they are real."
        )
    if not ignored or (not isinstance(repo.scm, NoSCM) and repo.scm.is_ignored(f"{target.parent}/")):
        what = "hides the data files of this folder from DVC" if ignored else "would let git take the images"
        raise DataError(f"{repo.root_dir}/.gitignore: {what}. Its lines about {RAW} must be\n{IGNORE_LINES}")


def _record(repo: Repo, raw: Path, name: str, meta: dict[str, Any], cache: bool) -> bool:
    """Write the data file unless it says the same already; whether it was written.

    `Repo.add` refuses a linked folder, though `dvc status` copes with one: hence the stage by hand.
    """
    file = raw / f"{name}.dvc"
    stage = repo.stage.create(
        single_stage=True, validate=False, force=True, fname=str(file), wdir=str(raw),
        **{"outs" if cache else "outs_no_cache": [name]},
    )  # fmt: skip
    before: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    repo.check_graph(stages=[stage])
    out = stage.outs[0]
    out.save()
    _check_recorded(file, before, out.dumpd())
    if cache:
        out.commit(relink=False)  # the copy stays as it is: other tools compare its times
    stage.desc = f"{meta['title']} ({meta['counts']['all']['images']:,} images), by its hash"
    stage.meta = meta
    known = before.get("meta") or {}
    if before == {**stage.dumpd(), "meta": {**meta, "recorded": known.get("recorded")}}:
        return False
    stage.dump()
    return True


def _check_recorded(file: Path, before: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    recorded = (before.get("outs") or [{}])[0]
    if recorded.get("md5", found["md5"]) != found["md5"]:
        raise DataError(
            f"{file}: records other data: {_hash(recorded)}. The folder has {_hash(found)}. Results made with the "
            f"recorded data cannot be compared with it. Find the recorded copy, or delete {file.name} and run this "
            f"command again to go on with this one."
        )


def _hash(out: Mapping[str, Any]) -> str:
    return f"{out.get('nfiles', 0):,} files, {out.get('size', 0):,} bytes, md5 {out['md5']}"
