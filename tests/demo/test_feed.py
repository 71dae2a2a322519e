from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.demo.feed import Feed


def line(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def test_bytes_are_told_ten_times_a_second_and_the_last_of_a_line_always() -> None:
    times = [nth / 100 for nth in range(31)]
    record = line(t=0.0, transfer="phone/01-a", event="bytes", times=times, totals=[1000 * nth for nth in range(31)])
    told = list(Feed().measurements(record))
    assert [each[1] for each in told] == [0.0, 0.1, 0.2, 0.3]
    assert told[-1] == ["b", 0.3, "phone/01-a", 30_000]


def test_the_connection_of_a_transfer_has_the_name_that_its_flow_has_at_the_box() -> None:
    feed = Feed()
    [connected] = feed.measurements(line(t=1, transfer="a", event="connected", local=["100.64.0.1", 4000]))
    [opened] = feed.truth(line(t=1, box="x-tspu", flow=7, event="flow_opened", inside="100.64.0.1", inside_port=4000))
    [seen] = feed.truth(line(t=2, box="x-tspu", flow=7, event="hello_seen", sni="twitter.com"))
    assert connected[4] == opened[3] == seen[3] == "100.64.0.1:4000"
    assert seen[5] == "reads the name twitter.com"


def test_a_drop_has_its_place_in_the_transfer_where_the_beginning_is_known() -> None:
    drop = line(t=3, box="b", flow=1, event="packet_dropped", direction="down", seq=5, payload_length=1448)
    assert list(Feed(lambda _: 0xFFFFFFFF).truth(drop)) == [["x", 3, "b", "", 6, 1448]]
    assert list(Feed().truth(drop)) == [["x", 3, "b", "", None, 1448]]


def test_the_meter_of_a_throttled_flow_is_told_for_downloads() -> None:
    started = line(t=1, box="b", flow=1, event="throttling_started", meter="token_bucket",
                   down={"rate_bps": 140000, "burst_bytes": 16384})  # fmt: skip
    [record] = Feed().truth(started)
    assert record[5:] == ["begins to throttle (token_bucket)", [140000, 16384]]


@pytest.mark.parametrize(
    "wrong", [b"", b"{", b"[1]", b'{"t": "x"}', b'{"t": NaN, "event": "bytes"}', b'{"t": true}', b"[" * 100_000]
)
def test_what_is_no_record_is_counted_and_left_out(wrong: bytes) -> None:
    feed = Feed()
    assert not list(feed.measurements(wrong))
    assert not list(feed.truth(wrong))
    assert feed.unread == 2


def test_a_hostile_name_is_cut_and_its_control_characters_are_written_out() -> None:
    [record] = Feed().truth(line(t=1, box="b", flow=1, event="hello_seen", sni="<script>\u202e\n" + "x" * 500))
    text = str(record[5])
    assert "<script>" in text, "the page shows it as text"
    assert "\u202e" not in text
    assert "\n" not in text
    assert len(text) < 200


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_EVENTS = st.sampled_from(
    ["bytes", "connected", "finished", "flow_opened", "hello_seen", "packet_dropped", "throttling_started"]
)
_KEYS = st.sampled_from(
    ["transfer", "times", "totals", "local", "box", "flow", "sni", "seq", "direction", "down", "error"]
)


@given(st.dictionaries(_KEYS, _VALUES, max_size=8), _EVENTS, st.integers(0, 100))
def test_any_object_gives_records_that_json_can_carry(fields: dict[str, object], event: str, t: int) -> None:
    feed = Feed(lambda _: 1)
    record = json.dumps({**fields, "event": event, "t": t}).encode()
    for told in [*feed.measurements(record), *feed.truth(record)]:
        json.dumps(told, allow_nan=False)
        assert isinstance(told[1], int | float)
