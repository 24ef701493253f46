"""Checks of parts of the configuration: their structure by a JSON schema, and names by those that are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jsonschema

from anonbench.core.errors import ConfigError, nearest
from anonbench.core.fields import IN_WORDS, fits, found_in_words

TYPES = {"integer": int, "number": float, "boolean": bool, "string": str, "null": type(None)}
WORDS: dict[str, str] = {name: IN_WORDS[kind] for name, kind in TYPES.items()}
WORDS |= {"array": "a list", "object": "keys with values below it"}

# To a JSON schema 1.0 is an integer and .nan a number above any minimum.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": lambda _, value: fits(value, int), "number": lambda _, value: fits(value, float)}
    ),
)


def check_structure(
    value: Any, schema: Mapping[str, Any], where: str = "", explained: str = "config/default.yaml"
) -> None:
    """Raise `ConfigError` for the first thing in a value that its schema does not allow, in words.

    where: dotted name of the value in the configuration, "" for the whole of it.
    explained: the file that shows and explains its keys.
    """
    validator = _Validator(schema)
    errors = sorted(validator.iter_errors(value), key=lambda e: (len(e.absolute_path), list(map(str, e.absolute_path))))
    if errors:
        raise ConfigError(_explain(errors[0], where, explained))


def _explain(error: jsonschema.ValidationError, above: str, explained: str) -> str:
    """A schema error in words."""
    where = ".".join(filter(None, [above, *map(str, error.absolute_path)])) or "the top level"
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        known = error.schema.get("properties", {})
        unknown = next(key for key in error.instance if key not in known)
        return f"unknown key '{unknown}' at {where}: {nearest(str(unknown), known)}"
    if error.validator == "required" and isinstance(error.instance, Mapping):
        absent = next(key for key in error.validator_value if key not in error.instance)
        return f"key '{absent}' is missing at {where}; {explained} shows and explains every key"
    if "propertyNames" in list(error.absolute_schema_path)[-2:]:
        return f"the name {error.instance!r} at {where} may hold letters, digits, '.', '_' and '-' only"
    if error.validator == "type":
        names = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        found = found_in_words(error.instance, *(TYPES.get(name, object) for name in names))
        return f"{where} is {found}; expected {' or '.join(WORDS[name] for name in names)}"
    return f"{where} is {error.instance!r}: {error.message}"


def check_known(where: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raise `ConfigError` for the first name that is not known, with the nearest one that is."""
    for name in names:
        if name not in known:
            raise ConfigError(f"{where} names '{name}': {nearest(str(name), known)}")


def check_at(where: str, check: Any) -> None:
    """Run a check; its `ConfigError` says where."""
    try:
        check()
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
