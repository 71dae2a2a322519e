"""One test for each published row, named by its section."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from testbed.middlebox.conformance import ELSEWHERE, ROWS, Row, as_json, as_markdown, run
from testbed.middlebox.profile.evidence import GRADES
from tests.middlebox.build import profile


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.section} {row.name}" for row in ROWS])
def test_our_box_does_what_was_published(row: Row) -> None:
    assert row.find(profile).ours == row.published


def test_every_row_has_a_name_of_its_own_a_grade_and_a_source() -> None:
    assert len({(row.section, row.name) for row in ROWS}) == len(ROWS)
    assert {row.grade for row in ROWS} <= set(GRADES)
    assert all(row.source for row in ROWS)


def test_findings_are_told_as_a_table_and_as_json() -> None:
    findings = run(profile, ROWS[:3])
    records = as_json(findings)
    assert [record["situation"] for record in records] == [row.name for row in ROWS[:3]]
    assert all(record["agrees"] for record in records)
    lines = as_markdown(findings).splitlines()
    assert lines[0].startswith("| section | situation | published | ours |")
    assert len(lines) == 2 + 3 + 1 + 2 + len(ELSEWHERE)


def test_the_reference_page_is_what_the_command_writes() -> None:
    page = Path(__file__).parents[2] / "docs/reference/conformance.md"
    assert page.read_text() == as_markdown(run(profile, ROWS))


def test_a_difference_is_told() -> None:
    row = replace(ROWS[0], published="something else")
    assert not row.find(profile).agrees
    assert "| **no** |" in as_markdown([row.find(profile)])
