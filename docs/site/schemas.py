"""Pages of all keys of scenarios and censor profiles, made of the types that read them, as the JSON Schemas are."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

from docs.site.markdown import as_text, code, table
from testbed.scenario.censor import profile_adapter
from testbed.scenario.model import scenario_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["profile_page", "scenario_page", "values"]

# What a JSON Schema holds is anything.
_Schema = dict[str, Any]

_SCENARIO = """\
# Scenario keys

Every key that a scenario may have, as `testbed schema scenario` gives them to editors. What they do, with examples:
[scenario files](../scenario.md).
"""
_PROFILE = """\
# Profile keys

Every key that a censor profile may have. In a file each value stands with its evidence,
`{value: …, grade: …, source: …}`, or the file has a grade for all: [profiles](../profile.md).
`testbed schema profile` has both forms for editors.
"""


def scenario_page() -> str:
    """Return the page of scenarios."""
    return _page(_SCENARIO, scenario_schema())


def profile_page() -> str:
    """Return the page of profiles."""
    return _page(_PROFILE, profile_adapter().json_schema())


def _page(head: str, schema: _Schema) -> str:
    sections = [_section("Top of the file", schema)]
    sections += [_section(name, each) for name, each in sorted(schema["$defs"].items()) if "properties" in each]
    return "\n\n".join([head.rstrip(), *sections]) + "\n"


def _section(title: str, schema: _Schema) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (
            code(key),
            "mandatory" if key in required else _default(each),
            values(each),
        )
        for key, each in schema["properties"].items()
    ]
    about = inspect.cleandoc(schema.get("description", "")).split("\n\n")[0].replace("\n", " ")
    return f"## {title}\n\n{as_text(about)}\n\n{table(('key', 'default', 'values'), rows)}"


def _default(schema: _Schema) -> str:
    default = schema.get("default")
    if default is None or isinstance(default, dict):
        return "optional"
    return code(json.dumps(default, ensure_ascii=False) if isinstance(default, list | bool) else default)


def values(schema: _Schema) -> str:
    """Return what a key may be, in words, as Markdown."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for kind in ("anyOf", "oneOf"):
        if kind in schema:
            return " or ".join(dict.fromkeys(values(each) for each in schema[kind]))
    if "description" in schema:
        return as_text(schema["description"])
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return ", ".join(code("none" if each is None else each) for each in schema["enum"])
    return _of_type(schema)


def _of_type(schema: _Schema) -> str:
    match schema.get("type"):
        case "array":
            return f"list of {values(schema['items'])}" if schema.get("items") else "list"
        case "object":
            return _mapping(schema)
        case "null":
            return "nothing"
        case list() as several:
            return " or ".join(values({"type": each}) for each in several)
        case str() as one:
            bounds = _bounds(schema)
            return f"{_TYPES.get(one, one)}{bounds}"
    return "anything"


_TYPES = {"string": "text", "integer": "whole number", "boolean": "`true` or `false`"}


def _bounds(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f", {least} to {most}"
    if least is not None:
        return f", from {least}"
    return f", up to {most}" if most is not None else ""


def _mapping(schema: _Schema) -> str:
    if schema.get("properties"):
        keys = ", ".join(f"{code(key)}: {values(each)}" for key, each in schema["properties"].items())
        return f"mapping with {keys}"
    inner = schema.get("additionalProperties") or next(iter(schema.get("patternProperties", {}).values()), None)
    return f"mapping of names to {values(inner)}" if isinstance(inner, dict) else "mapping"
