"""Findings as a table: published, ours, whether they agree, source and grade."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testbed.middlebox.conformance.row import Finding

__all__ = ["ELSEWHERE", "as_json", "as_markdown"]

ELSEWHERE = (
    ("2.2", "record and replay with scrambled control", "a client and a server are needed: scenarios"),
    ("2.4", "the 96 packets of Fig. 5", "a test of the meters alone: tests/oracles/test_fig5.py"),
    ("2.7", "where on the path the box stands", "hops are needed: `testbed probe ttl`"),
    ("2.9", "encrypted proxy or VPN", "no clear name is on the wire: the same as no server name"),
    ("2.10", "crowd data", "one box is no country: scenarios with many lines"),
    ("3.2", "handshakes of 2022 as OONI saw them", "TCP's retransmissions make the times: scenarios"),
)
"""Facts that the pure box cannot show: section, fact, where it is shown instead or why it cannot be."""

_COLUMNS = ("section", "situation", "published", "ours", "agrees", "source", "grade")


def as_json(findings: Iterable[Finding]) -> list[dict[str, object]]:
    """One object a row."""
    return [
        {
            "section": each.row.section,
            "situation": each.row.name,
            "profile": each.row.profile,
            "published": each.row.published,
            "ours": each.ours,
            "agrees": each.agrees,
            "source": each.row.source,
            "grade": each.row.grade,
        }
        for each in findings
    ]


def as_markdown(findings: Iterable[Finding]) -> str:
    """A table of the findings, and one of what is shown elsewhere."""
    records = as_json(findings)
    lines = [_line(_COLUMNS), _line(["---"] * len(_COLUMNS))]
    for record in records:
        cells = dict(record, agrees="yes" if record["agrees"] else "**no**")
        lines.append(_line([str(cells[column]) for column in _COLUMNS]))
    lines += ["", _line(("section", "fact", "why not here")), _line(["---"] * 3)]
    lines += [_line(each) for each in ELSEWHERE]
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
