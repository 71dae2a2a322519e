"""One test for each published row, and what a row says of itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from testbed.conformance import ROWS, Row, as_json, as_markdown
from testbed.conformance.evasion import _split_at
from testbed.conformance.row import AS_CONFIGURED, ASSUMED, DIFFERS
from testbed.scenario.evidence import GRADES
from tests.middlebox.build import client_hello, profile

FINDINGS = {id(row): row.find(profile) for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.topic} {row.name} {row.profile} {row.meter}" for row in ROWS])
def test_our_box_does_what_was_published_or_the_row_says_why_not(row: Row) -> None:
    found = FINDINGS[id(row)]
    assert not found.is_surprise, found.ours
    assert bool(row.known_difference) is (found.verdict == DIFFERS)


def test_every_row_has_a_name_of_its_own_a_grade_and_a_source() -> None:
    assert len({(row.topic, row.name, row.profile, row.meter) for row in ROWS}) == len(ROWS)
    assert {row.grade for row in ROWS} <= set(GRADES)
    assert all(row.source for row in ROWS)


def test_what_nobody_published_and_what_was_configured_so_is_no_agreement() -> None:
    for row in ROWS:
        if row.grade == "assumption" or row.restates:
            assert FINDINGS[id(row)].verdict in {ASSUMED, AS_CONFIGURED}
    records = as_json(FINDINGS.values())
    assert {record["verdict"] for record in records if record["agrees"]} == {"agrees"}


@pytest.mark.parametrize("row", [row for row in ROWS if row.within], ids=lambda row: f"{row.name} {row.meter}")
def test_a_quantity_is_told_as_it_was_measured(row: Row) -> None:
    """Not as the range that was published: a box with another number is told apart."""
    ours = FINDINGS[id(row)].ours
    assert ours != row.published
    assert re.match(r"\d", ours)


def test_a_rate_outside_the_published_range_differs() -> None:
    row = next(row for row in ROWS if row.name == "converged rate, download" and row.meter == "token_bucket")
    found = row.find(lambda name: profile(name, meter__token_bucket={"rate_bps": 160_000, "burst_bytes": 16384}))
    assert (found.verdict, found.is_surprise) == (DIFFERS, True)
    assert 158 <= float(found.ours.split()[0]) <= 161


def test_where_a_profile_has_several_meters_a_row_is_tried_with_each() -> None:
    by_name: dict[tuple[str, str], set[str]] = {}
    for row in ROWS:
        by_name.setdefault((row.name, row.profile), set()).add(row.meter)
    metered = [meters for meters in by_name.values() if meters != {""}]
    assert metered
    assert all(meters == {"token_bucket", "coarse_refill"} for meters in metered)


def test_the_rows_on_split_hellos_try_every_byte() -> None:
    """Between them, and each cut by itself: what holds for most of them is not said of all."""
    hello = client_hello("twitter.com")
    ours = [_split_at(range(at, at + 1))(profile()) for at in range(1, len(hello))]
    assert ours == ["not throttled"] * (len(hello) - 5) + ["throttled"] * 4


def test_cuts_that_differ_are_told_apart() -> None:
    hello = client_hello("twitter.com")
    assert _split_at(range(len(hello) - 6, len(hello)))(profile()) == "2 not throttled, 4 throttled"


def test_the_reference_page_is_what_the_command_writes() -> None:
    page = Path(__file__).parents[2] / "docs/reference/conformance.md"
    assert page.read_text() == as_markdown(FINDINGS.values())
