"""How long the box remembers: X21 §6.6 and CP21."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.conformance.bench import Bench, Connection
from testbed.conformance.hellos import client_hello
from testbed.conformance.row import FREE, THROTTLED, Check, Row
from testbed.middlebox.packet import Direction

if TYPE_CHECKING:
    from testbed.middlebox.profile import Profile

__all__ = ["ROWS"]

_TWITTER = client_hello("twitter.com")
_AGAIN = 10  # packets


def _triggered(profile: Profile) -> Bench:
    return Bench(profile).connect().up(_TWITTER)


def _answer(bench: Bench) -> str:
    return THROTTLED if bench.throttles() else FREE


def _idle(minutes: float) -> Check:
    def check(profile: Profile) -> str:
        bench = _triggered(profile)
        bench.wait(minutes * 60)
        return _answer(bench)

    return check


def _active_for_two_hours(profile: Profile) -> str:
    bench = _triggered(profile)
    for _ in range(2 * 60):
        bench.wait(60)
        bench.down(bytes(1000))
    return _answer(bench)


def _closed_by(*, reset: bool, direction: Direction) -> Check:
    def check(profile: Profile) -> str:
        bench = _triggered(profile)
        bench.send(bench.connection.rst(direction) if reset else bench.connection.fin(direction))
        return _answer(bench)

    return check


def _limit_after_fin(profile: Profile) -> str:
    bench = _triggered(profile)
    # The bucket is emptied first, so that a fresh one would show.
    bench.loses(Direction.DOWN)
    bench.send(bench.connection.fin(Direction.UP))
    most = _AGAIN - 1  # room for one packet may have refilled meanwhile
    return "not reset" if bench.loses(Direction.DOWN, packets=_AGAIN) >= most else "reset"


def _parallel_flow(profile: Profile) -> str:
    bench = _triggered(profile)
    bench.loses(Direction.DOWN)
    bench.connection = Connection(inside_port=40001)
    lost = bench.connect().up(_TWITTER).loses(Direction.DOWN, packets=10)
    return "a fresh bucket" if not lost else "the old bucket"


def _row(name: str, published: str, check: Check, *, source: str = "X21 §6.6", grade: str = "published") -> Row:
    return Row(
        topic="state", name=name, published=published, source=source, grade=grade, profile="ru-tw-2021a", check=check
    )


ROWS: list[Row] = [
    _row("idle for 9 minutes", THROTTLED, _idle(9), source="X21 §6.6, CP21"),
    _row("idle for 11 minutes", FREE, _idle(11), source="X21 §6.6, CP21"),
    _row("active for 2 hours below the limit", THROTTLED, _active_for_two_hours),
    _row("FIN from inside", THROTTLED, _closed_by(reset=False, direction=Direction.UP)),
    _row("FIN from outside", THROTTLED, _closed_by(reset=False, direction=Direction.DOWN)),
    _row("RST from inside", THROTTLED, _closed_by(reset=True, direction=Direction.UP)),
    _row("RST from outside", THROTTLED, _closed_by(reset=True, direction=Direction.DOWN)),
    _row("limit after a FIN", "not reset", _limit_after_fin),
    _row("second flow of the same subscriber", "a fresh bucket", _parallel_flow, source="not published",
         grade="assumption"),
]  # fmt: skip
