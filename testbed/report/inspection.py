"""What `testbed inspect` prints: what a censor would have done to a capture, event by event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed.errors import CaptureError
from testbed.middlebox.adapters.pcap import CaptureInspection
from testbed.middlebox.events import event_to_json
from testbed.scenario.profiles import load_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from testbed.middlebox.adapters.pcap import Row

__all__ = ["inspection_lines"]


def inspection_lines(
    capture: Path, profile: str, *, seed: int, inside: list[str], as_json: bool, tell: Callable[[str], None]
) -> Iterator[str]:
    """Yield what a censor would have done to a capture: a line for each event, and a count at the end.

    Args:
        capture: A capture file; see `CaptureInspection`.
        profile: Name of a profile.
        seed: Of what the box draws by lot.
        inside: Prefixes of the subscriber's side.
        as_json: Whether lines are JSON objects; the last one is the event "summary", at the last packet.
        tell: Is told what was left out, or cannot be known, in sentences.

    Raises:
        CaptureError: The capture cannot be read; the lines before are valid.
        ScenarioError: There is no such profile.
    """
    censor = load_profile(profile)
    inspection = CaptureInspection(capture, censor.profile, seed=seed, inside=inside)
    packets = dropped = number = t_ns = 0
    try:
        for row in inspection:
            packets, number, t_ns = packets + 1, row.number, row.t_ns
            dropped += row.dropped
            yield from _event_lines(row, as_json=as_json)
    except CaptureError:  # what was left out up to there is told first: the lines before the damage are valid
        for sentence in inspection.sentences():
            tell(sentence)
        raise
    notes = inspection.sentences()
    for sentence in notes:
        tell(sentence)
    if as_json:
        at_end = {"frame": number, "t": t_ns / 1e9, "event": "summary"}
        yield json.dumps({**at_end, "packets": packets, "dropped": dropped, "notes": notes})
    else:
        yield f"{packets} packets, {dropped} dropped"


def _event_lines(row: Row, *, as_json: bool) -> Iterator[str]:
    for event in row.events:
        record = {"frame": row.number, **event_to_json(event)}
        if as_json:
            yield json.dumps(record)
        else:
            details = {key: value for key, value in record.items() if key not in {"frame", "t", "flow", "event"}}
            yield f"frame {row.number:6}  flow {event.flow:4}  {record['event']:20} {json.dumps(details)}"
