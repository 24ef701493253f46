"""Checks of parts of the configuration: their structure by a JSON schema, and names by those that are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jsonschema

from anonbench.core.errors import ConfigError, nearest


def check_structure(
    value: Any, schema: Mapping[str, Any], where: str = "", explained: str = "config/default.yaml"
) -> None:
    """Raise `ConfigError` for the first thing in a value that its schema does not allow, in words.

    where: dotted name of the value in the configuration, "" for the whole of it.
    explained: the file that shows and explains its keys.
    """
    validator = jsonschema.Draft202012Validator(schema)
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
    quotes = ". Where a name is meant, write it in quotes" if _is_misread_name(error) else ""
    return f"{where} is {error.instance!r}: {error.message}{quotes}"


def _is_misread_name(error: jsonschema.ValidationError) -> bool:
    """Whether text is expected, and YAML has made something else of a word such as 6, no or a date."""
    return (
        error.validator == "type" and error.validator_value == "string" and not isinstance(error.instance, list | dict)
    )


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
