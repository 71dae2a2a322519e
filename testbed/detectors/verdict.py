"""What a detector answers. Holds no method: those are in the files named after them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar

from testbed.records.jsonl import JsonValue
from testbed.records.verdicts import VerdictDocument

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["JsonValue", "Mechanism", "Outcome", "Verdict", "inconclusive", "verdict_from_json", "verdict_to_json"]

_Choice = TypeVar("_Choice", bound=StrEnum)
VERDICT_FIELDS: Final = tuple(VerdictDocument.__annotations__)


class Outcome(StrEnum):
    """The three answers. Data that a method cannot use give `INCONCLUSIVE`, never a guess."""

    THROTTLED = "throttled"
    NOT_THROTTLED = "not throttled"
    INCONCLUSIVE = "inconclusive"


class Mechanism(StrEnum):
    """What made the transfer slow, where a method can tell."""

    POLICING = "policing"
    SHAPING = "shaping"
    CONGESTION = "congestion"
    LOSS = "loss"
    APP_LIMITED = "app-limited"
    FROZEN = "frozen"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One detector's answer about one observation.

    Attributes:
        detector: Name of the detector.
        version: Version of its method, changed whenever verdicts may change.
        outcome: Throttled, not throttled or inconclusive.
        why: A sentence for a person.
        score: Larger means more like throttling, on the method's own scale, or None.
        rate_bps: Rate of the limit, bits a second, or None.
        burst_bytes: What passed before the limit took hold, bytes, or None.
        mechanism: What made the transfer slow, or None where the method cannot tell.
        content_specific: Whether only the target is slow, or None where the method cannot tell.
        onset_s: When the limit began: seconds since the start of the transfer, or since 1970 for series of days.
        details: What the method computed on the way; JSON values only.

    Raises:
        ValueError: A number is not finite, a rate, burst or onset is negative, or ``why`` is empty.
    """

    detector: str
    outcome: Outcome
    why: str
    version: str = "1"
    score: float | None = None
    rate_bps: float | None = None
    burst_bytes: float | None = None
    mechanism: Mechanism | None = None
    content_specific: bool | None = None
    onset_s: float | None = None
    details: Mapping[str, JsonValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("score", "rate_bps", "burst_bytes", "onset_s"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"verdict of {self.detector}: {name} is {number}; a detector gives None instead")
        for name in ("rate_bps", "burst_bytes", "onset_s"):
            number = getattr(self, name)
            if number is not None and number < 0:
                raise ValueError(f"verdict of {self.detector}: {name} is {number}, below 0; leave it out if unknown")
        if not self.why:
            raise ValueError(f"verdict of {self.detector}: it does not say why")


def inconclusive(
    detector: str, why: str, *, version: str = "1", details: Mapping[str, JsonValue] | None = None
) -> Verdict:
    """Return the verdict of a method that cannot tell, with the reason."""
    return Verdict(detector=detector, version=version, outcome=Outcome.INCONCLUSIVE, why=why, details=details or {})


def verdict_to_json(verdict: Verdict) -> VerdictDocument:
    """Return a verdict as a JSON object with every field."""
    return {
        "detector": verdict.detector,
        "version": verdict.version,
        "outcome": verdict.outcome,
        "score": verdict.score,
        "rate_bps": verdict.rate_bps,
        "burst_bytes": verdict.burst_bytes,
        "mechanism": verdict.mechanism,
        "content_specific": verdict.content_specific,
        "onset_s": verdict.onset_s,
        "why": verdict.why,
        "details": verdict.details,
    }


def verdict_from_json(value: object, *, detector: str) -> Verdict:
    """Read a verdict, such as a program of the user's wrote.

    Args:
        value: A parsed JSON object: ``outcome`` and ``why`` mandatory, the other fields of `Verdict` optional.
        detector: Name to give where the object gives none.

    Raises:
        ValueError: A field is missing, unknown or of the wrong kind; the message names it.
    """
    fields = _object(value, f"a verdict is a JSON object, not {type(value).__name__}")
    unknown = sorted(set(fields) - set(VERDICT_FIELDS))
    if unknown:
        raise ValueError(f"a verdict has no field {unknown[0]!r}; its fields are {', '.join(VERDICT_FIELDS)}")
    details = fields.get("details", {})
    mechanism = fields.get("mechanism")
    return Verdict(
        detector=_text(fields.get("detector", detector), "detector"),
        version=_text(fields.get("version", "1"), "version"),
        outcome=_choice(fields.get("outcome"), Outcome, "outcome"),
        why=_text(fields.get("why"), "why"),
        score=_number(fields.get("score"), "score"),
        rate_bps=_number(fields.get("rate_bps"), "rate_bps"),
        burst_bytes=_number(fields.get("burst_bytes"), "burst_bytes"),
        mechanism=None if mechanism is None else _choice(mechanism, Mechanism, "mechanism"),
        content_specific=_truth(fields.get("content_specific"), "content_specific"),
        onset_s=_number(fields.get("onset_s"), "onset_s"),
        details=_object(details, f"details is {details!r}, not an object"),
    )


def _object(value: object, otherwise: str) -> dict[str, JsonValue]:
    """Return an object as it was parsed; its values are whatever JSON can say."""
    if isinstance(value, dict):
        return value
    raise ValueError(otherwise)


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is {value!r}, not a text")
    return value


def _number(value: object, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"{name} is {value!r}, not a number")


def _truth(value: object, name: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise ValueError(f"{name} is {value!r}, not true, false or null")


def _choice(value: object, choices: type[_Choice], name: str) -> _Choice:
    if not isinstance(value, str) or value not in set(choices):
        raise ValueError(f"{name} is {value!r}, not one of: {', '.join(choices)}")
    return choices(value)
