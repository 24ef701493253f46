"""Messages about settings: an unknown key names the nearest, a wrong type what was found and what was expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest
import yaml

from anonbench.core.errors import ConfigError
from anonbench.core.fields import build, in_words, refuse_unknown


@dataclass(frozen=True)
class Blur:
    sigma: float = 0.1
    passes: int = 1
    edges: bool = False
    border: Literal["reflect", "zero"] = "reflect"
    weights: str | None = None
    sizes: tuple[int, int] = (1, 2)
    names: tuple[str, ...] = ()
    other: Any = None

    def __post_init__(self) -> None:
        if self.sigma < 0:
            raise ValueError(f"sigma is {self.sigma}; expected a number >= 0")


def read(text: str) -> Blur:
    return build(Blur, yaml.safe_load(text), "variants.blur")


def test_a_mapping_becomes_the_class_with_lists_as_tuples() -> None:
    found = read("{sigma: 1, edges: true, border: zero, weights: w.pt, sizes: [3, 4], names: [a], other: [1, b]}")
    assert found == Blur(1, 1, True, "zero", "w.pt", (3, 4), ("a",), (1, "b"))
    assert read("{weights: null}") == Blur()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{sigm: 1}", r"variants\.blur has no key 'sigm': did you mean 'sigma'\? Known: border, edges, "),
        ("{1: 2}", r"variants\.blur has no key '1': Known: border"),
        ("3", r"variants\.blur is 3; expected keys with values below it"),
        ("{sigma: -1}", r"variants\.blur: sigma is -1; expected a number >= 0"),
        ("{sigma: 3e-4}", r"sigma is the text '3e-4' \(YAML reads 3e-4 as text: write 0\.0003\); expected a number"),
        ("{sigma: wide}", r"sigma is 'wide'; expected a number$"),
        ("{sigma: true}", r"sigma is True; expected a number"),
        ("{passes: 1.5}", r"passes is 1\.5; expected an integer"),
        ("{passes: true}", r"passes is True; expected an integer"),
        ("{passes: '2'}", r"passes is the text '2' .*; expected an integer"),
        ("{edges: 1}", r"edges is 1; expected true or false"),
        ("{border: zer}", r"border is 'zer'; expected one of reflect, zero"),
        ("{weights: 3}", r"weights is 3; expected a text or null"),
        ("{sizes: 3}", r"sizes is 3; expected a list of 2"),
        ("{sizes: [3]}", r"sizes is \[3\]; expected a list of 2"),
        ("{names: [a, 1]}", r"names is \['a', 1\]; expected a list, each a text"),
    ],
)
def test_what_does_not_fit_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(text)


def test_a_key_may_be_called_otherwise_and_others_are_known_too() -> None:
    with pytest.raises(ConfigError, match=r"model 'bot' has no parameter 'inptu': did you mean 'input'\? Known"):
        build(Blur, {"inptu": 1}, "model 'bot'", "parameter", also=["input"])
    with pytest.raises(ConfigError, match=r"format 'x' has no option 'spilt': did you mean 'split'"):
        refuse_unknown({"spilt": 1}, ["split"], "format 'x'", "option")


def test_a_class_whose_types_cannot_be_read_is_only_checked_by_itself() -> None:
    @dataclass
    class Mine:
        level: Unimported = 0  # type: ignore[name-defined]  # noqa: F821

    assert build(Mine, {"level": "any"}, "mine").level == "any"


def test_a_plugin_that_is_a_function_has_no_parameters() -> None:
    assert build(dict, {}, "plug-in") == {}
    with pytest.raises(ConfigError, match=r"plug-in has no key 'a'"):
        build(dict, {"a": 1}, "plug-in")


@pytest.mark.parametrize(("of", "words"), [(int | None, "an integer or null"), (float, "a number"), (Blur, "Blur")])
def test_types_in_words(of: Any, words: str) -> None:
    assert in_words(of) == words
