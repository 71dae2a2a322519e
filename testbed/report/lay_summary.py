"""What happened in a run, in three sentences with numbers, for readers who know nothing of censors or TCP.

Not for: scores. The sentences leave out most of a run; the tables below them on the page do not.
"""

from __future__ import annotations

from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING

from testbed.quantities import format_rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbed.records.manifest import Manifest, TransferSummary

__all__ = ["lay_summary"]

_MOST_NAMES = 4


def lay_summary(manifest: Manifest) -> list[str]:
    """Return three sentences: what was tried, what was slowed down and by how much, and what else went wrong."""
    transfers = manifest["transfers"]
    return [_what_was_tried(manifest), _what_was_slow(transfers), _what_failed(transfers)]


def _what_was_tried(manifest: Manifest) -> str:
    transfers = manifest["transfers"]
    lines = {each["line"] for each in transfers}
    sites = {each["sni"] for each in transfers if each["sni"]}
    day = datetime.fromtimestamp(manifest["start_ns"] / 1e9, tz=UTC)
    return (
        f"On {day.day} {day:%B %Y} of an emulated calendar, {_count(len(transfers), 'transfer')} of data to or from "
        f"{_count(len(sites), 'site')} were tried over {_count(len(lines), 'line')} of an Internet provider."
    )


def _what_was_slow(transfers: Sequence[TransferSummary]) -> str:
    slow = [each for each in transfers if each["throttled"]]
    if not slow:
        return f"A box on the way slowed down none of them{_free_speed(_free(transfers, {'download', 'upload'}))}."
    names = list(dict.fromkeys(str(each["sni"] or each["name"]) for each in slow))
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    said = (
        f"A box on the way slowed down {len(slow)} of them (to or from {', '.join(names[:_MOST_NAMES])}{more}) and "
        f"threw away {sum(each['drops'] for each in slow)} of their packets"
    )
    rates = [each["goodput_bps"] for each in slow if each["goodput_bps"]]
    if not rates:
        return f"{said}; none of them came to an end that could be timed."
    # Like with like: an upload has another line rate than a download.
    free = _free(transfers, {each["direction"] for each in slow})
    said += f": they went at {format_rate(median(rates))} in the middle"
    if not free:
        return f"{said}; nothing that was left alone is there to compare."
    times = median(free) / median(rates)
    return f"{said}, and what it left alone at {format_rate(median(free))}, {times:.1f} times as fast."


def _what_failed(transfers: Sequence[TransferSummary]) -> str:
    failed = [each for each in transfers if not each["ok"]]
    if not failed:
        return "Every transfer came to its end."
    ended = sum(bool(each["action"]) for each in failed)
    names = list(dict.fromkeys(str(each["sni"] or each["name"]) for each in failed))[:_MOST_NAMES]
    return (
        f"{_count(len(failed), 'transfer')} failed ({', '.join(names)}): a box had acted on {ended} of them, and "
        f"{len(failed) - ended} failed for another reason."
    )


def _free(transfers: Sequence[TransferSummary], directions: set[str]) -> list[float]:
    """Return the goodput of whatever no box acted on, in these directions."""
    return [
        each["goodput_bps"]
        for each in transfers
        if each["ok"] and each["goodput_bps"] and not each["action"] and each["direction"] in directions
    ]


def _free_speed(rates: list[float]) -> str:
    return f"; they went at {format_rate(median(rates))} in the middle" if rates else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
