"""What kinds of timed events have in common."""

from __future__ import annotations

import pytest

from testbed.guest.timed_event import LONGEST_RUN_S, Change, EventError, TimedEvent, because, parse_run_time


@pytest.mark.parametrize(
    ("text", "seconds"), [("10 min", 600.0), (0, 0.0), ("1000 d", LONGEST_RUN_S), ("95 ms", 0.095)]
)
def test_instants_of_a_run_have_units(text: object, seconds: float) -> None:
    assert parse_run_time(text) == seconds


@pytest.mark.parametrize(
    ("text", "problem"), [("1000.1 d", "at most 1000 d, got '1000.1 d'"), (5, "the unit is missing")]
)
def test_others_are_refused(text: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_run_time(text)


def test_a_reason_stands_behind_a_note_if_there_is_one() -> None:
    assert (because("fog"), because("")) == (": fog", "")


def test_a_kind_that_says_nothing_else_has_only_to_say_what_changes() -> None:
    class Mark(TimedEvent):
        def changes(self) -> list[Change]:
            return [Change(1.0, lambda effects: effects.record("mark"))]

    mark = Mark()
    assert mark.note() is None
    assert not mark.cuts(frozenset({"a", "b"}), 0.0, 10.0)
    assert [change.at_s for change in mark.changes()] == [1.0]
    with pytest.raises(NotImplementedError):
        TimedEvent().changes()


def test_an_error_names_the_key() -> None:
    error = EventError("link", "no link between a and b")
    assert (error.key, error.problem, str(error)) == (
        "link",
        "no link between a and b",
        "link: no link between a and b",
    )
