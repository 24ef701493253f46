"""Messages about settings: an unknown key names the nearest, a wrong type what was found and what was expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest
import yaml

from anonbench.core.errors import ConfigError
from anonbench.core.fields import build, check_types, found_in_words, in_words, refuse_unknown


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
        ("{sigma: true}", r"sigma is true; expected a number"),
        ("{passes: 1.5}", r"passes is 1\.5; expected an integer"),
        ("{passes: true}", r"passes is true; expected an integer"),
        ("{passes: '2'}", r"passes is the text '2' \(what is in quotes is a text: write 2\); expected an integer"),
        ("{sigma: 1e-7}", r"sigma is the text '1e-7' \(YAML reads 1e-7 as text: write 1\.0e-07\)"),
        ("{sigma: .nan}", r"sigma is nan, not finite; expected a number"),
        ("{edges: 'true'}", r"edges is the text 'true' \(what is in quotes is a text: write true\)"),
        ("{edges: 1}", r"edges is 1; expected true or false"),
        ("{border: zer}", r"border is 'zer'; expected one of reflect, zero"),
        ("{weights: 3}", r"weights is 3 \(no text: put it in quotes, as it is to be read\); expected a text or null"),
        ("{weights: 2020-01-02}", r"weights is 2020-01-02 \(no text: put it in quotes"),
        (
            "{weights: no}",
            r"weights is false \(YAML reads yes, no, on, off as true and false: put",
        ),
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


def test_what_is_to_be_written_is_a_number_for_yaml() -> None:
    for text in ("3e-4", "1e-7", "2e20", "-5E3", "7"):
        found = found_in_words(text, float)
        written = yaml.safe_load(found.partition("write ")[2].removesuffix(")"))
        assert type(written) in (int, float)
        assert written == float(text)


def test_a_type_is_checked_before_the_class_that_might_take_anything() -> None:
    @dataclass
    class Lax:
        k1: int = 1

        def __post_init__(self) -> None:
            if self.k1 < 1:
                raise ValueError("k1 is too small")

    for value in (True, "3", 1.0, None, [1]):
        with pytest.raises(ConfigError, match=r"rerank: k1 is .*; expected an integer$"):
            build(Lax, {"k1": value}, "rerank")
    with pytest.raises(ConfigError, match="rerank: k1 is too small"):
        build(Lax, {"k1": 0}, "rerank")


def test_values_of_a_function_are_checked_too() -> None:
    def read(root: str, *, seed: int = 0) -> None: ...

    check_types(read, {"seed": 1}, "format 'x'")
    with pytest.raises(ConfigError, match=r"format 'x': seed is true; expected an integer"):
        check_types(read, {"seed": True}, "format 'x'")


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
