"""The same generated traces through the pure model and the capture adapter: the same events for every packet."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import pytest

from testbed.conformance.traces import draw_recipe, interleaved, write_trace
from testbed.middlebox.adapters.pcap import inspect_capture
from testbed.middlebox.events import InspectionEnded, ThrottlingStarted
from testbed.middlebox.inspector import Inspector
from tests.middlebox.build import profile

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.middlebox.packet import Packet

HELLOS = 10_000
GAP_NS = 100_000
PROFILES = ["ru-tw-2021a", "ru-tw-2021c", "ru-tw-2021-report", "ru-2022-II", "ru-yt-2024-tcp"]


def trace_of(seed: int, hellos: int) -> list[Packet]:
    """Many connections, some at a time."""
    random = Random(seed)  # noqa: S311 - reproducible, not secret
    return list(interleaved([draw_recipe(random) for _ in range(hellos)], random))


@pytest.mark.parametrize("name", PROFILES)
def test_model_and_capture_agree_on_every_packet(name: str, tmp_path: Path) -> None:
    used = profile(name)
    trace = trace_of(seed=len(name), hellos=HELLOS // len(PROFILES))
    write_trace(tmp_path / "trace.pcap", ((index * GAP_NS, packet) for index, packet in enumerate(trace)))
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
