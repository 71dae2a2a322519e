"""What one flow does to another: tainted addresses, repeated hellos, shared buckets, a penalty on a whole line."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from testbed.conformance.bench import MSS, NS_PER_S, Bench, Connection
from testbed.conformance.hellos import client_hello, extended, named_extensions
from testbed.conformance.row import FREE, THROTTLED, Check, Measured, Row
from testbed.middlebox.events import PacketDropped
from testbed.middlebox.packet import ACK, Direction

if TYPE_CHECKING:
    from testbed.middlebox.profile import Profile

__all__ = ["ROWS"]

_SERVER, _OTHER_SERVER, _DOMESTIC = "198.51.100.1", "198.51.100.200", "192.0.2.1"
_TIMES_OUT, _GOES_ON = "times out", "goes on"
_LINE_BPS = 100_000_000  # N4P520


class _Flows:
    """Flows through one box, one after the other."""

    def __init__(self, profile: Profile) -> None:
        self.bench = Bench(profile)
        self._port = 40000

    def begin(self, first: bytes, server: str = _SERVER, *, inside: str = "10.0.0.1") -> Bench:
        """Open another connection and send its first data."""
        self._port += 1
        self.bench.connection = Connection(inside, server, inside_port=self._port)
        return self.bench.connect().up(first)

    def hello(self, name: str | None, *, browser: bool = True) -> str:
        """Say what becomes of a handshake."""
        hello = client_hello(name)
        self.bench.events.clear()
        self.begin(extended(hello, named_extensions("status_request")) if browser else hello)
        self.bench.down(bytes(MSS))
        return _TIMES_OUT if self.bench.of_type(PacketDropped) else _GOES_ON


def _after(*before: tuple[str | None, str], server: str = _SERVER) -> Check:
    """Fetch without a name from a server, after fetches by these names from those servers."""

    def check(profile: Profile) -> str:
        flows = _Flows(profile)
        for name, where in before:
            flows.begin(client_hello(name), where)
        return THROTTLED if flows.begin(client_hello(None), server).throttles() else FREE

    return check


def _last_of(*names: str | None, browser: bool = True) -> Check:
    """Hellos at once, of which the last one's fate counts."""

    def check(profile: Profile) -> str:
        flows = _Flows(profile)
        return [flows.hello(name, browser=browser) for name in names][-1]

    return check


def _recovery(profile: Profile) -> str:
    flows = _Flows(profile)
    fates = [flows.hello("example.org") for _ in range(4)]
    for pause_s in (50, 11):
        flows.bench.wait(pause_s)
        fates.append(flows.hello("example.org"))
    return "after about 60 s" if fates[3:] == [_TIMES_OUT, _TIMES_OUT, _GOES_ON] else f"{fates[3:]}"


def _second_user(inside: str) -> Check:
    def check(profile: Profile) -> str:
        flows = _Flows(profile)
        flows.begin(client_hello("twitter.com")).loses(Direction.DOWN)
        lost = flows.begin(client_hello("twitter.com"), inside=inside).loses(Direction.DOWN, packets=10)
        return "the same bucket" if lost else "a bucket of their own"

    return check


def _line_rate(profile: Profile) -> Measured:
    """Return what a domestic flow that began before gets, once a foreign one has carried 25 MB."""
    flows = _Flows(profile)
    domestic = flows.begin(client_hello("example.cn"), _DOMESTIC).connection
    foreign = flows.begin(client_hello("example.org")).connection
    _passed(flows.bench, foreign, 17_000)
    start = flows.bench.now_ns
    rate = _passed(flows.bench, domestic, 3000) * 8 * NS_PER_S / (flows.bench.now_ns - start) / 1e6
    return Measured(rate, f"{rate:.1f} Mbit/s")


def _passed(bench: Bench, connection: Connection, packets: int) -> int:
    """Return how many bytes of so many full packets pass downwards, sent as fast as the line is."""
    passed = 0
    for _ in range(packets):
        packet = connection.packet(Direction.DOWN, ACK, bytes(MSS))
        bench.now_ns += packet.length * 8 * NS_PER_S // _LINE_BPS
        events = bench.inspector.inspect(packet, bench.now_ns)
        passed += 0 if any(isinstance(event, PacketDropped) for event in events) else packet.length
    return passed


def _row(
    topic: str, profile: str, name: str, published: str, check: Check, *, source: str, grade: str = "secondary",
    within: tuple[float, float] | None = None, restates: str = "",
) -> Row:  # fmt: skip
    return Row(
        topic=topic, name=name, published=published, source=source, grade=grade, profile=profile, check=check,
        within=within, restates=restates,
    )  # fmt: skip


_taint_row = partial(_row, "Türkiye 2022", "tr-2022", source="NTC3471, N4P155", grade="published")
_parallel_row = partial(_row, "parallel hellos", "ru-siberian-2025", source="DPICH26")
_address_row = partial(_row, "one bucket an address", "ru-tw-2021-per-address", source="POL21", grade="unverified",
                       restates="action.scope")  # fmt: skip

_NAME = "example.org"

ROWS: list[Row] = [
    _taint_row("an address without a name", FREE, _after()),
    _taint_row("the address after one fetch by name from it", THROTTLED, _after(("facebook.com", _SERVER)),
               restates="rules.taints"),
    _taint_row("another address after that fetch", FREE, _after(("facebook.com", _SERVER), server=_OTHER_SERVER)),
    _row("Türkiye 2022", "tr-2022-block", "the address after a fetch by a name that is simply blocked", FREE,
         _after(("blocked.example", _SERVER)), source="NTC3471", grade="published"),
    _parallel_row("one hello", _GOES_ON, _last_of(_NAME)),
    _parallel_row("four at once of one name, the fourth", _TIMES_OUT, _last_of(*[_NAME] * 4),
                  restates="rules.repeated.times"),
    _parallel_row("four at once of four names", _GOES_ON, _last_of(*(f"{each}.example.org" for each in range(4)))),
    _parallel_row("four at once without a name", _GOES_ON, _last_of(*[None] * 4)),
    _parallel_row("four at once of one name, curl", _GOES_ON, _last_of(*[_NAME] * 4, browser=False),
                  restates="rules.extensions"),
    _parallel_row("recovery", "after about 60 s", _recovery, source="DPICH83", restates="rules.repeated.lasts"),
    _address_row("another user behind the address", "the same bucket", _second_user("10.0.0.1")),
    _address_row("a user behind another address", "a bucket of their own", _second_user("10.0.0.2")),
    _row("whole line", "cn-line-2025", "a domestic download after a strong foreign one", "5 Mbit/s", _line_rate,
         source="N4P520", within=(4.5, 5.5), restates="meter.token_bucket.rate"),
]  # fmt: skip
