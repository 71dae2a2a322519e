"""Findings as people and programs read them."""

from __future__ import annotations

from dataclasses import replace

from testbed.conformance import ELSEWHERE, ROWS, as_json, as_markdown, run
from testbed.middlebox.profile.sources import SOURCES
from tests.middlebox.build import profile


def test_findings_are_told_as_a_table_and_as_json() -> None:
    findings = run(profile, ROWS[:3])
    records = as_json(findings)
    assert [record["situation"] for record in records] == [row.name for row in ROWS[:3]]
    lines = as_markdown(findings).splitlines()
    assert lines[0] == "| verdict | rows | meaning |"
    assert sum(line.startswith("| policing |") for line in lines) == 3
    assert all(any(source.url in line for line in lines) for source in SOURCES.values())
    assert all(any(fact in line for line in lines) for fact, _, _ in ELSEWHERE)


def test_a_difference_is_told() -> None:
    row = next(row for row in ROWS if row.name == "packets over the limit")
    found = replace(row, published="something else").find(profile)
    assert found.is_surprise
    assert "| **differs** |" in as_markdown([found])


def test_a_bar_in_a_cell_ends_no_cell() -> None:
    row = replace(ROWS[0], name="one | that")
    line = next(line for line in as_markdown([row.find(profile)]).splitlines() if "that" in line and "X21" in line)
    assert "one \\| that" in line


def test_what_was_given_or_assumed_is_no_agreement() -> None:
    rows = [
        next(row for row in ROWS if row.restates and not row.within),
        next(r for r in ROWS if r.grade == "assumption"),
    ]
    assert [(each["verdict"], each["agrees"]) for each in as_json(run(profile, rows))] == [
        ("as configured", False),
        ("assumed", False),
    ]
