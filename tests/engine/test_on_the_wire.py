"""What takes real TCP to show, in captures of clients: the first server bytes of February 2022, gaps in delivery."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from testbed.middlebox.packet import Direction, Packet
from testbed.records.capture_file import datagram, read_frames

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FinishedRun, Runner

ONE_LINE = ["lines=[{name: mobile, kind: mobile, tspu: true}]", "outages=[]", "recordings=[]"]
ROUND_TRIP_S = 0.19


def server_payloads(path: Path) -> tuple[float, list[float]]:
    """When the client sent its hello, and when payload of the server arrived: seconds from the first packet."""
    with path.open("rb") as file:
        packets = [(frame.t_ns, Packet.parse(datagram(frame) or b"", Direction.UP)) for frame in read_frames(file)]
    start_ns = packets[0][0]
    hello = next(t_ns for t_ns, packet in packets if packet.dport == 443 and packet.payload)
    arrivals = [t_ns for t_ns, packet in packets if packet.sport == 443 and packet.payload]
    return (hello - start_ns) / 1e9, [(t_ns - start_ns) / 1e9 for t_ns in arrivals]


def fetch(run_scenario: Runner, *settings: str, size: str) -> FinishedRun:
    return run_scenario(
        *ONE_LINE, f"measurements=[{{fetch: twitter.com, role: target, size: {size}, timeout: 60 s}}]",
        "origins={origin: {serves: [twitter.com]}}", *settings,
    )  # fmt: skip


def test_in_february_2022_the_first_server_bytes_come_after_about_5_s(run_scenario: Runner) -> None:
    """OONI22 and NTC1724: 4.8 and 5.8 s, then 9.5 and 10.1 s; the handshake often times out at 10 s."""
    run = fetch(run_scenario, "date=2022-03-01", "censors={tspu: ru-tw-2022-III}", size="20 kB")
    hello, arrivals = server_payloads(run.path / "captures/mobile-client.pcapng")
    assert hello < 0.5
    assert 4.0 <= arrivals[0] <= 6.5
    assert arrivals[1] - arrivals[0] > 2
    assert all(record["t"] > 8 for record in run.records.measurements() if record["event"] == "handshake")


@pytest.mark.parametrize(
    ("meter", "least_s", "most_s"), [("token_bucket", 0.0, 2 * ROUND_TRIP_S), ("coarse_refill", 0.65, 1.0)]
)
def test_only_a_coarse_refill_leaves_gaps_as_long_as_those_of_2021(
    run_scenario: Runner, meter: str, least_s: float, most_s: float
) -> None:
    """X21 Fig. 5 marks gaps of 0.65, 0.67 and 1.0 s at a round trip of 0.19 s. A token bucket leaves one round trip."""
    run = fetch(run_scenario, f"meter={meter}", size="150 kB")
    _, arrivals = server_payloads(run.path / "captures/mobile-client.pcapng")
    longest_s = max(later - earlier for earlier, later in pairwise(arrivals))
    assert least_s <= longest_s <= most_s
