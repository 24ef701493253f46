"""What an edit re-runs: digests of the study's commands hold the modules that can change their result, no others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from anonbench.ops import provenance
from anonbench.ops.catalog import declaration, digest_modules, plugin_module
from anonbench.studies.reid_faces.kinds import KINDS

ROOT = Path(__file__).parents[4]
COMMANDS = sorted(
    file.stem
    for file in (ROOT / "anonbench/stages").glob("[a-z]*.py")
    if declaration(file.stem).group in ("study", "report")
)
Stale = Callable[[str], set[str]]


def digests() -> dict[str, str]:
    """The digests of the study's jobs as the rules compute them: a table's with the module of its kind."""
    found = {name: provenance.code_digest(*digest_modules(name)) for name in COMMANDS if name != "table"}
    for kind in KINDS.names():
        found[f"table {kind}"] = provenance.code_digest(*digest_modules("table"), plugin_module(KINDS, kind))
    return found


@pytest.fixture
def stale(monkeypatch: pytest.MonkeyPatch) -> Stale:
    """The jobs whose digest changes with the code of a module."""
    plain, before = provenance._digest_and_imports, digests()

    def after_edit(module: str) -> set[str]:
        assert provenance._source(module), f"no module {module}"

        def edited(file: Path, name: str, mtime_ns: int) -> tuple[str, tuple[str, ...]]:
            digest, imports = plain(file, name, mtime_ns)
            return ("edited" if name == module else digest), imports

        monkeypatch.setattr(provenance, "_digest_and_imports", edited)
        return {name for name, digest in digests().items() if digest != before[name]}

    return after_edit


def test_a_reworded_page_reruns_that_page_alone(stale: Stale) -> None:
    study = "anonbench.studies.reid_faces"
    assert stale(f"{study}.statistics_page") == {"conclusions"}
    assert stale(f"{study}.published_page") == {"published"}
    assert stale(f"{study}.sentences") == {"conclusions", "published"}
    assert stale(f"{study}.figures_cmc") == {"figure_cmc"}
    assert stale("anonbench.stages.figure1") == {"figure1"}


def test_the_bootstrap_does_not_depend_on_words_and_looks(stale: Stale) -> None:
    bootstrap = {"cells", "noise_floor", "faces"}
    for module in ("studies.reid_faces.headings", "report.layout", "report.style", "report.tables", "data.paths"):
        assert not stale(f"anonbench.{module}") & {*bootstrap, "ttest", "effects"}, module
    assert bootstrap <= stale("anonbench.statistics.bootstrap")
    assert bootstrap <= stale("anonbench.studies.reid_faces.settings")


def test_datasets_are_not_part_of_what_the_paper_says(stale: Stale) -> None:
    for adapter in ("market1501", "dukemtmcreid", "viper", "cuhk03"):
        assert stale(f"anonbench.datasets.{adapter}") == set()
    assert stale("anonbench.stages.evaluate") == set()


def test_a_table_depends_on_its_own_kind(stale: Stale) -> None:
    for kind in KINDS.names():
        assert stale(f"anonbench.studies.reid_faces.kinds.{kind}") == {f"table {kind}"}


def test_config_and_workflow_machinery_count_nowhere(stale: Stale) -> None:
    for module in ("config", "ops.explain", "studies.reid_faces.plan", "studies.reid_faces.check"):
        assert stale(f"anonbench.{module}") == set(), module
