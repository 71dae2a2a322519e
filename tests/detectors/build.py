"""Observations built by hand, and a packet-level sender whose fate is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from testbed.capture import ACK, PSH, SYN, Flow
from testbed.detectors import registry
from testbed.detectors.observation import Direction, Ending, Observation, Role, SpeedTable, Transfer
from testbed.detectors.sources.captures import transfer_from_flow
from testbed.detectors.tools.wehe_family import Statistics

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.metadata import EntryPoint

    import pytest

DAY_S = 86_400.0
MARCH_10_S = 1_615_334_400.0
SEGMENT = 1448
HEADERS = 52
PACE_PACKETS = 30
LUMP_PERIOD_S = 1.28


def transfer(
    name: str,
    times_s: Sequence[float],
    sizes: Sequence[int],
    *,
    role: Role = Role.TARGET,
    started_s: float = 0.0,
    ending: Ending = Ending.COMPLETE,
    ended_s: float | None = None,
    direction: Direction = Direction.DOWN,
    handshake_s: float | None = None,
    sender_flow: Flow | None = None,
    receiver_flow: Flow | None = None,
    labels: dict[str, str] | None = None,
) -> Transfer:
    return Transfer(
        id=name,
        role=role,
        direction=direction,
        times_s=np.array(times_s, np.float64),
        bytes=np.cumsum(np.array(sizes, np.int64)),
        started_s=started_s,
        ending=ending,
        ended_s=ended_s,
        handshake_s=handshake_s,
        sender_flow=sender_flow,
        receiver_flow=receiver_flow,
        labels=labels or {},
    )


def steady(
    name: str,
    *,
    rate_bps: float,
    duration_s: float,
    role: Role = Role.TARGET,
    started_s: float = 0.0,
    jitter: float = 0.0,
    seed: int = 1,
    labels: dict[str, str] | None = None,
) -> Transfer:
    """Return a transfer whose packets arrive at one rate."""
    count = max(2, int(rate_bps * duration_s / 8 / SEGMENT))
    rng = np.random.default_rng(seed)
    gaps = duration_s / count * (1 + jitter * rng.standard_normal(count)).clip(0.05)
    return transfer(name, np.cumsum(gaps).tolist(), [SEGMENT] * count, role=role, started_s=started_s, labels=labels)


def pair(target_bps: float, control_bps: float, *, duration_s: float = 20) -> Observation:
    """Return a target and a control at two rates, both a little unsteady, one after the other."""
    return observation(
        steady("t", rate_bps=target_bps, duration_s=duration_s, jitter=0.3),
        steady("c", rate_bps=control_bps, duration_s=duration_s, role=Role.CONTROL, jitter=0.3, started_s=30, seed=2),
    )


def repeats(speeds: dict[tuple[str, Role], list[float]]) -> Observation:
    """Transfers of 20 s by port and role; a speed of 0 moved nothing."""
    transfers: list[Transfer] = []
    for (port, role), each in speeds.items():
        for place, kbps in enumerate(each):
            moved = [(20.0, int(kbps * 1000 * 20 / 8))] if kbps else []
            made = transfer(f"{port}-{role}-{place}", [t for t, _ in moved], [size for _, size in moved], role=role)
            transfers.append(replace(made, started_s=20.0 * len(transfers), labels={"port": port}))
    return observation(*transfers)


def statistics(area: float, p: float, *, mean_bps: float = 1e6) -> Statistics:
    """Return what Wehe would have found of two replays, the faster at ``mean_bps``."""
    mean_o, mean_c = mean_bps * (1 - max(area, 0)), mean_bps * (1 + min(area, 0))
    return Statistics(mean_o=mean_o, mean_c=mean_c, area=area, p=p, distance=0.5)


def speeds(
    days: Sequence[float], *, tests_a_day: int = 20, control_bps: float = 5e6, spread: float = 0.1, seed: int = 1
) -> SpeedTable:
    """Return a table with one median speed a day, bits a second."""
    rng = np.random.default_rng(seed)
    target = np.repeat(np.array(days, np.float64), tests_a_day) * np.exp(
        spread * rng.standard_normal(len(days) * tests_a_day)
    )
    times = MARCH_10_S + np.arange(len(target)) * DAY_S / tests_a_day
    return SpeedTable(
        times_s=times,
        target_bps=target,
        controls_bps={"control": np.full(len(target), control_bps)},
        group=np.array(["RU AS1"] * len(target)),
    )


def observation(*transfers: Transfer, table: SpeedTable | None = None) -> Observation:
    return Observation(source="test", transfers=transfers, speeds=table)


def bottleneck_flow(
    *,
    kind: str,
    rate_bps: float = 500e3,
    depth_bytes: float = 20_000,
    packets: int = 400,
    rtt_s: float = 0.05,
    loss: float = 0.0,
    control: bool = False,
    seed: int = 1,
) -> tuple[Flow, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Send a window-limited stream through one bottleneck and write down a sender's capture of it.

    Args:
        kind: "police" (token bucket), "coarse" (filled in lumps each 1.28 s), "queue" (drop-tail of ``depth_bytes``,
            drained at ``rate_bps``), or "none".
        rate_bps: Of the bucket or queue; the sender's pace goes to and fro around it.
        depth_bytes: Of the bucket or queue.
        packets: First transmissions.
        rtt_s: Without queueing.
        loss: Share of packets lost at random besides.
        control: Whether the pace stays a tenth below the rate.
        seed: For jitter and random loss.

    Returns:
        The flow, and which of its data packets were dropped, in order of sending.
    """
    rng = np.random.default_rng(seed)
    size = SEGMENT + HEADERS
    queue: list[tuple[int, bool]] = [(number, False) for number in range(packets)]
    clock, pace = 0.0, rate_bps * (0.9 if control else 2.0)
    tokens, filled_at, free_at = depth_bytes, 0.0, 0.0
    events: list[tuple[float, int, int, int, bool]] = []  # time, is_ack, segment number, sack number, dropped
    arrived: set[int] = set()
    sent = 0
    repairs: list[tuple[float, int]] = []
    while queue or repairs:
        if repairs and repairs[0][0] <= clock:
            number = repairs.pop(0)[1]
        elif queue:
            number = queue.pop(0)[0]
        else:
            clock = repairs[0][0]
            continue
        dropped = bool(rng.random() < loss)
        delay = 0.0
        if kind == "police":
            tokens = min(depth_bytes, tokens + (clock - filled_at) * rate_bps / 8)
            filled_at = clock
            dropped = dropped or tokens < size
            tokens -= 0 if dropped else size
        elif kind == "coarse":
            lumps = clock // LUMP_PERIOD_S - filled_at // LUMP_PERIOD_S
            tokens = min(depth_bytes, tokens + lumps * rate_bps / 8 * LUMP_PERIOD_S)
            filled_at = clock
            dropped = dropped or tokens < size
            tokens -= 0 if dropped else size
        elif kind == "queue":
            backlog = max(0.0, free_at - clock) * rate_bps / 8
            dropped = dropped or backlog + size > depth_bytes
            if not dropped:
                free_at = max(free_at, clock) + size * 8 / rate_bps
                delay = free_at - clock
        events.append((clock, 0, number, 0, dropped))
        if dropped:
            repairs.append((clock + 2 * rtt_s, number))
        else:
            events.append((clock + rtt_s + delay + 1e-4 * rng.random(), 1, number, number, False))
        clock += size * 8 / pace
        sent += 1
        if sent % PACE_PACKETS == 0 and not control and kind != "coarse":
            pace = rate_bps * 0.8 if pace > rate_bps else rate_bps * 2.0
    events.sort(key=lambda event: (event[0], event[1]))
    return _capture(events, arrived), np.array([event[4] for event in events if not event[1]])


def _capture(events: list[tuple[float, int, int, int, bool]], arrived: set[int]) -> Flow:
    count = len(events) + 2
    columns = {name: np.zeros(count, np.int64) for name in ("seq", "ack", "payload")}
    from_a = np.zeros(count, np.bool_)
    flags = np.full(count, ACK, np.uint16)
    t_ns = np.zeros(count, np.int64)
    mss = np.zeros(count, np.uint16)
    sack_count = np.zeros(count, np.uint8)
    sacks: list[tuple[int, int]] = []
    base = 1000
    from_a[0], flags[0], mss[0] = True, SYN, SEGMENT
    columns["seq"][0], columns["seq"][1], columns["ack"][1] = 0, base - 1, 1
    flags[1], mss[1] = SYN | ACK, SEGMENT
    in_order = 0
    for row, (time_s, is_ack, number, _, _) in enumerate(events, start=2):
        t_ns[row] = round((time_s + 0.01) * 1e9)
        if is_ack:
            arrived.add(number)
            while in_order in arrived:
                in_order += 1
            from_a[row] = True
            columns["seq"][row], columns["ack"][row] = 1, base + in_order * SEGMENT
            if number >= in_order:
                sack_count[row] = 1
                sacks.append((base + number * SEGMENT, base + (number + 1) * SEGMENT))
        else:
            columns["seq"][row], columns["ack"][row] = base + number * SEGMENT, 1
            columns["payload"][row] = SEGMENT
            flags[row] = ACK | PSH
    return Flow(
        a=("10.0.0.1", 40000),
        b=("192.0.2.1", 443),
        index=np.arange(count),
        t_ns=t_ns + 10**18,
        from_a=from_a,
        seq=columns["seq"],
        ack=columns["ack"],
        payload=columns["payload"],
        flags=flags,
        window=np.full(count, 65535, np.uint16),
        mss=mss,
        timestamps=np.zeros(count, np.bool_),
        ip_id=np.arange(count, dtype=np.int32) % 65536,
        ttl=np.full(count, 64, np.uint8),
        sack_count=sack_count,
        sack_start=np.array([start for start, _ in sacks], np.int64),
        sack_end=np.array([end for _, end in sacks], np.int64),
        server_name=None,
    )


def received_flow(flow: Flow, dropped: np.ndarray[tuple[int], np.dtype[np.bool_]], *, rtt_s: float = 0.05) -> Flow:
    """Return what a capture at the receiver has of a `bottleneck_flow`: half a round trip later, nothing dropped."""
    data = np.flatnonzero(flow.payload > 0)
    arrived = np.ones(len(flow), np.bool_)
    arrived[data[dropped]] = False
    shift_ns = np.where(flow.from_a, -1, 1) * round(rtt_s / 2 * 1e9)
    rows = np.flatnonzero(arrived)
    moved = replace(flow, t_ns=flow.t_ns + shift_ns)
    return moved.take(rows[np.argsort(moved.t_ns[rows], kind="stable")])


def flow_transfer(name: str, flow: Flow, *, role: Role = Role.TARGET, started_s: float = 0.0) -> Transfer:
    """Return a transfer of a sender's capture, with the timeline that its acknowledgements tell."""
    made = transfer_from_flow(flow, name=name, origin_ns=int(flow.t_ns[0]))
    return transfer(
        name,
        made.times_s.tolist(),
        np.diff(made.bytes, prepend=0).tolist(),
        role=role,
        started_s=started_s,
        sender_flow=flow,
        ended_s=made.ended_s,
    )


def register(monkeypatch: pytest.MonkeyPatch, point: EntryPoint) -> None:
    """Register a detector as if its package were installed."""

    def found(*, group: str, name: str | None = None) -> list[EntryPoint]:
        return [point] if group == registry.ENTRY_POINTS and name in (None, point.name) else []

    monkeypatch.setattr(registry, "entry_points", found)
