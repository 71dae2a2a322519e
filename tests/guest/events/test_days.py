"""Days on which boxes act: drawn from the seed for each date and box, and told."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from testbed.guest.events.days import Days
from testbed.guest.timed_event import LONGEST_RUN_S, RunSpan
from tests.guest.events.test_censor import topology

if TYPE_CHECKING:
    from testbed.guest.timed_event import BoxSpan

DAY_S = 86_400.0
START = datetime(2021, 3, 10, 9, tzinfo=UTC)
START_NS = int(START.timestamp()) * 10**9
EVENT = Days(share=0.6)


def idle(event: Days, *, seed: int = 1, days: float = 400, start_ns: int = START_NS) -> list[BoxSpan]:
    return list(event.box_spans(topology(), RunSpan(start_ns=start_ns, last_s=days * DAY_S, seed=seed)))


def of_box(spans: list[BoxSpan], box: str) -> list[tuple[float, float]]:
    return [(span.from_s, span.until_s) for span in spans if span.box == box]


def test_as_many_days_as_the_share_says_within_what_chance_allows() -> None:
    for box in ("mobile-tspu", "home-tspu"):
        share = 1 - len(of_box(idle(EVENT), box)) / 402
        assert abs(share - 0.6) < 2.58 * (0.6 * 0.4 / 402) ** 0.5  # 99 % of a binomial distribution


def test_boxes_and_seeds_draw_for_themselves_and_one_seed_always_the_same() -> None:
    first, again, other = idle(EVENT), idle(EVENT), idle(EVENT, seed=2)
    assert first == again
    assert of_box(first, "mobile-tspu") != of_box(first, "home-tspu")
    assert of_box(first, "mobile-tspu") != of_box(other, "mobile-tspu")


def test_a_date_is_drawn_for_itself_whenever_the_run_begins() -> None:
    later = 3 * DAY_S
    moved = idle(EVENT, start_ns=START_NS + int(later) * 10**9)
    there = {begin + later for begin, _ in of_box(moved, "home-tspu")}
    here = {begin for begin, _ in of_box(idle(EVENT), "home-tspu")}
    common = {begin for begin in there & here if 5 * DAY_S < begin < 300 * DAY_S}
    assert common == {begin for begin in here if 5 * DAY_S < begin < 300 * DAY_S}


def test_days_begin_at_midnight_but_for_the_first_and_last_of_the_event() -> None:
    begin_s, end_s = 10.25 * DAY_S, 20.5 * DAY_S
    spans = idle(Days(share=0.01, from_=begin_s, until=end_s))
    midnight_s = 15 * 3600.0  # the run begins at nine
    for start, end in of_box(spans, "mobile-tspu"):
        assert start == begin_s or (start - midnight_s) % DAY_S == 0
        assert end == end_s or (end - midnight_s) % DAY_S == 0
        assert begin_s <= start < end <= end_s


def test_what_was_drawn_is_told_by_date() -> None:
    run = RunSpan(start_ns=START_NS, last_s=2 * DAY_S, seed=1)
    written, told = EVENT.drawn(topology(), run)
    days = {date(2021, 3, 10 + after) for after in range(4)}
    spans = of_box(idle(EVENT, days=2), "mobile-tspu")
    off = {datetime.fromtimestamp(START.timestamp() + begin, UTC).date() for begin, _ in spans}
    mine = told.split("; ")[0]
    assert written == "60 % of days"
    assert mine.startswith(f"mobile-tspu acts on {len(days - off)} of 4 days")
    assert {day for day in days if str(day) in mine} == off


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_that_is_none_or_all_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="expected a share between"):
        Days(share=share)


def test_a_span_turned_round_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 'until' after 'from'"):
        Days(share=0.5, from_=5.0, until=4.0)


def test_two_shares_for_one_box_at_one_time_are_refused() -> None:
    early, late = Days(share=0.5, until=10.0), Days(share=0.2, from_=10.0)
    assert early.contradicts(late) is None
    assert "two shares of days hold for one box from 5 s on" in str(Days(share=0.2, from_=5.0).contradicts(early))
    assert Days(share=0.2, lines=("home",)).contradicts(Days(share=0.3, lines=("mobile",))) is None


@pytest.mark.parametrize(
    ("until", "span"), [(LONGEST_RUN_S, "from 60 s on"), (120.0, "from 60 s until 120 s")], ids=["for good", "a while"]
)
def test_a_reader_is_told(until: float, span: str) -> None:
    event = Days(share=0.6, from_=60.0, until=until, about="tests of the ministry")
    assert event.note() == f"the boxes (tspu) of all lines acted on 60 % of days, {span}: tests of the ministry"
