"""What boxes saw and did in a run that goes on, in words: their log is the ground truth, read while it is written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.plain_text import one_line
from testbed.records.follow import LineFollower

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

__all__ = ["BoxLogReader", "log_lines"]

_OF_PACKETS = {
    "packet_dropped": "dropped", "packet_delayed": "delayed", "packet_held": "held back", "packet_injected": "injected",
    "packet_rewritten": "rewritten",
}  # fmt: skip
_HEAD = frozenset({"t", "wall", "box", "flow", "community_id", "event"})

Record = dict[str, object]


class BoxLogReader:
    """Reads the ground truth of a run that goes on.

    Args:
        path: Where the guest writes it.

    Attributes:
        records: What was read by now.
        unread: How many lines were no records.
    """

    def __init__(self, path: Path) -> None:
        self.records: list[Record] = []
        self.unread = 0
        self._lines = LineFollower(path)

    def read(self) -> None:
        """Read what has been written since."""
        for line in self._lines.new(most=None):
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if isinstance(record, dict) and {"t", "event"} <= record.keys():
                self.records.append(record)
            else:
                self.unread += 1

    def close(self) -> None:
        """Close the file."""
        self._lines.close()


@dataclass(slots=True)
class _Entry:
    """A line of the log: one event, or packets one after the other to which the same was done."""

    first: Record
    last: Record
    count: int = 1


def log_lines(records: Iterable[Record], boxes: Collection[str], *, most: int | None) -> list[str]:
    """Return the last lines of the log.

    Args:
        records: Of the ground truth.
        boxes: Those that are asked for; what links did is told beside.
        most: How many lines; None: all.
    """
    # A throttled download is hundreds of drops: told one by one they would hide what led to them.
    entries: list[_Entry] = []
    for record in records:
        if record.get("box") is not None and record["box"] not in boxes:
            continue
        if record["event"] in _OF_PACKETS and entries and _is_alike(entries[-1].last, record):
            entries[-1].last = record
            entries[-1].count += 1
        else:
            entries.append(_Entry(record, record))
    shown = entries if most is None else entries[-most:]
    left_out = len(entries) - len(shown)
    return [*([f"… {left_out} more before (box log all)"] if left_out else []), *map(_line, shown)]


def _is_alike(before: Record, record: Record) -> bool:
    return all(before.get(key) == record.get(key) for key in ("event", "box", "flow", "direction", "reason"))


def _line(entry: _Entry) -> str:
    record = entry.first
    where = one_line(str(record.get("box") or "link"))
    flow = f"flow {record['flow']}" if record.get("flow") else ""
    return f"{_seconds(record)}  {where:<16} {flow:<8} {one_line(_words(entry))}".rstrip()


def _seconds(record: Record) -> str:
    t = record["t"]
    return f"{t:9.3f} s" if isinstance(t, int | float) else f"{one_line(str(t)):>9} s"


def _words(entry: _Entry) -> str:
    record = entry.first
    event = str(record["event"])
    if event in _OF_PACKETS:
        packets = "1 packet" if entry.count == 1 else f"{entry.count} packets"
        until = "" if entry.count == 1 else f", until {_seconds(entry.last).strip()}"
        why = f" ({record['reason']})" if record.get("reason") else ""
        return f"{packets} {_way(record)}{_OF_PACKETS[event]}{why}{until}"
    tell = _TOLD.get(event)
    return tell(record) if tell is not None else f"{event.replace('_', ' ')}: {_rest(record)}"


def _way(record: Record) -> str:
    return {"up": "from the client ", "down": "to the client "}.get(str(record.get("direction")), "")


def _rest(record: Record) -> str:
    return ", ".join(f"{key} {value}" for key, value in record.items() if key not in _HEAD)


def _opened(record: Record) -> str:
    inside, outside = (
        f"{record.get('inside')}:{record.get('inside_port')}",
        f"{record.get('outside')}:{record.get('outside_port')}",
    )
    by = "" if record.get("opened_by") == "inside" else ", opened from outside"
    return f"flow opened: {record.get('protocol')} {inside} to {outside}{by}"


def _hello(record: Record) -> str:
    return f"hello seen: {record.get('sni') or 'no name'} ({record.get('protocol')}, {_way(record).strip()})"


def _throttling(record: Record) -> str:
    ways = [f"{way} {_meter(record[way])}" for way in ("up", "down") if record.get(way)]
    return f"throttling begins: {record.get('meter')}, {'; '.join(ways) or 'neither way'}"


def _meter(parameters: object) -> str:
    if not isinstance(parameters, dict):
        return str(parameters)
    return ", ".join(
        f"{value / 1000:g} kbit/s" if key == "rate_bps" and isinstance(value, int | float) else f"{key} {value:g}"
        for key, value in parameters.items()
    )


_TOLD: Mapping[str, Callable[[Record], str]] = {
    "flow_opened": _opened,
    "hello_seen": _hello,
    "hello_unread": lambda record: f"no name read: {record.get('reason')} ({record.get('protocol') or 'unknown'})",
    "rule_matched": lambda record: f"rule matched: {record.get('pattern')} (name {record.get('sni')})",
    "throttling_started": _throttling,
    "blocking_started": lambda record: f"from now on: {record.get('action')} ({record.get('effect')} the flow)",
    "inspection_ended": lambda record: f"looks no further: {record.get('reason')}",
    "flow_forgotten": lambda record: f"forgotten: {record.get('reason')}",
    "profile_changed": lambda record: f"follows another profile: {record.get('profile') or 'none, it is a cable'}",
    "link_failed": lambda record: f"{_link(record)} fails: {record.get('about')}",
    "link_impaired": lambda record: f"{_link(record)} is impaired: {record.get('about')}",
    "link_restored": lambda record: f"{_link(record)} is back: {record.get('about')}",
}


def _link(record: Record) -> str:
    ends = record.get("link")
    return " – ".join(map(str, ends)) if isinstance(ends, list) else str(ends)
