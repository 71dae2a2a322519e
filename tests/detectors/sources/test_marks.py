from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.detectors.observation import Role
from testbed.detectors.sources.marks import Marks
from testbed.errors import InputError
from tests.detectors.build import observation, steady


def roles(names: dict[str, str | None], *, targets: tuple[str, ...] = (), controls: tuple[str, ...] = ()) -> list[Role]:
    transfers = [
        replace(steady(name, rate_bps=1e6, duration_s=1, role=Role.UNKNOWN), server_name=server)
        for name, server in names.items()
    ]
    return [item.role for item in Marks(targets, controls).assigned(observation(*transfers)).transfers]


@pytest.mark.parametrize(
    ("mark", "server", "matches"),
    [
        ("twitter.com", "twitter.com", True),
        ("Twitter.COM.", "twitter.com", True),
        ("twitter.com", "TWITTER.com.", True),
        ("twitter.com", "api.twitter.com", True),
        ("twitter.com", "throttletwitter.com", False),
        ("", "twitter.com", False),
        (".", "twitter.com", False),
    ],
)
def test_names_compare_without_case_and_final_dot(mark: str, server: str, *, matches: bool) -> None:
    assert roles({"x": server}, targets=(mark,)) == [Role.TARGET if matches else Role.UNKNOWN]


def test_the_longer_mark_decides() -> None:
    names: dict[str, str | None] = {"a": "twitter.com", "b": "static.twitter.com"}
    expected = [Role.TARGET, Role.CONTROL]
    assert roles(names, targets=("twitter.com",), controls=("static.twitter.com",)) == expected


def test_one_name_cannot_be_both() -> None:
    with pytest.raises(InputError, match=r"'twitter\.com' is given as target and as control"):
        Marks(("twitter.com",), ("Twitter.com.",))


def test_files_of_one_name_are_told_apart_by_their_folders() -> None:
    names: dict[str, str | None] = {"mon/a.pcap#0": None, "tue/a.pcap#0": None}
    assert roles(names, targets=("x/mon/a.pcap",)) == [Role.TARGET, Role.UNKNOWN]
    assert roles(names, targets=("a.pcap",)) == [Role.TARGET, Role.TARGET]


def test_what_matches_nothing_is_refused_with_what_there_is() -> None:
    seen = observation(replace(steady("x", rate_bps=1e6, duration_s=1), server_name="example.com"))
    Marks(("example.com",)).check([seen])
    with pytest.raises(InputError, match=r"--control twiter\.com matches no transfer; there are: example\.com"):
        Marks(("example.com",), ("twiter.com",)).check([seen])
    Marks(("example.com",), ("other.org",)).check(
        [seen, observation(replace(seen.transfers[0], server_name="other.org"))]
    )


@given(st.text(), st.text())
def test_any_mark_and_name_are_compared(mark: str, name: str) -> None:
    assert roles({"x#0": name}, targets=(mark,))[0] in {Role.TARGET, Role.UNKNOWN}
