"""What a live box does between its sockets, with a kernel made by hand."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.craft import fragments
from testbed.middlebox.packet import ACK, SYN, Direction, Packet
from testbed.middlebox.profile import Profile
from testbed.scenario.censor import check_profile
from tests.middlebox.build import Connection, client_hello, profile, profile_names, written_profile
from tests.middlebox.live import LiveByHand

UP, DOWN = Direction.UP, Direction.DOWN
S = 1_000_000_000
HELLO = client_hello("twitter.com")


def test_a_syn_and_an_ack_at_one_instant_without_an_answer_are_forgotten_once() -> None:
    live = LiveByHand(profile("ru-2022-II"))
    for port in range(50):
        connection = Connection(inside_port=1024 + port)
        live.poll(connection.packet(UP, SYN), S, S)
        live.poll(connection.packet(UP, ACK), S, S)
    live.poll(Connection().packet(UP, ACK), 481 * S, 481 * S)
    assert live.execution.inspector.flow_count == 1


def test_a_flood_of_syns_without_answers_is_forgotten_once_each() -> None:
    live = LiveByHand(profile("ru-2022-II"))
    for port in range(4000):
        live.poll(Connection(inside_port=1024 + port).packet(UP, SYN), S + port * 1000, S + port * 1000)
    for second in range(1, 130):
        live.poll(Connection(inside_port=60_000).packet(UP, ACK), second * S, second * S)
    assert live.execution.inspector.flow_count == 1
    assert (live.counts["flow_opened"], live.counts["flow_forgotten"]) == (4001, 4000)


def test_a_flow_opened_by_fragments_is_left_to_the_kernel_by_its_own_five_tuple() -> None:
    """The first packet that arrives of it, the last fragment of the hello, shows no ports."""
    live = LiveByHand(
        profile(inspection__fragments="reassemble", trigger__midstream="first_packet", flows__cleared_by=[])
    )
    connection = Connection()
    for piece in reversed(list(fragments(connection.up(HELLO).data, 104))):
        live.poll(Packet.parse(piece, UP), S, S)
    flow = live.execution.inspector.flow(connection.up(b"x").key)
    assert flow is not None
    assert live.kernel.polices(flow)
    assert live.kernel.takes(connection.down(bytes(1400))) == "passed"
    assert "policed" in {live.kernel.takes(connection.down(bytes(1400))) for _ in range(20)}


def test_a_flow_that_the_kernel_still_sees_is_not_forgotten() -> None:
    live = LiveByHand(profile())
    connection = Connection()
    for packet in (*connection.handshake(), connection.up(HELLO)):
        live.poll(packet, S, S)
    for minute in range(1, 40):
        live.poll(connection.up(b"x"), minute * 60 * S, minute * 60 * S)
    assert live.execution.inspector.flow_count == 1
    live.poll(Connection(inside_port=2).packet(UP, SYN), 3 * 3600 * S, 3 * 3600 * S)
    assert live.execution.inspector.flow(connection.up(b"x").key) is None


def quantities(node: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Where numbers stand in a profile as it is written: bare, in lists, or with a unit."""
    if isinstance(node, dict):
        return [found for key, value in node.items() for found in quantities(value, (*path, key))]
    if isinstance(node, list):
        return [path] if node and all(isinstance(each, int) for each in node) else []
    is_quantity = isinstance(node, str) and QUANTITY.fullmatch(node) is not None
    return [path] if isinstance(node, int) or is_quantity else []


QUANTITY = re.compile(r"[0-9.]+ ([a-zA-Z/%]+)")
PLACES = [(name, path) for name in profile_names() for path in quantities(written_profile(name))]
EXTREMES: list[float] = [math.inf, -math.inf, math.nan, 1e308, 10**400, 2**63, 2**32, 10**12, 1e-12, 0, -1, 10**21]


def as_written(value: float, old: object) -> object:
    """A number in the form of the one that stood there: with its unit, or in its list."""
    if isinstance(old, list):
        return [value] * len(old)
    unit = QUANTITY.fullmatch(old) if isinstance(old, str) else None
    return value if unit is None else f"{value} {unit[1]}"


@given(st.sampled_from(PLACES), st.one_of(st.sampled_from(EXTREMES), st.integers(), st.floats()))
def test_a_number_is_refused_with_its_key_or_can_be_lived_with(
    place: tuple[str, tuple[str, ...]], value: float
) -> None:
    name, path = place
    old: Any = written_profile(name)
    for key in path:
        old = old[key]
    written = written_profile(name, **{"__".join(path): as_written(value, old)})
    used, refused = check_profile(written)
    assert (used is None) == bool(refused)
    if used is None:
        assert {key[0] for key, _ in refused} == {path[0]}
        return
    assert math.isfinite(value)
    live = LiveByHand(Profile.from_dict(used.to_dict()))
    for port in (1024, 1025):
        connection = Connection(inside_port=port)
        sent = [*connection.handshake(), connection.up(HELLO), *(connection.down(bytes(1400)) for _ in range(30))]
        for packet in sent:
            live.poll(packet, S, S)
    due_ns = live.execution.next_ns()
    assert due_ns is None or due_ns < 2**62  # what the timer of a live box takes
    live.poll(connection.up(b"x"), 10**18, 10**18)


@pytest.mark.parametrize("name", profile_names())
def test_arrivals_that_step_back_count_as_the_latest(name: str) -> None:
    live = LiveByHand(profile(name))
    connection = Connection()
    sent = [*connection.handshake(), connection.up(HELLO), *(connection.down(bytes(1400)) for _ in range(30))]
    for index, packet in enumerate(sent):
        live.poll(packet, 100 * S - index * 1_000_000, 100 * S)
        assert all(event.t_ns >= 100 * S for event in live.last)
