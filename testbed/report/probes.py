"""The answer of a probe as a table, and beside it what is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

from testbed.quantities import format_rate
from testbed.report.table import format_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from testbed.probing.check import ProbeResult
    from testbed.records.probes import (
        BudgetFound,
        DomainsFound,
        FieldsFound,
        SymmetryFound,
        TimeoutFound,
        TtlFound,
    )

__all__ = ["probe_table"]

_SAYS: Final[Mapping[bool | None, str]] = {True: "held back", False: "free", None: "–"}
_BAR: Final = 30


class _Hop(TypedDict, total=False):
    """The hop behind which the first box that acts is configured. These are all empty where no box acts."""

    after_hop: int


class _Names(TypedDict, total=False):
    """Whether the configured boxes hold a download back, by name."""

    held_back: Mapping[str, bool]


class _Bytes(TypedDict, total=False):
    """Offsets of the hello's bytes without which no configured box acts."""

    matters: Sequence[int]


class _Timeout(TypedDict, total=False):
    """Seconds of silence after which the slowest box forgets a flow."""

    idle_timeout_s: float


class _Budget(TypedDict, total=False):
    """Least and most packets that the boxes read."""

    budget_packets: Sequence[int]


class _Cases(TypedDict, total=False):
    """Whether the configured boxes hold a download back, case by case."""

    held_back: Sequence[bool]


def probe_table(result: ProbeResult) -> str:
    """Return a table, the answer in a line, whether the configuration says the same, and how it was measured."""
    found = result.found
    # Without an effect of the plain hello, "free" would say nothing of any other.
    if found["plain_held_back"]:
        answer = _TABLES[result.probe](found, result.configured or {})
    else:
        answer = "A plain hello is not held back on this line: there is nothing to probe."
    verdict = "agrees with the configuration" if result.agrees else "DOES NOT AGREE with the configuration"
    configured = f" ({', '.join(result.profiles)})" if result.profiles else ""
    plain = "failed" if found["plain_bps"] is None else format_rate(found["plain_bps"])
    measured = f"{found['conversations']} connections; control {format_rate(found['control_bps'])}, plain hello {plain}"
    return f"{answer}\n\n{verdict}{configured}\n{measured}"


def _ttl(found: TtlFound, configured: _Hop) -> str:
    rows = [(str(each["ttl"]), each["router"] or "?", _SAYS[each["held_back"]]) for each in found["tried"]]
    table = format_table(("TTL", "hello dies at", "download"), rows, right=frozenset({0}))
    hop = found["after_hop"]
    answer = "no box before the far end" if hop is None else f"box between hops {hop} and {hop + 1}"
    return f"{table}\n\n{answer}; configured: after hop {configured.get('after_hop', '–')}"


def _domains(found: DomainsFound, configured: _Names) -> str:
    expected = configured.get("held_back", {})
    rows = [(each["name"], _SAYS[each["held_back"]], _SAYS[expected.get(each["name"])]) for each in found["names"]]
    count = sum(each["held_back"] for each in found["names"])
    table = format_table(("name", "download", "configured"), rows)
    return f"{table}\n\n{count} of {len(rows)} names are acted on"


def _fields(found: FieldsFound, configured: _Bytes) -> str:
    expected = set(configured.get("matters", ()))
    rows = []
    for each in found["fields"]:
        size = each["end"] - each["start"]
        configured_here = sum(each["start"] <= at < each["end"] for at in expected)
        rows.append(
            (each["field"], f"{each['start'] + 1}-{each['end']}", _share(len(each["matters"]), size),
             _share(configured_here, size))
        )  # fmt: skip
    table = format_table(("field", "bytes", "masked", "configured"), rows)
    return f"{table}\n\n{len(found['matters'])} of {found['bytes']} bytes must be right"


def _share(matters: int, size: int) -> str:
    if not matters:
        return "held back"
    return "free" if matters == size else f"free for {matters} of {size} bytes"


def _timeout(found: TimeoutFound, configured: _Timeout) -> str:
    rows = [(f"{each['idle_s']:.1f} s", _SAYS[each["held_back"]]) for each in found["tried"]]
    table = format_table(("idle for", "download"), rows, right=frozenset({0}))
    if found["forgets_s"] is None:
        answer = f"still remembered after {found['remembers_s']:.1f} s"
    else:
        answer = f"remembered for {found['remembers_s']:.1f} s, forgotten after {found['forgets_s']:.1f} s"
    return f"{table}\n\n{answer}; configured: {configured.get('idle_timeout_s', '–')} s"


def _budget(found: BudgetFound, configured: _Budget) -> str:
    rows = [
        (str(each["before"]), f"{each['read']} of {each['flows']}", "█" * round(_BAR * each["read"] / each["flows"]))
        for each in found["steps"]
    ]
    table = format_table(("packets before", "hello read in", ""), rows, right=frozenset({0, 1}))
    # the configuration may give a range from which each flow draws: the probe sees the ends that were drawn
    least, most = (str(number) for number in configured.get("budget_packets", ("–", "–")))
    answer = f"reads {found['always']} to {found['at_most']} packets after the first"
    return f"{table}\n\n{answer}; configured: {least} to {most}"


def _symmetry(found: SymmetryFound, configured: _Cases) -> str:
    expected: Sequence[bool | None] = configured.get("held_back", [None] * len(found["cases"]))
    rows = [
        (each["opened_from"], each["hello_by"], _SAYS[each["held_back"]], _SAYS[wanted])
        for each, wanted in zip(found["cases"], expected, strict=True)
    ]
    return format_table(("opened from", "hello by", "download", "configured"), rows)


# The probe's name says of what kind its findings are, and in what form the configuration stands beside them.
_TABLES: Final[Mapping[str, Callable[..., str]]] = {
    "ttl": _ttl,
    "domains": _domains,
    "fields": _fields,
    "timeout": _timeout,
    "budget": _budget,
    "symmetry": _symmetry,
}
