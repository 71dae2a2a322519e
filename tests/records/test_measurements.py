from __future__ import annotations

import pytest

from testbed.records.measurements import by_transfer, client_events, instant, received_bytes
from tests.records.build import MEASUREMENTS, client

SERVER_FINISHED = client("finished", 9.0, ok=False, error="late", side="server")


def test_records_are_put_together_by_transfer_in_their_order() -> None:
    records = [client("started", 1.0), client("started", 2.0, transfer="b"), client("finished", 3.0)]
    found = by_transfer(records)
    assert [[each["t"] for each in found[name]] for name in found] == [[1.0, 3.0], [2.0]]


def test_the_last_of_each_of_the_clients_events_counts() -> None:
    at = client_events([*MEASUREMENTS, client("finished", 7.0, ok=True, error=None), SERVER_FINISHED])
    assert (at["started"]["t"], at["connected"]["t"], at["finished"]["t"]) == (1.0, 1.2, 7.0)
    assert "handshake" not in at
    assert client_events([SERVER_FINISHED]) == {}


@pytest.mark.parametrize("event", ["connected", "handshake"])
def test_an_instant_that_was_told_afterwards_goes_before_the_records_own(event: str) -> None:
    assert instant(client(event, 5.0)) == 5.0
    assert instant(client(event, 5.0, **{f"t_{event}": 4.5})) == 4.5


def test_received_bytes_are_those_of_one_side_in_order() -> None:
    records = [
        client("bytes", 1.0, times=[1.0, 2.0], totals=[10, 20]),
        client("bytes", 1.5, times=[1.5], totals=[5], side="server"),
        client("tcp_info", 1.5, times=[1.5]),
        client("bytes", 3.0, times=[3.0], totals=[30]),
    ]
    assert received_bytes(records, "client") == ([1.0, 2.0, 3.0], [10, 20, 30])
    assert received_bytes(records, "server") == ([1.5], [5])
