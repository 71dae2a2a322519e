"""Taints and repeated names: what one flow does to the next, and that neither fills the memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.memory import Memory
from testbed.middlebox.profile.conditions import Repeated, Taint
from testbed.middlebox.profile.rules import Match

NS = 1_000_000_000
MATCH = Match("r", ".org")
ADDRESS, LINE = Taint(what="address", lasts_s=60), Taint(what="subscriber", lasts_s=60)
ASKED = Repeated(times=3, within_s=1, lasts_s=60, network=24)
ALICE, BOB = b"\x0a\0\0\1", b"\x0a\0\0\2"
SERVER, NEIGHBOUR, FAR = b"\xc6\x33\x64\1", b"\xc6\x33\x64\2", b"\xc6\x33\x65\1"


def counted(memory: Memory, name: str | None, flow: int, now_s: float, server: bytes = SERVER) -> bool:
    return memory.repeats(
        "r", ASKED, subscriber=ALICE, server=server, name=name, flow=flow, now_ns=round(now_s * NS)
    )  # fmt: skip


def test_an_address_is_tainted_for_its_subscriber_alone_and_for_a_while() -> None:
    memory = Memory(10)
    memory.taint(ADDRESS, MATCH, ALICE, SERVER, 0)
    assert memory.tainted(ALICE, SERVER, 60 * NS - 1) == MATCH
    assert memory.tainted(BOB, SERVER, 1) is None
    assert memory.tainted(ALICE, NEIGHBOUR, 1) is None
    assert memory.tainted_line(ALICE, 1) is None
    assert memory.tainted(ALICE, SERVER, 60 * NS) is None
    assert len(memory) == 0


def test_a_line_is_tainted_whatever_the_server() -> None:
    memory = Memory(10)
    memory.taint(LINE, MATCH, ALICE, SERVER, 0)
    assert memory.tainted(ALICE, FAR, 1) == memory.tainted_line(ALICE, 1) == MATCH
    assert memory.tainted_line(BOB, 1) is None


def test_the_flow_that_makes_it_so_many_matches_and_those_after_it_until_it_is_over() -> None:
    memory = Memory(10)
    assert [counted(memory, "a.org", flow, 0.1 * flow) for flow in range(5)] == [False, False, True, True, True]
    assert [counted(memory, "a.org", 10 + number, at) for number, at in enumerate((60.1, 60.3))] == [True, False]


def test_slow_ones_are_not_at_once() -> None:
    memory = Memory(10)
    assert not any(counted(memory, "a.org", flow, 0.6 * flow) for flow in range(20))


def test_a_hello_that_is_sent_again_is_no_second_flow() -> None:
    memory = Memory(10)
    assert not any(counted(memory, "a.org", 1, 0.01 * again) for again in range(20))


def test_another_name_begins_the_count_anew_and_ends_what_was_decided() -> None:
    memory = Memory(10)
    names = ["a.org", "a.org", "b.org", "a.org", "a.org", "A.org", "b.org", "a.org"]
    found = [counted(memory, name, flow, 0.01 * flow) for flow, name in enumerate(names)]
    assert found == [False, False, False, False, False, True, False, False]


def test_no_name_counts_for_nothing() -> None:
    memory = Memory(10)
    assert not any(counted(memory, name, flow, 0) for flow, name in enumerate([None, ""] * 5))
    assert len(memory) == 0


def test_servers_of_one_network_count_together_and_others_do_not() -> None:
    memory = Memory(10)
    fates = [counted(memory, "a.org", flow, 0, server) for flow, server in enumerate([SERVER, FAR, NEIGHBOUR, SERVER])]
    assert fates == [False, False, False, True]


@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=4, max_size=4), st.text(max_size=300), st.integers(0, 99))))
def test_memory_is_bounded_whatever_is_sent(sent: list[tuple[bool, bytes, str, int]]) -> None:
    memory = Memory(3)
    for index, (is_taint, server, name, at_s) in enumerate(sent):
        if is_taint:
            memory.taint(ADDRESS, MATCH, ALICE, server, at_s * NS)
            assert memory.tainted(ALICE, server, at_s * NS) == MATCH
        else:
            counted(memory, name, index, at_s, server)
        assert len(memory) <= 2 * 3


@given(st.lists(st.tuples(st.sampled_from(["a.org", "b.org"]), st.integers(0, 1500)), max_size=60))
def test_whoever_matches_follows_as_many_as_were_asked_for(steps: list[tuple[str, int]]) -> None:
    """Against a slow reading of the rule: the latest flows, all of one name, within the window; or still restricted."""
    memory, now, until, seen = Memory(10), 0, -1, list[tuple[str, int]]()
    for flow, (name, wait_ms) in enumerate(steps):
        now += wait_ms
        if seen and seen[-1][0] != name:
            seen, until = [], -1
        seen.append((name, now))
        recent = [at for _, at in seen if now - at <= 1000]
        expected = now < until or len(recent) >= ASKED.times
        if expected:
            until = until if now < until else now + 60_000
            seen = [(name, -(10**9))]
        assert counted(memory, name, flow, now / 1000) is expected
