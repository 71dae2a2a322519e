"""How fast, and that it is policing: sections 2.3 and 2.4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.middlebox.conformance.bench import MSS, NS_PER_S, Bench
from testbed.middlebox.conformance.hellos import client_hello
from testbed.middlebox.conformance.row import Row
from testbed.middlebox.events import PacketDropped
from testbed.middlebox.packet import Direction

if TYPE_CHECKING:
    from testbed.middlebox.profile import Profile

__all__ = ["ROWS"]

_ROUND_TRIP_S = 0.19  # X21 Fig. 5


def _throttled(profile: Profile) -> Bench:
    return Bench(profile).connect().up(client_hello("twitter.com"))


def _wire_rate_kbps(profile: Profile, direction: Direction, *, seconds: int = 120) -> float:
    """What passes of a steady 1 Mbit/s, without the first ten seconds."""
    bench = _throttled(profile)
    gap_ns = (MSS + 40) * 8 * 1000
    start = bench.now_ns
    passed = 0
    for now_ns in range(start, start + seconds * NS_PER_S, gap_ns):
        packet = bench.connection.packet(direction, payload=bytes(MSS))
        is_dropped = bool(bench.inspector.inspect(packet, now_ns))
        passed += 0 if is_dropped or now_ns < start + 10 * NS_PER_S else packet.length
    return passed * 8 / (seconds - 10) / 1000


def _rate_in(low: int, high: int, direction: Direction, profile: Profile) -> str:
    rate = _wire_rate_kbps(profile, direction)
    return f"{low}-{high} kbit/s" if low <= rate <= high else f"{rate:.0f} kbit/s"


def _over_the_limit(profile: Profile) -> str:
    bench = _throttled(profile)
    return "dropped" if bench.loses(Direction.DOWN) else "passed"


def _below_the_limit(profile: Profile) -> str:
    bench = _throttled(profile)
    lost = 0
    for _ in range(600):
        bench.wait(0.15)  # 1500 bytes every 151 ms are 79 kbit/s
        lost += len(bench.send(bench.connection.down(bytes(MSS))))
    return f"{lost} dropped"


def _own_bucket(profile: Profile) -> str:
    bench = _throttled(profile)
    bench.loses(Direction.DOWN)
    spared = not bench.send(*(bench.connection.up(bytes(MSS)) for _ in range(8)))
    return "each direction has its own" if spared else "shared"


def _first_second(profile: Profile) -> str:
    """CP21's example: 16 KB within 100 ms, then packets for the rest of the second."""
    bench = _throttled(profile)
    first = bench.send(*(bench.connection.down(bytes(984)) for _ in range(15)))
    rest = []
    for _ in range(80):
        bench.wait(0.01)
        rest.append(bool(bench.send(bench.connection.down(bytes(MSS)))))
    return f"{'all' if not first else 'not all'} delivered, then {'all' if all(rest) else 'not all'} lost"


def _longest_gap(profile: Profile) -> str:
    """A sender that always has packets to send: the longest time in which nothing comes through."""
    bench = _throttled(profile.with_meter("coarse_refill"))
    last = bench.now_ns
    longest = 0
    for _ in range(1000):
        bench.wait(0.01)
        if not any(isinstance(event, PacketDropped) for event in bench.send(bench.connection.down(bytes(MSS)))):
            longest, last = max(longest, bench.now_ns - last), bench.now_ns
    return "more than 5 round trips" if longest > 5 * _ROUND_TRIP_S * NS_PER_S else f"{longest / NS_PER_S:.2f} s"


ROWS: list[Row] = [
    Row(section="2.3", name="converged rate, download", published="130-150 kbit/s", source="X21 §5", grade="published",
        profile="ru-tw-2021a", check=lambda profile: _rate_in(130, 150, Direction.DOWN, profile)),
    Row(section="2.3", name="converged rate, upload", published="130-150 kbit/s", source="X21 §5", grade="published",
        profile="ru-tw-2021a", check=lambda profile: _rate_in(130, 150, Direction.UP, profile)),
    Row(section="2.3", name="converged rate, earlier report", published="100-150 kbit/s", source="CP21",
        grade="published", profile="ru-tw-2021-report",
        check=lambda profile: _rate_in(100, 150, Direction.DOWN, profile)),
    Row(section="2.4", name="packets over the limit", published="dropped", source="X21 §6.1", grade="published",
        profile="ru-tw-2021a", check=_over_the_limit),
    Row(section="2.4", name="sending below the limit", published="0 dropped", source="CP21", grade="published",
        profile="ru-tw-2021a", check=_below_the_limit),
    Row(section="2.4", name="buckets", published="each direction has its own", source="CP21", grade="published",
        profile="ru-tw-2021a", check=_own_bucket),
    Row(section="2.4", name="16 KB in 100 ms, then more", published="all delivered, then all lost", source="CP21",
        grade="published", profile="ru-tw-2021-report", check=_first_second),
    Row(section="2.4", name="gaps in delivery, coarse refill", published="more than 5 round trips", source="X21 §6.1",
        grade="published", profile="ru-tw-2021a", check=_longest_gap),
]  # fmt: skip
