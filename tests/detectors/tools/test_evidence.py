"""What is told of one transfer, by what was captured of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from testbed.detectors.tools.evidence import Counted, Evidence, View
from tests.detectors.build import bottleneck_flow, flow_transfer, received_flow, steady, transfer

if TYPE_CHECKING:
    from testbed.detectors.observation import Transfer


def sent(**bottleneck: float | str) -> Transfer:
    flow, _ = bottleneck_flow(**bottleneck)  # type: ignore[arg-type]
    return replace(flow_transfer("t", flow), connect_s=0.05)


def seen_at(view: View, **bottleneck: float | str) -> Evidence:
    flow, dropped = bottleneck_flow(**bottleneck)  # type: ignore[arg-type]
    given = replace(flow_transfer("t", flow), connect_s=0.05, receiver_flow=received_flow(flow, dropped))
    if view is View.SENDER:
        given = replace(given, receiver_flow=None)
    return Evidence(replace(given, sender_flow=None) if view is View.RECEIVER else given)


@pytest.mark.parametrize("view", [View.BOTH, View.SENDER, View.RECEIVER])
def test_losses_are_told_from_every_view(view: View) -> None:
    evidence = seen_at(view, kind="none", loss=0.1, rate_bps=500e3)
    assert evidence.view is view
    assert evidence.server == "192.0.2.1"
    assert evidence.lost_share == pytest.approx(0.1, abs=0.03)
    assert evidence.losses.events > 20


def test_without_packets_only_the_speed_is_known() -> None:
    evidence = Evidence(steady("t", rate_bps=1e6, duration_s=10))
    assert (evidence.view, evidence.losses, evidence.fit, evidence.congested) == (
        View.NOWHERE,
        Counted(0, 0),
        None,
        False,
    )
    assert evidence.limit is not None
    assert evidence.limit.rate_bps == pytest.approx(1e6, rel=0.05)
    assert evidence.limit.spread < 0.1


@pytest.mark.parametrize(("kind", "is_queue"), [("police", False), ("queue", True)])
def test_losses_of_a_full_buffer_are_none_of_the_path(kind: str, *, is_queue: bool) -> None:
    evidence = Evidence(sent(kind=kind, rate_bps=500e3, depth_bytes=20_000))
    assert evidence.lost_share > 0.02
    assert evidence.congested is is_queue
    assert (evidence.losses.events == 0) is is_queue
    assert evidence.backlog_slope == pytest.approx(1.0 if is_queue else 0.0, abs=0.15)


def test_losses_within_a_round_trip_are_one_event() -> None:
    flow, _ = bottleneck_flow(kind="none", rate_bps=5e6, packets=100)
    given = replace(flow_transfer("t", flow), connect_s=0.05)
    evidence = Evidence(given)
    assert evidence.found is not None
    lost = np.isin(np.arange(len(evidence.found)), [10, 11, 12, 80])
    object.__setattr__(evidence, "_seen", (View.SENDER, replace(evidence.found, lost=lost)))
    assert evidence.losses.events == 2


def test_how_far_a_transfer_runs_ahead_of_a_rate() -> None:
    at_once = Evidence(transfer("t", [0.1, 0.2, 1.2], [1000, 1000, 1000]))
    assert at_once.ahead_of(8000) == pytest.approx(1900)
    assert Evidence(transfer("t", [], [])).limit is None


def test_the_way_of_a_transfer_without_tcp_is_its_handshake() -> None:
    given = replace(transfer("t", [0.1], [1]), handshake_s=0.05)
    assert Evidence(replace(given, connect_s=0.02)).way_s == 0.02
    assert Evidence(replace(given, connect_s=1e-6)).way_s == 0.05


def test_acknowledgements_that_one_end_sent_and_the_other_never_saw_are_lost() -> None:
    flow, dropped = bottleneck_flow(kind="none", rate_bps=500e3)
    acks = np.flatnonzero(flow.from_a & (flow.payload == 0))[1:]
    missing = acks[::5]
    seen = flow.take(np.setdiff1d(np.arange(len(flow)), missing))
    given = replace(flow_transfer("t", seen), connect_s=0.05, receiver_flow=received_flow(flow, dropped))
    counted = Evidence(given).lost_acks
    assert counted.packets == pytest.approx(len(acks), abs=2)
    assert len(missing) / 3 <= counted.events <= len(missing)
    whole = replace(given, sender_flow=flow)
    assert Evidence(whole).lost_acks.events == 0


def test_what_a_receiver_gets_twice_was_not_heard_of() -> None:
    flow, dropped = bottleneck_flow(kind="none", rate_bps=500e3)
    arrived = received_flow(flow, dropped)
    data = np.flatnonzero(arrived.payload > 0)
    rows = np.sort(np.concatenate([np.arange(len(arrived)), data[50:200:50] + 0]))
    twice = arrived.take(rows)
    evidence = Evidence(replace(flow_transfer("t", flow), sender_flow=None, connect_s=0.05, receiver_flow=twice))
    assert evidence.lost_acks.events == 3
