"""The check of Study 4's part of the configuration, and which files an attack reads."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from anonbench.config import check_config, read_config
from anonbench.core.errors import ConfigError
from anonbench.data import paths
from anonbench.studies.privacy import plan
from anonbench.studies.privacy.settings import applies, risk_of

CONFIG = read_config(root=Path(__file__).parents[4])


def changed(where: str, value: Any) -> dict[str, Any]:
    """The default configuration with one entry set; None takes it out."""
    config = copy.deepcopy(CONFIG)
    *way, last = where.split("/")
    entry = config
    for name in way:
        entry = entry[name]
    if value is None:
        del entry[last]
    else:
        entry[last] = value
    return config


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ("attacks/faces_naive/model", "bott", "bot"),
        ("attacks/faces_naive/model", None, "needs either 'recognizer'"),
        ("attacks/faces_naive/recognizer", "dlib", "needs either 'recognizer'"),
        ("attacks/faces_naive/galery", "clear", "gallery|galery"),
        ("attacks/faces_naive/gallery", "hidden", "gallery"),
        ("attacks/faces_naive/enrolled", 2, "enrolled"),
        ("attacks/faces_shipped/trained", "anonymized", "is not trained here"),
        ("attacks/faces_shipped/sees", "people", "write `sees: faces`"),
        ("attacks/faces_restored/restored", {"blur": "zero_restored"}, "is not made of 'blur'"),
        ("attacks/membership/gallery", "clear", "has no such key"),
        ("recognizers/dlib/method", "dlip", "dlib"),
        ("recognizers/bot", {"method": "dlib"}, "a model has that name too"),
        ("privacy_statistics/risk_bound", 0, "risk_bound"),
        ("privacy_figures/real_people", None, "real_people"),
        ("privacy_figures/restored/blur/dataset", "market1501-rendered", "market1501-faces"),
        ("privacy_figures/restored/blur/attack", "faces_naive", "faces_restored"),
        ("privacy_figures/restored/blur/variant", "blank", "zero"),
        ("privacy_figures/restored/blur/faces", 0, "faces"),
        ("privacy_figures/restored/blur/people", 3, "unknown key 'people'"),
        ("tables/privacy_attacks/faces", "market1501-rendered", "faces"),
        ("tables/privacy_attacks/dataset", "dukemtmcreid-rendered", "market1501-faces|dukemtmcreid-faces"),
        ("tables/privacy_attacks/attacks", ["faces_nave"], "faces_naive"),
        ("tables/privacy_attacks/variants", ["blurr"], "blur"),
        ("tables/tradeoff/curves", {"blur": ["blur", "blurr"]}, "blur"),
        ("datasets/market1501-faces/cut/of", "cityscapes-rendered", "cut.of"),
        ("datasets/market1501-faces/cut/of", "viper-rendered", "several splits"),
        ("datasets/market1501-faces/cut/detector", "centreface", "centerface"),
        ("datasets/market1501-faces/cut/size", [48], "size"),
        ("datasets/market1501-faces/root", "data/faces", "results/images/market1501-faces/original"),
        ("datasets/market1501-faces/splits", [0], "take 'splits' out"),
    ],
)
def test_what_cannot_be_used_is_refused_and_named(where: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_config(changed(where, value))


def test_what_each_attack_reads() -> None:
    def read(attack: str, variant: str = "blur") -> plan.AttackFiles:
        return plan.inputs(CONFIG, "market1501-faces", attack, variant, "seed0")

    def features(trained: str, shown: str, name: str = "face_net") -> str:
        return paths.features("market1501-faces", name, trained, "seed0", shown)

    naive, gallery, parrot = read("faces_naive"), read("faces_gallery"), read("faces_parrot")
    assert (naive.probes, naive.gallery) == (features("original", "blur"), features("original", "original"))
    assert (gallery.probes, gallery.gallery) == (features("original", "blur"), features("original", "blur"))
    assert (parrot.probes, parrot.gallery) == (features("blur", "blur"), features("blur", "blur"))
    restored = read("faces_restored")
    assert (restored.probes, restored.gallery) == (features("original", "blur_restored"), naive.gallery)
    assert restored.manifest == paths.manifest("market1501-faces", "blur_restored-seed0")
    assert restored.people == paths.manifest("market1501-rendered")
    assert read("faces_shipped").probes == features("shipped", "blur", "dlib")


def test_where_an_attack_makes_no_sense() -> None:
    attacks = CONFIG["attacks"]
    assert applies(attacks["faces_naive"], "original")  # the recognizer's own accuracy
    assert not applies(attacks["faces_parrot"], "original")
    assert not applies(attacks["faces_restored"], "blank")  # nobody has learnt to undo it
    assert applies(attacks["faces_restored"], "zero")


def test_which_risk_an_attack_is_about() -> None:
    risks = {name: risk_of(entry) for name, entry in CONFIG["attacks"].items()}
    assert risks["faces_naive"] == risks["faces_restored"] == "singling_out"
    assert risks["people_linked"] == risks["people_parrot"] == "linkability"
    assert risks["membership"] == "inference"


def test_what_a_figure_of_restored_faces_is_made_of() -> None:
    made = plan.restored_figure(CONFIG, "blur")
    assert made.trials == "results/attacks/market1501-faces/faces_restored/blur/seed0.trials.csv"
    assert made.stored == ["original", "blur", "blur_restored-seed0"]
    assert made.manifests[2] == "results/manifests/market1501-faces/blur_restored-seed0.csv"
    assert made.warning == ""  # the people are drawn
    without = changed("privacy_figures/restored/blur/attack", None)
    assert plan.restored_figure(without, "blur") == made


def test_which_figures_of_restored_faces_are_drawn_by_default() -> None:
    assert plan.restored_figures(CONFIG) == ["blur"]
    assert "results/figures/privacy_restored_blur.png" in plan.reports(CONFIG)
    assert plan.restored_figures(changed("build", ["table3"])) == []  # nothing is trained for a figure alone
    assert plan.restored_figures(changed("privacy_figures/restored/blur/attack", "faces_remade")) == ["blur"]
    unhidden = changed("tables/privacy_attacks/variants", ["zero"])
    unhidden["tables"]["privacy_risks"]["variants"] = ["zero"]
    assert plan.restored_figures(unhidden) == []


def test_real_people_are_drawn_where_the_configuration_says_so() -> None:
    real = changed("datasets/market1501-rendered", {"format": "market1501", "root": "data/raw/market1501"})
    assert plan.restored_figures(real) == []
    real["privacy_figures"]["real_people"] = True
    assert plan.restored_figures(real) == ["blur"]
    assert "REAL PEOPLE" in plan.restored_figure(real, "blur").warning
