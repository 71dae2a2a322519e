"""Findings as a table: published, ours, what the row is worth, source and grade; and what the sources are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from testbed.conformance.row import AGREES, AS_CONFIGURED, ASSUMED, DIFFERS
from testbed.middlebox.profile.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testbed.conformance.row import Finding

__all__ = ["ELSEWHERE", "as_json", "as_markdown"]

ELSEWHERE = (
    ("record and replay with scrambled control", "X21 §5", "a client and a server are needed: scenarios"),
    ("the 96 packets of Fig. 5", "X21 §6.1", "a test of the meters alone: tests/oracles/test_fig5.py"),
    ("gaps in delivery over TCP, 0.65 to 1.0 s", "X21 Fig. 5", "real TCP is needed: tests/engine/test_on_the_wire.py"),
    ("where on the path the box stands", "X21 §6.4", "hops are needed: `testbed probe ttl`"),
    ("encrypted proxy or VPN", "X21 §7", "no clear name is on the wire: the same as no server name"),
    ("crowd data", "X21 §4", "one box is no country: scenarios with many lines"),
    (
        "YouTube's time to the first frame, fixed lines 1.21 s before and 11.01 s after, mobile 1.76 and 3.83",
        "Vigo, by radio1.ru, September 2024",
        "how much a player loads before its first frame was not published: any amount would be fitted to the answer",
    ),
    ("handshakes of 2022, first server bytes after about 5 s", "OONI22, NTC1724", "the same tests"),
)
"""Facts that the pure box cannot show: fact, source, where it is shown instead or why it cannot be."""

_COLUMNS = ("topic", "situation", "profile", "meter", "published", "ours", "verdict", "source", "grade")
_MEANINGS = {
    AGREES: "ours does what was published",
    AS_CONFIGURED: "ours does what was published, and has been given this very number",
    ASSUMED: "nothing was published; ours does what we chose",
    DIFFERS: "ours does otherwise",
}


def as_json(findings: Iterable[Finding]) -> list[dict[str, object]]:
    """One object a row. ``agrees`` is true only where something published was met by more than its own number."""
    return [
        {
            "topic": each.row.topic,
            "situation": each.row.name,
            "profile": each.row.profile,
            "meter": each.row.meter or None,
            "published": each.row.published,
            "ours": each.ours,
            "verdict": each.verdict,
            "agrees": each.verdict == AGREES,
            "restates": each.row.restates or None,
            "known_difference": each.row.known_difference or None,
            "source": each.row.source,
            "grade": each.row.grade,
        }
        for each in findings
    ]


def as_markdown(findings: Iterable[Finding]) -> str:
    """Return how many rows are worth what, a table of them, what is shown elsewhere, and a legend of the sources."""
    findings = list(findings)
    counts = Counter(each.verdict for each in findings)
    lines = [_line(("verdict", "rows", "meaning")), _line(["---"] * 3)]
    lines += [_line((verdict, str(counts[verdict]), meaning)) for verdict, meaning in _MEANINGS.items()]
    lines += ["", _line(_COLUMNS), _line(["---"] * len(_COLUMNS))]
    for record, each in zip(as_json(findings), findings, strict=True):
        cells = record | {"verdict": _verdict(each)}
        lines.append(_line([str(cells[column] or "") for column in _COLUMNS]))
    lines += ["", _line(("fact", "source", "why not here")), _line(["---"] * 3)]
    lines += [_line(each) for each in ELSEWHERE]
    lines += ["", _line(("source", "what it is")), _line(["---"] * 2)]
    lines += [_line((key, f"{source.title}. <{source.url}>")) for key, source in SOURCES.items()]
    return "\n".join(lines) + "\n"


def _verdict(finding: Finding) -> str:
    if finding.verdict == DIFFERS:
        why = finding.row.known_difference
        return f"**{DIFFERS}**: {why}" if why else f"**{DIFFERS}**"
    return f"{AS_CONFIGURED}: {finding.row.restates}" if finding.verdict == AS_CONFIGURED else finding.verdict


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
