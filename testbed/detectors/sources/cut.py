"""An observation as it would be if each transfer had been stopped after some seconds."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

import numpy as np

from testbed.detectors.observation import Ending, Observation, TcpInfo, Transfer

if TYPE_CHECKING:
    from testbed.capture import Flow

__all__ = ["stopped_after"]

_NS_PER_S = 1_000_000_000
_COLUMNS = tuple(field.name for field in fields(TcpInfo))


def stopped_after(observation: Observation, seconds: float) -> Observation:
    """Return what a measurer had seen who stopped each transfer ``seconds`` after its start.

    A transfer that was over by then is as it was. Of another, what came later is not there, and how it ended is not
    known. Tables of speeds have no time within a test, and stay.
    """
    return replace(observation, transfers=tuple(_stopped(each, seconds) for each in observation.transfers))


def _stopped(transfer: Transfer, seconds: float) -> Transfer:
    lasted = transfer.ended_s if transfer.ended_s is not None else transfer.duration_s
    if lasted <= seconds:
        return transfer
    kept = int(np.searchsorted(transfer.times_s, seconds, side="right"))
    return replace(
        transfer,
        times_s=transfer.times_s[:kept],
        bytes=transfer.bytes[:kept],
        connect_s=_if_by(transfer.connect_s, seconds),
        # The TLS handshake begins when the connection is there.
        handshake_s=_if_by(transfer.handshake_s, seconds - (transfer.connect_s or 0.0)),
        ended_s=seconds,
        ending=Ending.UNKNOWN,
        tcp_info=None if transfer.tcp_info is None else _samples_until(transfer.tcp_info, seconds),
        sender_flow=_packets_until(transfer.sender_flow, seconds),
        receiver_flow=_packets_until(transfer.receiver_flow, seconds),
    )


def _if_by(duration_s: float | None, seconds: float) -> float | None:
    return duration_s if duration_s is not None and duration_s <= seconds else None


def _samples_until(info: TcpInfo, seconds: float) -> TcpInfo:
    kept = int(np.searchsorted(info.times_s, seconds, side="right"))
    columns = {name: column[:kept] for name in _COLUMNS if (column := getattr(info, name)) is not None}
    return replace(info, **columns)


def _packets_until(flow: Flow | None, seconds: float) -> Flow | None:
    if flow is None or not len(flow):
        return flow
    return flow.take(np.flatnonzero(flow.t_ns <= flow.t_ns[0] + round(seconds * _NS_PER_S)))
