"""One set of versions everywhere, and nothing in the repository that does not belong there."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".svg")
WEIGHTS = (".pt", ".pth", ".onnx", ".npz", ".npy", ".mat", ".ckpt", ".safetensors", ".zip", ".gz", ".tar")
# Written in two parts, so that this file does not hold them.
REGISTRIES = [
    "py" + "pi.org", "python" + "hosted.org", "conda." + "anaconda.org", "repo." + "anaconda.com", "npm" + "js.org",
    "npm" + "js.com", "crates" + ".io", "proxy.golang" + ".org",
]  # fmt: skip


def requirements(name: str) -> dict[str, Requirement]:
    """The requirements of a file by their name in lower case."""
    lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines())
    found = [Requirement(line) for line in lines if line]
    return {r.name.lower(): r for r in found}


PINS = {**requirements("requirements.txt"), **requirements("requirements-nodeps.txt")}
ALL_PINS = {
    **PINS,
    **requirements("requirements-dev.txt"),
    **requirements("requirements-pose.txt"),
    **requirements("requirements-recognition.txt"),
}


def version(pin: Requirement) -> str:
    return str(pin.specifier).removeprefix("==")


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """The files that are in git or would be with the next commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_every_requirement_is_pinned_once() -> None:
    for name in ("requirements.txt", *(f"requirements-{n}.txt" for n in ("nodeps", "dev", "pose", "recognition"))):
        assert all(re.fullmatch(r"==[\w.]+", str(r.specifier)) for r in requirements(name).values()), name
    together = [
        r for n in ("", "-nodeps", "-dev", "-pose", "-recognition") for r in requirements(f"requirements{n}.txt")
    ]
    assert len(together) == len(set(together))


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_ranges_of_the_package_hold_the_pins() -> None:
    optional = [r for group in project().get("optional-dependencies", {}).values() for r in group]
    ranges = [Requirement(r) for r in (*project()["dependencies"], *optional)]
    assert len(ranges) > 10
    for wanted in ranges:
        pin = PINS.get(wanted.name.lower())
        assert pin is not None, f"{wanted.name} is not pinned in requirements.txt"
        assert wanted.specifier.contains(version(pin)), f"{wanted} does not hold {pin}"
    assert set(requirements("requirements.txt")) == {r.name.lower() for r in ranges}


def test_make_installs_the_torch_that_is_pinned() -> None:
    found = re.findall(r"torch==([\d.]+)", (ROOT / "Makefile").read_text())
    assert set(found) <= {version(PINS["torch"])}


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_conda_environments_have_the_same_pins(name: str) -> None:
    environment = yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text())
    assert "defaults" not in environment["channels"]
    (python,) = [d for d in environment["dependencies"] if isinstance(d, str) and d.startswith("python=")]
    assert project()["requires-python"].startswith(">=" + python.split("=")[-1])
    lines = [line for d in environment["dependencies"] if isinstance(d, dict) for line in d["pip"]]
    assert lines
    for line in lines:
        option, _, value = line.partition(" ")
        if option in ("-r", "--requirement"):
            assert (ROOT / "envs" / value).resolve().is_file(), line
        elif not option.startswith("-"):
            pin = Requirement(line)
            assert str(pin.specifier) == str(ALL_PINS[pin.name.lower()].specifier), line
    for name_ in ("requirements.txt",):
        assert any(line.endswith(name_) for line in lines)


def test_conda_environments_are_named_by_rules(files: list[Path]) -> None:
    rules = "".join(f.read_text() for f in files if f.suffix == ".smk")
    used = set(re.findall(r"envs/(\w+)\.yaml", rules))
    assert used == {f.stem for f in (ROOT / "envs").glob("*.yaml")}


def test_the_docs_explain_every_dependency() -> None:
    assert "](docs/dependencies.md)" in (ROOT / "README.md").read_text()
    page = (ROOT / "docs/dependencies.md").read_text()
    section = re.search(r"^## What each one is for$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert section is not None, "docs/dependencies.md has no section 'What each one is for'"
    rows = [line.split("|")[1:-1] for line in section[1].splitlines() if line.startswith("|")][2:]
    explained = {name.strip(" `").lower() for row in rows for name in row[0].split(",")}
    assert set(ALL_PINS) - explained == set(), "not in the table"
    assert explained - set(ALL_PINS) == set(), "no longer required"
    assert all(cell.strip() for row in rows for cell in row)


def test_no_file_names_the_host_of_a_package_registry(files: list[Path]) -> None:
    found = [
        f"{file.relative_to(ROOT)}: {host}"
        for file in files
        if file.suffix not in IMAGES
        for host in REGISTRIES
        if host in file.read_text(encoding="utf-8", errors="replace")
    ]
    assert found == []


def test_no_pictures_but_those_of_rendered_people_in_the_docs(files: list[Path]) -> None:
    pictures = [f.relative_to(ROOT) for f in files if f.suffix.lower() in IMAGES]
    assert [p for p in pictures if p.parts[:2] != ("docs", "images")] == []


def test_no_weights_archives_or_large_files(files: list[Path]) -> None:
    assert [f.relative_to(ROOT) for f in files if f.suffix.lower() in WEIGHTS] == []
    assert [f.relative_to(ROOT) for f in files if f.stat().st_size > 1_000_000] == []


def test_links_between_our_documents_lead_somewhere(files: list[Path]) -> None:
    broken = []
    for file in files:
        if file.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#\s]+)", file.read_text()):
            if "://" not in target and not (file.parent / target).exists():
                broken.append(f"{file.relative_to(ROOT)}: {target}")
    assert broken == []


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def test_links_lead_to_headings_that_exist(files: list[Path]) -> None:
    broken = [
        f"{file.relative_to(ROOT)}: {target}#{anchor}"
        for file in files
        if file.suffix == ".md"
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", file.read_text())
        if "://" not in target and anchor not in anchors(file.parent / target if target else file)
    ]
    assert broken == []


def test_commands_in_documents_and_messages_exist(files: list[Path]) -> None:
    from anonbench.ops.catalog import command_names, shown

    commands = {*command_names(), *map(shown, command_names())}
    makefile = (ROOT / "Makefile").read_text()
    for file in files:
        if file.suffix in (".py", ".smk"):
            for word in re.findall(r"anonbench ([a-z][\w-]*) --", file.read_text()):
                assert word in commands, f"{file.name}: anonbench {word}"
        if file.suffix != ".md":
            continue
        code = re.findall(r"```(?:\w+)?\n(.*?)```", file.read_text(), re.DOTALL)
        for word in re.findall(r"^(?:\$ )?anonbench ([a-z][\w-]*)", "\n".join(code), re.MULTILINE):
            assert word in commands, f"{file.name}: anonbench {word}"
        for word in re.findall(r"^(?:\$ )?make ([a-z-]+)", "\n".join(code), re.MULTILINE):
            assert re.search(rf"^{word}:", makefile, re.MULTILINE), f"{file.name}: make {word}"
