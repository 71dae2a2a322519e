"""The JSON Schema of profile files, for editors to complete and check them. What it cannot say, `profile` checks."""

from __future__ import annotations

from typing import Any

from testbed.middlebox.profile.evidence import GRADES
from testbed.middlebox.profile.measures import MOST_BPS, MOST_BYTES
from testbed.middlebox.profile.model import LARGEST_TABLE, LONGEST_PAYLOAD
from testbed.middlebox.profile.rules import RULE_KINDS
from testbed.middlebox.profile.section import LONGEST_S, MOST_PACKETS, SHORTEST_S
from testbed.middlebox.recognise import PROTOCOLS

__all__ = ["profile_schema"]

_Schema = dict[str, Any]

_TEXT: _Schema = {"type": "string", "minLength": 1}
_SECONDS: _Schema = {"type": "number", "minimum": SHORTEST_S, "maximum": LONGEST_S}
_SHARE: _Schema = {"type": "number", "minimum": 0, "maximum": 1}
_INSTANT: _Schema = {"type": ["string", "null"], "format": "date-time"}
_PACKETS: _Schema = {"type": "integer", "minimum": 0, "maximum": MOST_PACKETS}
_RANGE: _Schema = {"type": "array", "items": _PACKETS, "minItems": 2, "maxItems": 2}
_RATE: _Schema = {"type": "integer", "minimum": 8, "maximum": MOST_BPS, "multipleOf": 8}
_BYTES: _Schema = {"type": "integer", "minimum": 1, "maximum": MOST_BYTES}


def profile_schema() -> _Schema:
    """The schema, as JSON Schema 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Censor profile",
        "type": "object",
        "properties": {
            "name": _TEXT,
            "family": _TEXT,
            "based_on": _TEXT,
            "summary": _TEXT,
            "valid_from": _leaf(_INSTANT),
            "valid_until": _leaf(_INSTANT),
            "placement": _section(
                lines=_section(mobile={"enum": [0, 1]}, landline={"enum": [0, 1]}) | {"type": "object"},
                sees=_words("up", "down"),
            ),
            "trigger": _trigger(),
            "rules": {"type": "array", "items": _rule(), "minItems": 1},
            "exempt": {"type": "array", "items": _rule()},
            "inspection": _section(
                budget_packets=_RANGE,
                give_up_bytes={"type": "integer", "minimum": 1, "maximum": LONGEST_PAYLOAD},
                reassembly=_word("none", "in_order", "segments", "records"),
                fragments=_word("pass", "drop", "hold", "reassemble"),
            ),
            "flows": _section(
                idle_timeout_s=_SECONDS,
                syn_sent_timeout_s=_SECONDS,
                syn_received_timeout_s=_SECONDS,
                cleared_by=_words("fin", "rst"),
                table_size={"type": "integer", "minimum": 1, "maximum": LARGEST_TABLE},
            ),
            "action": _action(),
            "meter": _meter(),
        },
        "required": ["name", "family", "summary"],
        "additionalProperties": False,
    }


def _trigger() -> _Schema:
    return _section(
        recognisers=_words(*PROTOCOLS),
        names_from=_words(*PROTOCOLS),
        directions=_words("up", "down"),
        opened_from=_word("inside", "any"),
        midstream=_word("ignore", "first_packet"),
        share=_SHARE,
        ports={"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 65535}},
        remote_syn=_word("ignored", "ends_inspection"),
        address_rules=_word("open", "hello"),
    )


def _action() -> _Schema:
    return _section(
        kind=_word("throttle", "delay", "drop", "reset", "rewrite", "block_page"),
        directions=_words("up", "down"),
        scope=_word("flow", "subscriber", "line"),
        trigger_packet=_word("passes", "dropped"),
        residual_s=_SECONDS,
        after_packets=_RANGE,
        reset_to=_words("inside", "outside"),
        delay_s=_SECONDS,
        page=_TEXT,
    )


def _meter() -> _Schema:
    kinds: dict[str, _Schema] = {
        "token_bucket": _section(rate_bps=_RATE, burst_bytes=_BYTES, start_bytes=_BYTES | {"minimum": 0}),
        "coarse_refill": _section(
            quantum_bytes=_BYTES, period_s=_SECONDS, cap_bytes=_BYTES, phase_s={"type": "number"}
        ),
        "shaper": _section(rate_bps=_RATE, burst_bytes=_BYTES, queue_bytes=_BYTES),
        "random_pass": _section(pass_share=_SHARE),
        "byte_quota": _section(quota_bytes=_BYTES | {"minimum": 0}),
    }
    section = _section(kind=_word(*kinds), counts=_word("ip_length", "payload", "frame_length"))
    section["properties"] |= kinds
    return section


def _section(**keys: _Schema) -> _Schema:
    """A mapping of graded leaves; schemas that are mappings themselves stand as they are. Null takes a key out."""
    properties = {key: schema if schema.get("type") == "object" else _leaf(schema) for key, schema in keys.items()}
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": False}


def _leaf(value: _Schema) -> _Schema:
    return {
        "type": ["object", "null"],
        "properties": {"value": value, **_evidence()},
        "required": ["value", "grade"],
        "additionalProperties": False,
    }


def _evidence() -> _Schema:
    return {"grade": _word(*GRADES), "source": {"type": "string"}, "note": {"type": "string"}}


def _rule() -> _Schema:
    patterns = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
    return {
        "type": "object",
        "properties": {"id": _TEXT, **dict.fromkeys(RULE_KINDS, patterns), **_evidence()},
        "required": ["id", "grade"],
        "oneOf": [{"required": [kind]} for kind in RULE_KINDS],
        "additionalProperties": False,
    }


def _word(*words: str) -> _Schema:
    return {"enum": list(words)}


def _words(*words: str) -> _Schema:
    return {"type": "array", "items": _word(*words), "uniqueItems": True}
