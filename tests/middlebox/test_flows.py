from __future__ import annotations

from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox import flows as flows_module
from testbed.middlebox.flows import FlowTable
from testbed.middlebox.packet import FlowKey


def key(number: int) -> FlowKey:
    return FlowKey(6, bytes([10, 0, 0, 1]), number, bytes([192, 0, 2, 1]), 443)


def test_flows_are_numbered_from_one() -> None:
    table = FlowTable(10)
    assert [table.open(key(port), 0, 100).id for port in (7, 8, 9)] == [1, 2, 3]


def test_a_packet_pushes_the_expiry_back() -> None:
    table = FlowTable(10)
    flow = table.open(key(1), 0, 100)
    assert table.next_expiry_ns() == 100
    flow.last_seen_ns = 60
    assert table.next_expiry_ns() == 160
    assert table.due(159) == []
    assert table.due(160) == [flow]


def test_due_flows_stay_until_they_are_forgotten() -> None:
    table = FlowTable(10)
    flow = table.open(key(1), 0, 100)
    assert table.due(100) == table.due(100) == [flow]
    table.forget(flow)
    assert table.due(100) == []
    assert table.next_expiry_ns() is None
    assert len(table) == 0


def test_a_shorter_timeout_takes_effect_at_once() -> None:
    table = FlowTable(10)
    table.open(key(1), 0, 500)
    second = table.open(key(2), 0, 600)
    table.set_timeout(second, 40)
    assert table.next_expiry_ns() == 40
    table.set_timeout(second, 1000)
    assert table.next_expiry_ns() == 500


def test_the_same_five_tuple_can_come_again() -> None:
    table = FlowTable(10)
    table.forget(table.open(key(1), 0, 100))
    again = table.open(key(1), 50, 100)
    assert again.id == 2
    assert table.get(key(1)) is again
    assert table.by_id(1) is None
    assert table.next_expiry_ns() == 150


def test_the_flow_nearest_its_timeout_is_the_oldest() -> None:
    table = FlowTable(2)
    first, second = table.open(key(1), 0, 100), table.open(key(2), 1, 100)
    assert table.is_full()
    first.last_seen_ns = 50
    assert table.oldest() is second


def test_memory_is_bounded_by_the_flows_remembered() -> None:
    table = FlowTable(100)
    for number in range(50_000):
        if table.is_full():
            oldest = table.oldest()
            assert oldest is not None
            table.forget(oldest)
        flow = table.open(key(number), number, 10**9)
        table.set_timeout(flow, 10**6)
    assert len(table) == 100
    assert len(table._heap) <= 1200


def test_a_flow_with_two_entries_of_one_bound_is_due_once() -> None:
    """A SYN, an answer that shortens the timeout, and a packet that restores it, all at one time stamp."""
    table = FlowTable(10)
    flow = table.open(key(1), 0, 100)
    for timeout in (60, 100, 60, 100):
        table.set_timeout(flow, timeout)
    assert table.due(100) == [flow]
    assert table.due(100) == [flow]


def test_flows_taken_off_the_heap_do_not_come_back_while_it_is_read() -> None:
    """As after 1,500 SYNs without an answer: entries of flows that are gone outnumber the others by far."""
    table = FlowTable(10_000)
    flows = [table.open(key(port), port, 480) for port in range(1500)]
    for flow in flows[10:]:
        table.forget(flow)
    flows[5].last_seen_ns = 10_000  # its entry is corrected while the table is read
    assert table.due(10**6) == [*flows[:5], *flows[6:10], flows[5]]


operations = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.integers(1, 8), st.integers(1, 50)),
        st.tuples(st.just("seen"), st.integers(1, 8), st.just(0)),
        st.tuples(st.just("timeout"), st.integers(1, 8), st.integers(1, 50)),
        st.tuples(st.just("due"), st.just(0), st.just(0)),
        st.tuples(st.just("expire"), st.just(0), st.just(0)),
    ),
    max_size=80,
)
steps_in_time = st.lists(st.sampled_from([0, 0, 1, 5, 30, -1, -20]), min_size=80, max_size=80)


@given(operations, steps_in_time, st.sampled_from([0, 1000]))
def test_agrees_with_a_table_that_looks_at_every_flow(
    steps: list[tuple[str, int, int]], passing: list[int], spare_entries: int
) -> None:
    """Whether the heap is made anew at every turn or never, and whether time goes on, stands or steps back."""
    table = FlowTable(100)
    simple: dict[FlowKey, tuple[int, int]] = {}  # last seen, timeout
    now = 100
    with mock.patch.object(flows_module, "_SPARE_ENTRIES", spare_entries):
        for (operation, port, timeout), step in zip(steps, passing, strict=False):
            now += step
            flow = table.get(key(port))
            if operation == "open" and flow is None:
                table.open(key(port), now, timeout)
                simple[key(port)] = (now, timeout)
            elif operation == "seen" and flow is not None:
                flow.saw(now)
                simple[key(port)] = (max(now, simple[key(port)][0]), flow.timeout_ns)
            elif operation == "timeout" and flow is not None:
                table.set_timeout(flow, timeout)
                simple[key(port)] = (flow.last_seen_ns, timeout)
            elif operation in {"due", "expire"}:
                gone = [each for each, (seen, limit) in simple.items() if seen + limit <= now]
                due = table.due(now)
                assert sorted(each.key for each in due) == sorted(gone)
                assert [each.expires_ns for each in due] == sorted(each.expires_ns for each in due)
                for each in due if operation == "expire" else []:
                    table.forget(each)
                    del simple[each.key]
            assert len(table) == len(simple)
            assert table.next_expiry_ns() == min((seen + limit for seen, limit in simple.values()), default=None)
