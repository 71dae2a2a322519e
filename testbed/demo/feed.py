"""Lines of a run's records, as the small records that the page draws.

A record is a list: its kind, the time in seconds, and

    b  transfer, payload bytes so far                  t  transfer, event, flow, text
    e  box, flow, event, text, numbers of its meter    x  box, flow, first byte in its transfer (or null), length
    p  flow, first byte in its transfer, length        (segments: `testbed.demo.segments`)

The lines may come from a guest that a program under test has taken over: what is no record of its kind is counted and
left out, texts are cut, and what is remembered is bounded.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Feed", "PageRecord", "flow_name"]

PageRecord = list[object]
Line = dict[str, object]

_SLOT_S = 0.1  # bytes are told so often: a curve of 4 updates a second needs no more
_MOST_FLOWS = 4096
_MOST_TEXT = 120
_MOST_LINE_BYTES = 1 << 20
# What the class is told of a box, with the fields that say it; what is not here is for `truth.jsonl` alone.
_BOX_EVENTS = {
    "flow_opened": "sees a new connection",
    "hello_seen": "reads the name {sni}",
    "hello_unread": "reads no name: {reason}",
    "rule_matched": "rule {rule} matches {sni}",
    "throttling_started": "begins to throttle ({meter})",
    "blocking_started": "begins to block ({action})",
    "inspection_ended": "looks no further: {reason}",
    "flow_forgotten": "forgets the connection: {reason}",
    "packet_delayed": "delays a packet",
    "packet_rewritten": "rewrites a packet",
    "packet_injected": "injects a packet ({flags})",
    "link_failed": "a link fails: {about}",
    "link_restored": "a link is back: {about}",
    "link_impaired": "a link gets worse: {about}",
}


def flow_name(address: object, port: object) -> str:
    """Return what the page calls a connection: the subscriber's end of it."""
    return f"{_text(address)}:{_text(port)}"


class Feed:
    """Turns lines into page records, one at a time.

    Args:
        base: Tells the sequence number of the first payload byte of a flow, if it is known.
    """

    def __init__(self, base: Callable[[str], int | None] = lambda _: None) -> None:
        self._base = base
        self._flows: dict[tuple[str, object], str] = {}
        self._told_s: dict[str, float] = {}
        self.unread = 0

    def measurements(self, line: bytes) -> Iterator[PageRecord]:
        """Yield what a line of measurements.jsonl says."""
        record = self._parse(line)
        if record is None:
            return
        transfer, event = _text(record.get("transfer")), record.get("event")
        if event == "bytes":
            yield from self._bytes(transfer, record)
        elif event in {"started", "connected", "handshake", "download", "finished"}:
            local = record.get("local")
            flow = flow_name(*local) if isinstance(local, list) and len(local) == 2 else ""  # noqa: PLR2004 - an end
            yield ["t", _number(record["t"]), transfer, event, flow, _text(record.get("error") or "")]

    def truth(self, line: bytes) -> Iterator[PageRecord]:
        """Yield what a line of truth.jsonl says."""
        record = self._parse(line)
        if record is None:
            return
        box, event = _text(record.get("box") or ""), record.get("event")
        key = (box, str(record.get("flow")))
        # Bounded: a guest could open flows without end.
        if event == "flow_opened" and len(self._flows) < _MOST_FLOWS:
            self._flows[key] = flow_name(record.get("inside"), record.get("inside_port"))
        flow = self._flows.get(key, "")
        if event == "packet_dropped":
            base, seq = self._base(flow), record.get("seq")
            offset = None
            if base is not None and isinstance(seq, int) and record.get("direction") == "down":
                offset = (seq - base) & 0xFFFFFFFF
            yield ["x", _number(record["t"]), box, flow, offset, _number(record.get("payload_length"))]
        elif isinstance(event, str) and event in _BOX_EVENTS:
            text = _BOX_EVENTS[event].format_map(_Fields(record))
            yield ["e", _number(record["t"]), box, flow, event, text, _meter(record)]

    def _bytes(self, transfer: str, record: Line) -> Iterator[PageRecord]:
        times, totals = record.get("times"), record.get("totals")
        if not (isinstance(times, list) and isinstance(totals, list)):
            self.unread += 1
            return
        last = len(times) - 1
        for nth, (t, total) in enumerate(zip(times, totals, strict=False)):
            # the last of a line always, so that a transfer ends with all of its bytes
            if nth == last or _number(t) >= self._told_s.get(transfer, -1.0) + _SLOT_S:
                if len(self._told_s) < _MOST_FLOWS:
                    self._told_s[transfer] = _number(t)
                yield ["b", _number(t), transfer, _number(total)]

    def _parse(self, line: bytes) -> Line | None:
        """Return the object in a line that has a time; None, and count it, if there is none."""
        try:
            record = json.loads(line) if len(line) <= _MOST_LINE_BYTES else None
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or not _is_number(record.get("t")):
            self.unread += 1
            return None
        return record


class _Fields(dict[str, object]):
    """The fields of a record for `str.format_map`: shown as text, and a missing one as a question mark."""

    def __init__(self, record: Mapping[str, object]) -> None:
        super().__init__({key: _text(value) for key, value in record.items()})

    def __missing__(self, key: str) -> str:
        return "?"


def _meter(record: Line) -> list[float] | None:
    """Return rate (bit/s) and depth (bytes) of the bucket for downloads; None if the event has none."""
    down = record.get("down")
    if not isinstance(down, dict) or not _is_number(down.get("rate_bps")):
        return None
    return [_number(down["rate_bps"]), _number(down.get("burst_bytes"))]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15  # noqa: PLR2004 - NaN too


def _number(value: object) -> float:
    if not isinstance(value, int | float) or not _is_number(value):
        return 0.0
    return value if isinstance(value, int) else round(value, 4)


def _text(value: object) -> str:
    return one_line(str(value))[:_MOST_TEXT]
