"""The configuration of the last run: taken where none is named, and guarded against DVC's."""

from __future__ import annotations

from pathlib import Path

import pytest

from anonbench.core.errors import ConfigError
from anonbench.ops.journal import write_last_run
from anonbench.ops.last_run import REPLACE, configuration, refuse_other, refuse_replacing
from anonbench.ops.provenance import write_stamp

DEMO = "config/demo.yaml"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config").mkdir()
    for name in ("default", "demo", "mine"):
        (tmp_path / f"config/{name}.yaml").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_that_of_the_last_run_is_taken_and_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert configuration([], root) == []
    assert capsys.readouterr().err == "", "nothing has run here"
    write_last_run([(root / DEMO).resolve()], ["all"], root)
    assert configuration([], root) == [root / DEMO]
    assert capsys.readouterr().err == "configuration of the last run: config/demo.yaml\n"
    write_last_run([], ["all"], root)
    assert configuration([], root) == []
    assert capsys.readouterr().err == "configuration of the last run: config/default.yaml\n"


def test_what_is_named_comes_first(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_last_run([root / DEMO], ["all"], root)
    assert configuration([Path("config/mine.yaml")], root) == [Path("config/mine.yaml")]
    assert configuration([Path("config/default.yaml")], root) == [], "no other over it"
    assert capsys.readouterr().err == ""


def test_a_file_of_the_last_run_that_is_gone(root: Path) -> None:
    write_last_run([root / "config/gone.yaml"], ["all"], root)
    with pytest.raises(ConfigError, match=r"gone.yaml: it was there in the last run and is gone. Name another with"):
        configuration([], root)


def test_artifacts_of_another_configuration_are_not_replaced(root: Path) -> None:
    refuse_other([], root)
    refuse_other([DEMO], root)  # nothing has run here
    write_last_run([(root / DEMO).resolve()], ["all"], root)
    refuse_other([DEMO], root)
    with pytest.raises(ConfigError) as caught:
        refuse_other([], root)
    text = str(caught.value)
    assert "the artifacts below results/ are those of config/demo.yaml (last run: 20" in text
    assert "dvc.yaml is that of config/default.yaml: this would replace them" in text
    assert "anonbench dvc-cells --configfile config/demo.yaml" in text
    write_last_run([], ["all"], root)
    with pytest.raises(ConfigError, match=r"dvc-cells --configfile config/default.yaml"):
        refuse_other([DEMO], root)


def test_what_another_configuration_has_made_is_not_replaced(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = root / "config/other.yaml"
    stamp = Path("results/stamps/render/people.json")
    (root / stamp).parent.mkdir(parents=True)
    table = Path("results/stamps/table/table3.json")
    for path, stage in ((stamp, "render"), (table, "table")):
        write_stamp(root / path, stage, {"spec": {"cameras": 4}}, (), (), "0", 1.0)
    changed, same, absent = (stamp, {"cameras": 3}), (stamp, {"cameras": 4}), (Path("results/stamps/x.json"), {})
    refuse_replacing([other], [changed], root)  # nothing has run here
    write_last_run([root / DEMO], ["all"], root)
    refuse_replacing([other], [same, absent, (table, {"cameras": 3})], root)  # a table takes a second
    for files in ([DEMO], ["config/default.yaml", DEMO], [DEMO, other]):  # edited since, or with another over it
        refuse_replacing(files, [changed], root)
    message = (
        r"^config/other\.yaml would replace 1 artifacts that were made here with other settings \(render/people\), and "
        r"all that was made from them\. The last run was of config/demo\.yaml \(20.*ANONBENCH_REPLACE=1 snakemake"
    )
    with pytest.raises(ConfigError, match=message):
        refuse_replacing([other], [same, changed, absent], root)
    with pytest.raises(ConfigError, match=r"^config/default\.yaml would replace"):
        refuse_replacing([], [changed], root)
    write_last_run([], ["all"], root)
    with pytest.raises(ConfigError, match=r"The last run was of config/default\.yaml"):
        refuse_replacing([other], [changed], root)
    monkeypatch.setenv(REPLACE, "1")
    refuse_replacing([other], [changed], root)
