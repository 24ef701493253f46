"""What a person gives as the value of an option with a structure: JSON text, or a file with JSON or YAML.

>>> read_mapping('{"method": "zero"}')
{'method': 'zero'}
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anonbench.core.errors import ConfigError, DataError
from anonbench.core.fields import IN_WORDS
from anonbench.data.text import read_user_text

EXAMPLES = {"mapping": """'{"key": value}'""", "rows": """'[{"key": value}, ...]'""", "names": """'["name", ...]'"""}


def read_mapping(text: str) -> dict[str, Any]:
    """Keys with values below them. Raises `ConfigError` for what is none."""
    return dict(_read(text, "keys with values", EXAMPLES["mapping"], lambda value: isinstance(value, Mapping)))


def read_rows(text: str) -> list[dict[str, Any]]:
    """A list, each of keys with values. Raises `ConfigError` for what is none."""
    return list(_read(text, "a list of keys with values", EXAMPLES["rows"], lambda value: _is_list(value, Mapping)))


def read_names(text: str) -> list[str]:
    """A list of texts. Raises `ConfigError` for what is none."""
    return list(_read(text, "a list of texts", EXAMPLES["names"], lambda value: _is_list(value, str)))


def _is_list(value: object, kind: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _read(text: str, expected: str, example: str, fits: Any) -> Any:
    """The value of a text or of the file that it names. An entry of a config is both as YAML and as JSON."""
    import yaml  # 20 ms, which `anonbench --help` need not wait for

    file = Path(text)
    if text[:1] not in "[{" and os.path.isfile(file):  # noqa: PTH113, Path's raises for a long text
        try:
            content = read_user_text(file)
            value = json.loads(content) if file.suffix == ".json" else yaml.safe_load(content)
        except (DataError, yaml.YAMLError, ValueError) as error:
            raise ConfigError(f"{text}: neither JSON nor YAML ({' '.join(str(error).split())})") from error
    else:
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(
                f"'{text}' is neither JSON ({error.msg}, character {error.pos + 1}) nor a file that is there; expected "
                f"{expected}, such as {example}, or the path of a file that holds them (.json or .yaml)"
            ) from None
    if not fits(value):
        words: dict[Any, str] = {**IN_WORDS, dict: "keys with values", list: "another list"}
        found = words.get(type(value), "something else")
        raise ConfigError(f"'{text}' holds {found}; expected {expected}, such as {example}")
    return value


def demand_keys(value: object, keys: tuple[str, ...], flag: str) -> None:
    """Raise `ConfigError` for the first key that an option's value lacks: a mapping's, or that of a row of it."""
    rows = value if isinstance(value, list) else [value]
    for number, row in enumerate(rows, start=1):
        missing = [key for key in keys if isinstance(row, Mapping) and key not in row]
        if missing:
            where = f"row {number} of {flag}" if isinstance(value, list) else flag
            raise ConfigError(f"{where} lacks the key '{missing[0]}'; expected {', '.join(keys)}")
