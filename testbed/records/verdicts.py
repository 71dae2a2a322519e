"""Lines of ``verdicts.jsonl``: what detectors said of the transfers of a run.

A detector has the same verdict as a dataclass (`testbed.detectors.verdict`); these are their records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.records.jsonl import JsonValue

__all__ = ["VerdictDocument", "VerdictRecord"]


class VerdictDocument(TypedDict):
    """One detector's answer, as the programs that are detectors write it, too.

    Keys:
        detector: Name of the detector.
        version: Version of its method.
        outcome: One of throttled, not throttled, inconclusive.
        score: Larger means more like throttling, on the method's own scale.
        rate_bps: Rate of the limit, bits a second.
        burst_bytes: What passed before the limit took hold.
        mechanism: What made the transfer slow.
        content_specific: Whether only the target is slow.
        onset_s: When the limit began, since the start of the transfer, or since 1970 for series of days.
        why: A sentence for a person.
        details: What the method computed on the way.
    """

    detector: str
    version: str
    outcome: str
    score: float | None
    rate_bps: float | None
    burst_bytes: float | None
    mechanism: str | None
    content_specific: bool | None
    onset_s: float | None
    why: str
    details: Mapping[str, JsonValue]


class VerdictRecord(VerdictDocument):
    """A verdict on one subject: a transfer's id."""

    subject: str
