"""The pure shaper beside the kernel's own and the live box: the same arrivals, the same clock, packet by packet."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import pytest

from testbed.conformance.live_bench import command
from testbed.conformance.traces import write_trace
from testbed.middlebox.meters.shaper import ShaperSpec
from testbed.middlebox.packet import ACK, Direction
from testbed.records.agreement import read_box_captures
from tests.middlebox.build import Connection, plain_profile, profile

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.middlebox.packet import Packet
    from tests.conftest import Runner

PROFILE = "tele2-3g-up"
INSIDE = "10.0.0.1"
ETHERNET_HEADER = 14
CLOCK_STEP_NS = 256
FORMS = ("none", "tbf", "htb")


class Comparison(NamedTuple):
    """The shaper on the wire against the model."""

    dropped: int  # by the model
    decided_otherwise: int
    differences_ns: list[int]  # of departures, positive where the model is earlier


def bursts_and_gaps() -> list[tuple[int, Packet]]:
    """Uploads that fill the queue, drain it, and let the bucket fill up in between."""
    random = Random(4)  # noqa: S311 - reproducible, not secret
    connection = Connection(INSIDE)
    trace, t_ns = [], 0
    for _ in range(1500):
        t_ns += random.choice((0, 0, 1000, round(random.expovariate(1 / 60e6))))
        t_ns += 5_000_000_000 if random.random() < 0.01 else 0
        payload = bytes(random.choice((0, 100, 700, 1460, 1460)))
        trace.append((t_ns, connection.packet(Direction.UP, ACK, payload)))
    return trace


@pytest.fixture(scope="module")
def compared(run_scenario: Runner, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Comparison]:
    """Each form of the shaper, after the same trace."""
    folder = tmp_path_factory.mktemp("shaper")
    (folder / "profile.json").write_text(json.dumps(plain_profile(PROFILE)))
    write_trace(folder / "trace.pcap", bursts_and_gaps())
    script = " && ".join(
        command(folder / "profile.json", folder / "trace.pcap", form, seed=1, inside=INSIDE, kernel=form)
        for form in FORMS
    )
    run = run_scenario("recordings=[]", "censors={}", "captures=[]", command=["sh", "-c", script], privileged=True)
    assert run.manifest["certificate"]["command_status"] == 0, (run.path / "command.stderr").read_text()
    return {form: compare(run.path / "output" / form) for form in FORMS}


def compare(folder: Path) -> Comparison:
    captures = read_box_captures(folder / "inside.pcap", folder / "outside.pcap", INSIDE)
    departures = {packet.identity.ip_id: packet.t_ns for packet in captures.left}
    metering = profile(PROFILE).meter
    spec = None if metering is None else metering.spec
    assert isinstance(spec, ShaperSpec)
    model = spec.start()
    dropped = otherwise = 0
    differences_ns = []
    for packet in captures.entered:
        expected = model.departure_ns(len(packet.data) + ETHERNET_HEADER, packet.t_ns)
        actual = departures.get(packet.identity.ip_id)
        dropped += expected is None
        if expected is not None and actual is not None:
            differences_ns.append(actual - expected)
        else:
            otherwise += expected != actual
    return Comparison(dropped, otherwise, differences_ns)


def test_tbf_drops_the_same_packets_and_lets_go_of_the_others_in_the_same_step_of_the_clock(
    compared: dict[str, Comparison],
) -> None:
    found = compared["tbf"]
    assert found.dropped > 100 < len(found.differences_ns)
    assert found.decided_otherwise == 0
    assert min(found.differences_ns) >= 0
    assert max(found.differences_ns) < 2 * CLOCK_STEP_NS


def test_the_live_box_drops_the_same_packets_and_lets_go_of_the_others_in_time(compared: dict[str, Comparison]) -> None:
    found = compared["none"]
    assert found.decided_otherwise == 0
    assert min(found.differences_ns) > -1000  # it knows arrivals in whole microseconds
    assert max(found.differences_ns) < 50 * CLOCK_STEP_NS


def test_htb_is_no_model_of_this_shaper(compared: dict[str, Comparison]) -> None:
    """It charges a packet after sending it, so one more is on its way before the first has to wait."""
    found = compared["htb"]
    assert found.decided_otherwise > 10
    assert min(found.differences_ns) < -50_000_000
