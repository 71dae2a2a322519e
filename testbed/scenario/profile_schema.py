"""The JSON Schema of profile files, for editors to complete and check them; made of the types that read them.

What it cannot say, `censor` checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.middlebox.profile.rules import RULE_KINDS
from testbed.scenario.censor import profile_adapter
from testbed.scenario.evidence import GRADES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["profile_schema"]

_Schema = dict[str, object]

_UNGRADED = ("name", "family", "summary")
_RULES = ("rules", "exempt")
_GRADE: _Schema = {"enum": list(GRADES)}
_TEXT: _Schema = {"type": "string"}
_EVIDENCE: _Schema = {"grade": _GRADE, "source": _TEXT, "note": _TEXT}


def profile_schema() -> _Schema:
    """Return the schema, as JSON Schema 2020-12.

    A file that has a grade for all its values may leave the evidence of each away; any other must give it.
    """
    made = profile_adapter().json_schema()
    definitions = _mapping(made["$defs"])
    keys = _mapping(made["properties"])
    lenient, strict = (_Graded(definitions, needs_grade=needs).profile(keys) for needs in (False, True))
    # A file that gives no name, or no family, has that of the file.
    required = [each for each in map(str, _list(made["required"])) if each not in {"name", "family"}]
    ungraded = {key: _plain(_mapping(keys[key])) for key in _UNGRADED}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Censor profile",
        "type": "object",
        "properties": {**ungraded, "based_on": {**_TEXT, "minLength": 1}, "grade": _GRADE, "source": _TEXT, **lenient},
        "additionalProperties": False,
        "if": {"not": {"required": ["grade"]}},
        "then": {"properties": strict},
        "anyOf": [{"required": ["based_on"]}, {"required": required}],
    }


class _Graded:
    """Turns schemas of values into schemas of values with their evidence."""

    def __init__(self, definitions: Mapping[str, object], *, needs_grade: bool) -> None:
        self._definitions = definitions
        self._needs_grade = needs_grade

    def profile(self, keys: Mapping[str, object]) -> _Schema:
        """Return the keys of a profile that have evidence."""
        return {
            key: self._rules(_mapping(keys[key])) if key in _RULES else self._node(_mapping(keys[key]))
            for key in keys
            if key not in _UNGRADED
        }

    def _node(self, schema: Mapping[str, object]) -> _Schema:
        """Return a section, one of several kinds of section, or a value with its evidence."""
        schema = self._followed(schema)
        if "oneOf" in schema:
            return self._kinds(schema)
        if "properties" in schema:
            return self._section(schema)
        return self._leaf(_plain(schema))

    def _followed(self, schema: Mapping[str, object]) -> Mapping[str, object]:
        """Leave out references, and without the null of a key that may be left out."""
        if "$ref" in schema:
            return self._followed(_mapping(self._definitions[str(schema["$ref"]).rsplit("/", 1)[-1]]))
        if "anyOf" in schema:
            kept = [each for each in _list(schema["anyOf"]) if each != {"type": "null"}]
            if len(kept) == 1:
                return self._followed(_mapping(kept[0]))
        return schema

    def _section(self, schema: Mapping[str, object], extra: _Schema | None = None) -> _Schema:
        """A mapping of keys. None is mandatory: a file may be based on another. Null takes it out of that one."""
        properties = {key: self._node(_mapping(each)) for key, each in _mapping(schema["properties"]).items()}
        return {
            "type": ["object", "null"],
            "properties": {**(extra or {}), **properties},
            "additionalProperties": False,
        }

    def _kinds(self, schema: Mapping[str, object]) -> _Schema:
        """Return the section of one kind or another. Without its kind, it changes keys of what it is based on.

        A null is right for keys of the other kinds too: what the file is based on may be of one of them.
        """
        mapping = _mapping(_mapping(schema["discriminator"])["mapping"])
        kinds = {kind: self._followed({"$ref": reference}) for kind, reference in mapping.items()}
        gone = {key: {"type": "null"} for each in kinds.values() for key in _mapping(each["properties"])}
        sections: list[object] = [
            self._section(each, {**gone, "kind": self._leaf({"const": kind})}) for kind, each in kinds.items()
        ]
        return {"anyOf": sections}

    def _leaf(self, value: _Schema) -> _Schema:
        leaf: _Schema = {
            "type": "object",
            "properties": {"value": value, **_EVIDENCE},
            "required": ["value", "grade"] if self._needs_grade else ["value"],
            "additionalProperties": False,
        }
        return {"anyOf": [leaf, {"type": "null"}] if self._needs_grade else [value, leaf, {"type": "null"}]}

    def _whole(self, schema: Mapping[str, object]) -> _Schema:
        """Return a part of a rule with its own parts, which have no evidence of theirs."""
        schema = _plain(self._followed(schema))
        if "properties" in schema:
            parts = {key: self._whole(_mapping(each)) for key, each in _mapping(schema["properties"]).items()}
            return {**schema, "properties": parts}
        return dict(schema)

    def _rules(self, schema: Mapping[str, object]) -> _Schema:
        """Return a list of rules, each with its evidence beside its own keys."""
        rule = self._followed(_mapping(schema["items"]))
        properties = {key: self._whole(_mapping(each)) for key, each in _mapping(rule["properties"]).items()}
        item: _Schema = {
            "type": "object",
            "properties": {**properties, **_EVIDENCE},
            "required": ["id", "grade"] if self._needs_grade else ["id"],
            "oneOf": [{"required": [kind]} for kind in RULE_KINDS],
            "additionalProperties": False,
        }
        return {"type": "array", "items": item}


def _plain(schema: Mapping[str, object]) -> _Schema:
    """Leave out what pydantic adds of its own: titles made from keys, and defaults of a part."""
    return {key: each for key, each in schema.items() if key not in {"title", "default"}}


def _mapping(node: object) -> Mapping[str, object]:
    if not isinstance(node, dict):
        raise TypeError(f"expected a mapping in the schema, got {node!r}")
    return node


def _list(node: object) -> list[object]:
    if not isinstance(node, list):
        raise TypeError(f"expected a list in the schema, got {node!r}")
    return node
