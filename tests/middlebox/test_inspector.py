from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.middlebox.events import (
    Event,
    FlowForgotten,
    FlowOpened,
    HelloSeen,
    InspectionEnded,
    PacketDropped,
    RuleMatched,
    ThrottlingStarted,
    event_name,
)
from testbed.middlebox.inspector import Inspector
from testbed.middlebox.packet import ACK, SYN, Direction, Packet
from tests.middlebox.build import CHANGE_CIPHER_SPEC, Box, Connection, client_hello, profile

UP, DOWN = Direction.UP, Direction.DOWN
TWITTER = client_hello("twitter.com")
INNOCUOUS = client_hello("example.org")
IDLE_NS = 600 * 10**9


def names(events: list[Event]) -> list[str]:
    return [event_name(event) for event in events]


def ended(box: Box) -> list[str]:
    return [event.reason for event in box.events if isinstance(event, InspectionEnded)]


def test_a_matched_hello_tells_the_whole_story_in_order() -> None:
    box = Box().connect().up(TWITTER)
    assert names(box.events) == ["flow_opened", "hello_seen", "rule_matched", "throttling_started", "inspection_ended"]
    opened, hello, matched, started, _ = box.events
    assert isinstance(opened, FlowOpened)
    assert (opened.inside, opened.inside_port, opened.outside, opened.outside_port, opened.opened_by) == (
        "10.0.0.1", 40000, "192.0.2.1", 443, "inside",
    )  # fmt: skip
    assert isinstance(hello, HelloSeen)
    assert (hello.sni, hello.direction) == ("twitter.com", UP)
    assert isinstance(matched, RuleMatched)
    assert (matched.rule, matched.pattern, matched.sni) == ("twitter.com", "twitter.com", "twitter.com")
    assert isinstance(started, ThrottlingStarted)
    assert started.up == started.down == {"rate_bps": 140_000, "burst_bytes": 16384}
    assert ended(box) == ["matched"]


def test_events_bear_the_time_of_their_packet() -> None:
    box = Box().connect()
    box.wait(2.5)
    box.up(TWITTER)
    assert {event.t_ns for event in box.events[1:]} == {2_504_000_000}


def test_a_packet_without_payload_on_a_known_flow_says_nothing() -> None:
    box = Box().connect()
    assert box.send(box.connection.packet(UP), box.connection.packet(DOWN)) == []


def test_the_hello_itself_is_not_metered() -> None:
    box = Box().connect().up(TWITTER)
    burst = box.send(*(box.connection.up(bytes(960)) for _ in range(16)))
    assert burst == []  # 16 x 1000 bytes fit into the 16384 of the bucket although the hello has passed


@pytest.mark.parametrize("meter", ["token_bucket", "coarse_refill"])
def test_packets_over_the_limit_are_dropped_in_the_direction_that_exceeds(meter: str) -> None:
    box = Box(profile(meter__kind=meter)).connect().up(TWITTER)
    assert 25 <= box.loses(DOWN) <= 30
    assert {event.direction for event in box.events if isinstance(event, PacketDropped)} == {DOWN}
    assert {event.reason for event in box.events if isinstance(event, PacketDropped)} == {meter}
    assert 25 <= box.loses(UP) <= 30


def test_flows_have_their_own_buckets() -> None:
    box = Box().connect().up(TWITTER)
    assert box.loses(DOWN) > 20
    box.connection = Connection(inside_port=40001)
    assert 25 <= box.connect().up(TWITTER).loses(DOWN) <= 30


def test_a_subscriber_can_have_one_bucket_for_all_flows() -> None:
    box = Box(profile(action__scope="subscriber")).connect().up(TWITTER)
    assert box.loses(DOWN) > 20
    box.connection = Connection(inside_port=40001)
    assert box.connect().up(TWITTER).loses(DOWN) == 40
    box.connection = Connection(inside="10.0.0.2")
    assert box.connect().up(TWITTER).loses(DOWN) < 40


def test_an_unmatched_flow_is_never_throttled() -> None:
    box = Box().connect().up(INNOCUOUS)
    assert [event.sni for event in box.events if isinstance(event, HelloSeen)] == ["example.org"]
    assert not box.throttles()


def test_a_flow_opened_from_outside_is_not_inspected() -> None:
    box = Box().connect(DOWN).up(TWITTER).down(TWITTER)
    assert names(box.events) == ["flow_opened", "inspection_ended"]
    assert ended(box) == ["opened from outside"]


def test_a_flow_that_began_unseen_is_not_inspected() -> None:
    box = Box().up(TWITTER)
    assert ended(box) == ["opener unknown"]
    assert not box.throttles()


@pytest.mark.parametrize(("first", "throttled"), [(UP, True), (DOWN, False)])
def test_a_profile_may_take_the_first_packet_for_the_opener(first: Direction, *, throttled: bool) -> None:
    box = Box(profile(trigger__midstream="first_packet"))
    box.send(box.connection.packet(first))
    assert box.up(TWITTER).throttles() is throttled


def test_a_syn_ack_alone_does_not_say_who_opened() -> None:
    box = Box()
    box.send(box.connection.packet(DOWN, SYN | ACK))
    assert ended(box) == ["opener unknown"]


def test_a_share_of_flows_may_pass_elsewhere() -> None:
    box = Box(profile(trigger__share=0.3))
    for port in range(1000):
        box.connection = Connection(inside_port=1000 + port)
        box.connect().up(TWITTER)
    assert Counter(ended(box)) == {"matched": pytest.approx(300, abs=50), "not selected": pytest.approx(700, abs=50)}


@pytest.mark.parametrize(("size", "throttled"), [(100, True), (101, False), (1460, False)])
def test_the_box_gives_up_on_an_unknown_payload_of_101_bytes(size: int, *, throttled: bool) -> None:
    box = Box().connect().up(b"\xaa" * size, TWITTER)
    assert box.throttles() is throttled
    assert ended(box) == ["matched" if throttled else "gave up"]


def test_an_unknown_payload_from_the_server_ends_inspection_too() -> None:
    assert not Box().connect().down(b"\xaa" * 101).up(TWITTER).throttles()


def inspected_packets(box: Box) -> int:
    """How many short payloads pass until inspection ends."""
    for count in range(1, 100):
        if any(isinstance(event, InspectionEnded) for event in box.send(box.connection.up(CHANGE_CIPHER_SPEC))):
            return count
    raise AssertionError("inspection never ended")


def test_the_budget_is_the_first_packet_and_3_to_15_more() -> None:
    counts = Counter(inspected_packets(Box(seed=seed).connect()) for seed in range(1300))
    assert set(counts) == set(range(4, 17))
    assert min(counts.values()) > 60  # uniform: 100 each are expected


def test_both_directions_use_up_the_budget() -> None:
    box = Box(profile(inspection__budget_packets=[3, 3])).connect()
    box.up(CHANGE_CIPHER_SPEC).down(CHANGE_CIPHER_SPEC).up(CHANGE_CIPHER_SPEC).down(CHANGE_CIPHER_SPEC)
    assert ended(box) == ["budget"]
    assert not box.up(TWITTER).throttles()


def test_acknowledgements_do_not_use_up_the_budget() -> None:
    box = Box(profile(inspection__budget_packets=[3, 3])).connect()
    box.send(*(box.connection.packet(UP) for _ in range(50)))
    assert box.up(TWITTER).throttles()


def test_the_last_packet_of_the_budget_is_still_read() -> None:
    box = Box(profile(inspection__budget_packets=[3, 3])).connect().up(*[CHANGE_CIPHER_SPEC] * 3)
    assert box.up(TWITTER).throttles()


def test_state_ends_after_the_idle_timeout_and_not_before() -> None:
    box = Box().connect().up(TWITTER)
    box.wait(599)
    assert box.throttles()
    box.wait(600)
    assert not box.throttles()
    forgotten = box.of_type(FlowForgotten)
    assert [(event.flow, event.reason) for event in forgotten if isinstance(event, FlowForgotten)] == [(1, "idle")]


def test_forgetting_bears_the_time_at_which_it_came_true() -> None:
    box = Box().connect()
    assert box.inspector.next_expiry_ns() == 3_000_000 + IDLE_NS
    assert box.inspector.expire(3_000_000 + IDLE_NS - 1) == []
    expected = [FlowForgotten(t_ns=3_000_000 + IDLE_NS, flow=1, reason="idle")]
    assert box.inspector.expire(5 * IDLE_NS) == expected
    assert box.inspector.next_expiry_ns() is None


def test_a_late_packet_forgets_its_own_flow_at_the_right_time() -> None:
    box = Box().connect().up(TWITTER)
    box.wait(1000)
    events = box.send(box.connection.up(b"x"))
    assert events[0] == FlowForgotten(t_ns=4_000_000 + IDLE_NS, flow=1, reason="idle")
    assert names(events[1:]) == ["flow_opened", "inspection_ended"]
    assert events[1].flow == 2


def test_packets_that_the_kernel_handled_keep_the_flow_alive() -> None:
    box = Box().connect().up(TWITTER)
    box.inspector.refresh(1, IDLE_NS)
    box.inspector.refresh(1, 5)  # an older report changes nothing
    box.inspector.refresh(99, 5 * IDLE_NS)  # nor one about a flow that is gone
    assert box.inspector.due(2 * IDLE_NS - 1) == []
    assert box.inspector.due(2 * IDLE_NS) == [1]
    assert box.inspector.next_expiry_ns() == 2 * IDLE_NS


def test_drops_of_the_kernel_are_told_like_ours() -> None:
    box = Box().connect().up(TWITTER)
    packet = box.connection.down(bytes(1460))
    (event,) = box.inspector.dropped(packet, 77_000_000)
    assert isinstance(event, PacketDropped)
    assert (event.t_ns, event.flow, event.seq, event.length, event.reason) == (
        77_000_000, 1, packet.seq, 1500, "token_bucket",
    )  # fmt: skip
    assert box.inspector.next_expiry_ns() == 77_000_000 + IDLE_NS
    assert box.inspector.dropped(Connection(inside_port=1).down(b""), 0) == []


@pytest.mark.parametrize("direction", [UP, DOWN])
def test_fin_and_rst_do_not_clear_throttling(direction: Direction) -> None:
    box = Box().connect().up(TWITTER)
    box.send(box.connection.fin(direction), box.connection.rst(direction))
    assert box.throttles()


@pytest.mark.parametrize("flag", ["fin", "rst"])
def test_a_profile_may_let_fin_or_rst_clear_state(flag: str) -> None:
    box = Box(profile(flows__cleared_by=[flag])).connect().up(TWITTER)
    box.send(getattr(box.connection, flag)(UP))
    assert box.events[-1] == FlowForgotten(t_ns=box.now_ns, flow=1, reason=flag)
    assert not box.throttles()


def test_a_full_table_forgets_the_flow_nearest_its_timeout_and_counts_it() -> None:
    box = Box(profile(flows__table_size=2))
    for port in (1, 2, 3):
        box.connection = Connection(inside_port=port)
        box.connect()
    assert box.of_type(FlowForgotten) == [FlowForgotten(t_ns=7_000_000, flow=1, reason="evicted")]
    assert (box.inspector.flow_count, box.inspector.evicted) == (2, 1)


def test_a_flow_due_anyway_is_not_counted_as_evicted() -> None:
    box = Box(profile(flows__table_size=1)).connect()
    box.wait(700)
    box.connection = Connection(inside_port=2)
    box.connect()
    assert box.of_type(FlowForgotten) == [FlowForgotten(t_ns=3_000_000 + IDLE_NS, flow=1, reason="idle")]
    assert box.inspector.evicted == 0


def test_memory_is_bounded_under_a_flood_of_flows() -> None:
    inspector = Inspector(profile(flows__table_size=100), seed=1)
    for number in range(20_000):
        syn = Connection(inside_port=number % 65536, outside_port=number // 65536).packet(UP, SYN)
        inspector.inspect(syn, number)
    assert inspector.flow_count == 100
    assert inspector.evicted == 19_900
    assert len(inspector._flows._heap) <= 1200


def test_a_malformed_packet_opens_no_flow_and_is_not_read() -> None:
    box = Box()
    cut = Packet.parse(box.connection.packet(UP, SYN).data[:30], UP)
    assert box.send(cut) == []
    box.connect()
    whole = box.connection.up(TWITTER)
    lying = Packet.parse(whole.data[:2] + b"\xff\xff" + whole.data[4:], UP)
    assert box.send(lying) == []
    assert not box.throttles()


def test_a_malformed_packet_of_a_throttled_flow_is_metered_by_the_length_it_claims() -> None:
    box = Box().connect().up(TWITTER)
    whole = box.connection.down(bytes(1460))
    cut = Packet.parse(whole.data[:60], DOWN)
    dropped = box.send(*[cut] * 40)
    assert 25 <= len(dropped) <= 30


def test_other_protocols_pass() -> None:
    box = Box()
    tcp = box.connection.packet(UP).data
    udp = Packet.parse(tcp[:9] + b"\x11" + tcp[10:], UP)
    assert box.send(udp) == []


def test_ipv6_is_throttled_the_same() -> None:
    box = Box(connection=Connection("2001:db8::1", "2001:db8::2")).connect().up(TWITTER)
    assert box.throttles()


def run(seed: int, script: list[tuple[int, bool, int]]) -> list[Event]:
    """Three flows, any interleaving of payloads and waits."""
    payloads = [b"", CHANGE_CIPHER_SPEC, TWITTER, INNOCUOUS, b"\xaa" * 50, b"\xaa" * 101, bytes(1460)]
    box = Box(seed=seed)
    connections = [Connection(inside_port=port) for port in range(3)]
    for connection in connections:
        box.connection = connection
        box.connect()
    for choice, is_up, wait in script:
        connection = connections[choice % 3]
        payload = payloads[choice % len(payloads)]
        box.wait(wait)
        box.send(connection.up(payload) if is_up else connection.down(payload))
    return box.events


scripts = st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.sampled_from([0, 0, 0, 1, 300, 601])), max_size=60)


@given(st.integers(), scripts)
@settings(max_examples=60)
def test_the_same_seed_and_packets_give_the_same_events(seed: int, script: list[tuple[int, bool, int]]) -> None:
    assert run(seed, script) == run(seed, script)


@given(st.integers(), scripts)
@settings(max_examples=60)
def test_each_flow_ends_inspection_once_and_loses_packets_only_while_throttled(
    seed: int, script: list[tuple[int, bool, int]]
) -> None:
    state: dict[int, set[str]] = {}
    for event in run(seed, script):
        name = event_name(event)
        so_far = state.setdefault(event.flow, set())
        if name == "packet_dropped":
            assert "throttling_started" in so_far
        elif name != "hello_seen":
            assert name not in so_far
        assert "flow_forgotten" not in so_far
        so_far.add(name)
    assert all("flow_opened" in so_far for so_far in state.values())


@given(st.lists(st.tuples(st.binary(max_size=90), st.booleans()), max_size=30))
def test_any_datagrams_are_taken_without_an_error(datagrams: list[tuple[bytes, bool]]) -> None:
    box = Box()
    box.send(*(Packet.parse(data, UP if is_up else DOWN) for data, is_up in datagrams))


@pytest.mark.parametrize(
    ("rule", "throttled"),
    [
        ({"id": "a", "protocol": ["tls"]}, False),
        ({"id": "a", "protocol": ["socks"]}, True),
        ({"id": "a", "exact": ["twitter.com"]}, False),
        ({"id": "a", "address": ["192.0.2.0/24"]}, False),
        ({"id": "a", "any": ["traffic"]}, False),
    ],
    ids=str,
)
def test_every_kind_of_rule_can_exempt(rule: dict[str, object], *, throttled: bool) -> None:
    box = Box(profile(exempt=[rule])).connect().up(TWITTER)
    assert box.throttles() is throttled
    assert ended(box) == ["matched" if throttled else "exempt"]
