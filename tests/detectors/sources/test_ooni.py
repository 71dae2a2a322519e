from __future__ import annotations

import contextlib
import gzip
import json
import lzma
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.detectors.observation import Ending, Role
from testbed.detectors.sources.observe import observe
from testbed.errors import InputError
from tests.detectors.files import event, handshake, measurement, ooni

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


# the shape of what OONI measured on 27 February 2022: the handshake starves and times out
STARVED = [
    event("connect", 0.1),
    event("tls_handshake_start", 0.15, t0=0.15),
    event("write", 0.15, size=281),
    event("read", 5.785, t0=0.2, size=517),
    event("read", 5.786, t0=5.785, size=507),
    event("read", 9.466, t0=5.8, size=848),
    event("read", 10.16, t0=9.5, failure="generic_timeout_error"),
]


def test_an_ooni_measurement_becomes_a_transfer(tmp_path: Path) -> None:
    path = tmp_path / "ooni.jsonl"
    names = [{"transaction_id": 1, "server_name": "twitter.com"}]
    document = json.dumps(ooni(network_events=STARVED, tls_handshakes=names))
    path.write_text(f"{document}\n{document}\n")
    first, second = observe([path], targets=["twitter.com"]).transfers
    assert (first.role, first.server_name, first.ending) == (Role.TARGET, "twitter.com", Ending.TIMEOUT)
    assert first.bytes.tolist() == [517, 1024, 1872]
    assert first.times_s[-1] == pytest.approx(9.466)
    assert first.connect_s == pytest.approx(0.1)
    assert first.handshake_s is None
    assert second.id != first.id


def test_oonis_speed_samples_go_on_where_its_events_end(tmp_path: Path) -> None:
    events = [event("read", 1.0, size=1000)] + [
        event("bytes_received_cumulative", time, size=size) for time, size in ((0.5, 500), (2.0, 9000), (3.0, 20000))
    ]
    path = tmp_path / "one.json"
    path.write_text(json.dumps(ooni(network_events=events)))
    (found,) = observe([path]).transfers
    assert found.bytes.tolist() == [1000, 9000, 20000]


def test_a_handshake_is_that_of_its_own_record(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    slow = measurement(network_events=[event("connect", 0.1)], tls_handshakes=[handshake(0.1, 12.1, transaction_id=1)])
    path.write_text(json.dumps(slow))
    (found,) = observe([path]).transfers
    assert found.handshake_s == pytest.approx(12.0)
    assert (found.connect_s, found.server_name) == (0.1, "twitter.com")


@pytest.mark.parametrize(
    ("failure", "ending"), [("connection_reset", Ending.RESET), ("generic_timeout_error", Ending.TIMEOUT)]
)
@pytest.mark.parametrize("has_events", [True, False])
def test_a_handshake_that_failed_tells_the_ending(
    tmp_path: Path,
    failure: str,
    ending: Ending,
    *,
    has_events: bool,
) -> None:
    path = tmp_path / "a.json"
    tls = [handshake(0.1, 0.2, failure=failure, transaction_id=1)]
    path.write_text(json.dumps(measurement(network_events=[event("connect", 0.1)] * has_events, tls_handshakes=tls)))
    (found,) = observe([path]).transfers
    assert (found.ending, found.handshake_s) == (ending, None)


@pytest.mark.parametrize("numbered", ["conn_id", "address"])
def test_connections_of_version_0_4_are_told_apart(tmp_path: Path, numbered: str) -> None:
    events = []
    for number, size in ((1, 100), (2, 9000)):
        for operation, t in (("connect", 0.1), ("read", 1.0), ("read", 2.0)):
            record = event(operation, t, size=size) | {"address": f"192.0.2.{number}:443"}
            del record["transaction_id"]
            events.append(record | ({"conn_id": number} if numbered == "conn_id" else {}))
    path = tmp_path / "a.json"
    path.write_text(json.dumps(measurement(version="0.4.3", network_events=events)))
    assert [item.total_bytes for item in observe([path]).transfers] == [200, 18000]


def test_two_connections_to_one_address_without_numbers_are_two(tmp_path: Path) -> None:
    events = [event(name, t, size=10) for t in (0.0, 5.0) for name, t in (("connect", t), ("read", t + 1))]
    for record in events:
        del record["transaction_id"]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(measurement(network_events=events)))
    assert [item.total_bytes for item in observe([path]).transfers] == [10, 10]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("https://twitter.com/", "twitter.com"),
        ("https://Twitter.COM.:443/x?y", "twitter.com"),
        ("twitter.com:443", "twitter.com"),
        ("https://[2001:db8::1]/", "2001:db8::1"),
        ("", None),
    ],
)
def test_a_url_gives_a_name(tmp_path: Path, asked: str, name: str | None) -> None:
    path = tmp_path / "a.json"
    failed = event("connect", 10.0, failure="generic_timeout_error")
    path.write_text(json.dumps(measurement(asked, network_events=[failed])))
    (found,) = observe([path]).transfers
    assert (found.server_name, found.ending) == (name, Ending.TIMEOUT)


@pytest.mark.parametrize("separator", ["\u0085", "\u2028", "\u2029", "\x0b", "\x1c"])
@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".jsonl.xz"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_only_a_line_feed_ends_a_measurement(tmp_path: Path, separator: str, ending: str, encoding: str) -> None:
    body: dict[str, Any] = {
        "network_events": [event("connect", 0.1)],
        "requests": [{"response": {"body": f"a{separator}b"}}],
    }
    separator = separator if separator >= " " else "x"  # JSON has other controls escaped
    text = "\n".join(json.dumps(measurement(**body), ensure_ascii=False) for _ in range(2)) + "\n"
    compress: Callable[[bytes], bytes] = bytes
    if not ending.endswith("l"):
        compress = gzip.compress if ending.endswith("gz") else lzma.compress
    path = tmp_path / f"a{ending}"
    path.write_bytes(compress(text.encode(encoding)))
    assert len(observe([path]).transfers) == 2


@pytest.mark.parametrize(
    "failed", ['{"test_keys": null, "measurement_start_time": "x"}', '{"failure": "no route"}',
               json.dumps(measurement(network_events=[{"operation": "connect", "t": "soon"}])), '{"test_keys": {"net'],
)  # fmt: skip
def test_one_failed_measurement_among_many_is_left_out_and_told(tmp_path: Path, failed: str) -> None:
    good = json.dumps(measurement(network_events=[event("connect", 0.1)]))
    path = tmp_path / "a.jsonl"
    path.write_text(f"{good}\n{failed}\n{good}\n")
    observed = observe([path])
    assert len(observed.transfers) == 2
    assert any("1 of 3 measurements left out" in note and "line 2" in note for note in observed.notes)
    path.write_text(f"{failed}\n")
    with pytest.raises(InputError):
        observe([path])


numbers = st.one_of(st.none(), st.integers(-5, 10**20), st.floats(allow_nan=False, allow_infinity=False), st.text())


records = st.fixed_dictionaries(
    {},
    optional={
        "operation": st.sampled_from(["connect", "read", "bytes_received_cumulative", "tls_handshake_start", "x", 7]),
        "t0": numbers, "t": numbers, "num_bytes": numbers, "transaction_id": numbers, "conn_id": numbers,
        "failure": st.one_of(st.none(), st.text(), st.integers()), "address": st.one_of(st.none(), st.text()),
        "server_name": st.one_of(st.none(), st.text()), "ip": st.text(), "port": numbers, "status": st.none(),
        "request": st.one_of(st.none(), st.fixed_dictionaries({"url": st.text()})),
    },
)  # fmt: skip


lists = st.one_of(st.none(), st.lists(records, max_size=5))


@given(
    keys=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("network_events", "tls_handshakes", "tcp_connect", "requests"), lists)
    ),
    asked=st.one_of(st.none(), st.text()),
)
def test_any_measurement_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, keys: dict[str, Any], asked: str | None
) -> None:
    path = tmp_path_factory.mktemp("ooni") / "a.json"
    path.write_text(json.dumps({"input": asked, "measurement_start_time": "x", "test_keys": keys}))
    with contextlib.suppress(InputError):
        observe([path])
