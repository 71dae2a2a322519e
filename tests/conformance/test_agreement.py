"""The same generated traces through the pure model and the capture adapter: the same events for every packet."""

from __future__ import annotations

import struct
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import pytest

from testbed.middlebox.adapters.pcap import inspect_capture
from testbed.middlebox.conformance.traces import draw_recipe, packets
from testbed.middlebox.events import InspectionEnded, ThrottlingStarted
from testbed.middlebox.inspector import Inspector
from tests.middlebox.build import NS_PER_S, Connection, profile

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.middlebox.packet import Packet

HELLOS = 10_000
GAP_NS = 100_000
PROFILES = ["ru-tw-2021a", "ru-tw-2021c", "ru-tw-2021-report", "ru-2022-II", "ru-yt-2024-tcp"]


def interleaved(seed: int, hellos: int) -> list[Packet]:
    """Many connections, twenty of them at a time."""
    random = Random(seed)  # noqa: S311
    trace: list[Packet] = []
    waiting = [
        packets(draw_recipe(random), Connection(inside_port=1024 + index % 60_000, outside_port=443 + index // 60_000))
        for index in range(hellos)
    ]
    active: list[list[Packet]] = []
    while active or waiting:
        while waiting and len(active) < 20:
            active.append(waiting.pop())
        chosen = random.choice(active)
        trace.append(chosen.pop(0))
        if not chosen:
            active.remove(chosen)
    return trace


def write(path: Path, trace: list[Packet]) -> None:
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101))
        for index, packet in enumerate(trace):
            seconds, nanoseconds = divmod(index * GAP_NS, NS_PER_S)
            size = len(packet.data)
            file.write(struct.pack("<IIII", seconds, nanoseconds, size, size) + packet.data)


@pytest.mark.parametrize("name", PROFILES)
def test_model_and_capture_agree_on_every_packet(name: str, tmp_path: Path) -> None:
    used = profile(name)
    trace = interleaved(seed=len(name), hellos=HELLOS // len(PROFILES))
    write(tmp_path / "trace.pcap", trace)
    model = Inspector(used, seed=5)
    endings: Counter[str] = Counter()
    started = 0
    rows = inspect_capture(tmp_path / "trace.pcap", used, seed=5, inside=["10.0.0.0/8"])
    for index, (row, packet) in enumerate(zip(rows, trace, strict=True)):
        now_ns = index * GAP_NS
        expected = model.expire(now_ns) + model.inspect(packet, now_ns)
        assert row.events == expected, index
        endings.update(event.reason for event in expected if isinstance(event, InspectionEnded))
        started += sum(isinstance(event, ThrottlingStarted) for event in expected)
    # The traces are worth comparing only if they go every way there is.
    assert min(endings["gave up"], endings["opened from outside"]) > 50
    if name != "ru-yt-2024-tcp":
        assert endings["matched"] > 50
