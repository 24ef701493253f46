from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from anonbench.core.errors import DataError
from anonbench.datasets._json_lists import JsonLists


def a_file(tmp_path: Path, text: str) -> JsonLists:
    (tmp_path / "a.json").write_text(text)
    return JsonLists(tmp_path / "a.json")


def a_value(shuffle: random.Random, depth: int = 3) -> Any:
    if depth == 0 or shuffle.random() < 0.4:
        return shuffle.choice([None, True, -1.5, 7, "", 'ü "\\ []{},:', "x"])
    if shuffle.random() < 0.5:
        return [a_value(shuffle, depth - 1) for _ in range(shuffle.randrange(4))]
    return {f"k{n},]": a_value(shuffle, depth - 1) for n in range(shuffle.randrange(4))}


@pytest.mark.parametrize("seed", range(30))
def test_elements_are_those_of_the_whole_file(tmp_path: Path, seed: int) -> None:
    shuffle = random.Random(seed)
    content = {f"key {n}": a_value(shuffle) for n in range(shuffle.randrange(6))}
    indent, ascii_ = shuffle.choice([None, 1]), shuffle.choice([True, False])
    lists = a_file(tmp_path, json.dumps(content, indent=indent, ensure_ascii=ascii_))
    expected = [(k, e) for k, v in content.items() for e in (v if isinstance(v, list) else [v])]
    found = list(lists.elements())
    assert [(key, element) for key, _, element in found] == expected
    assert [lists.at(place) for _, place, _ in found] == [element for _, element in expected]


def test_a_file_may_be_a_list(tmp_path: Path) -> None:
    lists = a_file(tmp_path, '[{"a": 1}, [2]]\n')
    assert [(key, element) for key, _, element in lists.elements()] == [("", {"a": 1}), ("", [2])]
    assert list(a_file(tmp_path, "[ ]").elements()) == []


@pytest.mark.parametrize("seed", range(20))
def test_a_file_that_is_cut_off_says_where(tmp_path: Path, seed: int) -> None:
    text = json.dumps({"images": [{"id": 1, "b": [1, 2]}, {"id": 2}], "info": {"year": 2017}, "none": []})
    cut = random.Random(seed).randrange(len(text))
    with pytest.raises(DataError, match=r"a\.json: character \d+: .*Is the file complete\? Unpack"):
        list(a_file(tmp_path, text[:cut]).elements())


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_no_json(tmp_path: Path, constant: str) -> None:
    with pytest.raises(DataError, match=f"character 14: not JSON \\({constant} is no number\\)"):
        list(a_file(tmp_path, f'{{"a": 1, "b":[{constant}]}}').elements())


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"b\.json: cannot be read"):
        list(JsonLists(tmp_path / "b.json").elements())
