"""Which names were throttled when, by the profile of each date: CP21, N4P65 and X21 §6.3 and A.1."""

from __future__ import annotations

from testbed.conformance.bench import Bench
from testbed.conformance.hellos import client_hello
from testbed.conformance.row import FREE, THROTTLED, Check, Row

__all__ = ["ROWS"]

_FROM_10_MARCH = "ru-tw-2021a"
_FROM_11_MARCH = "ru-tw-2021b"
_FROM_2_APRIL = "ru-tw-2021c"
_FROM_17_MAY = "ru-tw-2021d"
_ALWAYS = (_FROM_10_MARCH, _FROM_11_MARCH, _FROM_2_APRIL, _FROM_17_MAY)


def _hello_for(name: str) -> Check:
    return lambda profile: THROTTLED if Bench(profile).connect().up(client_hello(name)).throttles() else FREE


def _row(profile: str, name: str, published: str, source: str, grade: str = "published") -> Row:
    return Row(
        topic="names", name=name, published=published, source=source, grade=grade, profile=profile,
        check=_hello_for(name),
    )  # fmt: skip


_TWITTER_NAMES = ("twitter.com", "t.co", "abs.twimg.com", "pbs.twimg.com", "api.twitter.com")
_COLLATERAL = (
    "reddit.com", "microsoft.com", "rt.com", "githubusercontent.com", "championat.com", "rknsoset.com",
)  # fmt: skip

ROWS: list[Row] = [
    *(_row(profile, name, THROTTLED, "CP21") for profile in _ALWAYS for name in _TWITTER_NAMES),
    *(_row(_FROM_10_MARCH, name, THROTTLED, "X21 A.1, N4P65") for name in _COLLATERAL),
    *(_row(_FROM_11_MARCH, name, FREE, "N4P65, X21 A.1") for name in _COLLATERAL),
    _row(_FROM_10_MARCH, "throttletwitter.com", THROTTLED, "CP21"),
    _row(_FROM_11_MARCH, "throttletwitter.com", THROTTLED, "CP21"),
    _row(_FROM_2_APRIL, "throttletwitter.com", FREE, "X21 §6.3"),
    *(_row(profile, "garbage.twimg.com", THROTTLED, "CP21, X21 §6.3") for profile in _ALWAYS),
    _row(_FROM_11_MARCH, "t.co.example.org", FREE, "N4P65, CP21"),
    _row(_FROM_11_MARCH, "pbs.twimg.com.example.org", FREE, "N4P65, CP21"),
    _row("ru-tw-2021a-substring", "pbs.twimg.com.example.org", THROTTLED, "N4P65", grade="secondary"),
    _row(_FROM_2_APRIL, "www.twitter.com", THROTTLED, "X21 §6.3"),
    _row(_FROM_2_APRIL, "mobile.twitter.com", THROTTLED, "not published", grade="assumption"),
    *(_row(profile, "twitter.com.", FREE, "CP21") for profile in _ALWAYS),
    *(_row(profile, "TWITTER.com", THROTTLED, "not published", grade="assumption") for profile in _ALWAYS),
    *(_row(profile, "example.org", FREE, "X21 §6.3") for profile in _ALWAYS),
]
