"""Observations as JSON files: the documented form in which they are kept, exchanged and given to programs.

The format is described in docs/how-to/write-a-detector.md. Version 1. Reading is strict: what is unknown is refused.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from testbed.capture import Flow
from testbed.detectors.observation import Direction, Ending, Observation, Role, SpeedTable, TcpInfo, Transfer
from testbed.detectors.sources.fields import Fields, load_json
from testbed.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbed.detectors.verdict import JsonValue

__all__ = ["FORMAT", "VERSION", "observation_from_json", "observation_to_json"]

_Column = TypeVar("_Column", np.bool_, np.uint8, np.uint16, np.int32)

FORMAT: Final = "testbed-observation"
VERSION: Final = 1
_TRANSFER_FIELDS: Final = tuple(field.name for field in fields(Transfer))
_TCP_INFO_FIELDS: Final = tuple(field.name for field in fields(TcpInfo))
_TCP_INFO_OPTIONAL: Final = ("busy_s", "rwnd_limited_s", "sndbuf_limited_s")
# all that is an array; what names the flow (its ends and the server) stands before them
_FLOW_COLUMNS: Final = tuple(field.name for field in fields(Flow) if field.name not in {"a", "b", "server_name"})
_SACK_EDGES: Final = ("sack_start", "sack_end")


def observation_to_json(observation: Observation) -> str:
    """Return an observation as the text of a JSON file."""
    speeds = observation.speeds
    value: JsonValue = {
        "format": FORMAT,
        "version": VERSION,
        "source": observation.source,
        "notes": list(observation.notes),
        "transfers": [_transfer_value(transfer) for transfer in observation.transfers],
        "speeds": None if speeds is None else _speeds_value(speeds),
    }
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def observation_from_json(text: str | bytes, *, where: str = "observation") -> Observation:
    """Read an observation.

    Args:
        text: The content of an observation file.
        where: Named in errors, such as the file's path.

    Raises:
        InputError: The text is no observation of this version; the message names the field at fault.
    """
    top = Fields(load_json(text, where), where)
    if top.optional_text("format") != FORMAT:
        raise InputError(f'{where}: not an observation: its field format is not "{FORMAT}"')
    if (version := top.number("version")) != VERSION:
        raise InputError(
            f"{where}: version {version:g} of the observation format; this program reads version {VERSION}"
        )
    top.only("format", "version", "source", "notes", "transfers", "speeds")
    try:
        return Observation(
            source=top.text("source"),
            notes=tuple(top.texts("notes")),
            transfers=tuple(_read_transfer(item) for item in top.records("transfers")),
            speeds=_read_speeds(top.nested("speeds")) if "speeds" in top else None,
        )
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error


def _transfer_value(transfer: Transfer) -> JsonValue:
    value: dict[str, JsonValue] = {name: getattr(transfer, name) for name in _TRANSFER_FIELDS}
    value["times_s"] = transfer.times_s.tolist()
    value["bytes"] = transfer.bytes.tolist()
    value["labels"] = dict(transfer.labels)
    info = transfer.tcp_info
    value["tcp_info"] = None if info is None else {name: _list(getattr(info, name)) for name in _TCP_INFO_FIELDS}
    for name, flow in (("sender_flow", transfer.sender_flow), ("receiver_flow", transfer.receiver_flow)):
        value[name] = None if flow is None else _flow_value(flow)
    return value


def _list(column: NDArray[np.float64] | None) -> list[float] | None:
    return None if column is None else column.tolist()


def _flow_value(flow: Flow) -> JsonValue:
    value: dict[str, JsonValue] = {"a": list(flow.a), "b": list(flow.b), "server_name": flow.server_name}
    return value | {name: getattr(flow, name).astype(np.int64).tolist() for name in _FLOW_COLUMNS}


def _speeds_value(speeds: SpeedTable) -> JsonValue:
    return {
        "times_s": speeds.times_s.tolist(),
        "target_bps": speeds.target_bps.tolist(),
        "controls_bps": {name: column.tolist() for name, column in speeds.controls_bps.items()},
        "group": speeds.group.tolist(),
    }


def _read_transfer(item: Fields) -> Transfer:
    item.only(*_TRANSFER_FIELDS)
    info = item.optional_nested("tcp_info")
    sender, receiver = item.optional_nested("sender_flow"), item.optional_nested("receiver_flow")
    return Transfer(
        id=item.text("id"),
        role=item.choice("role", Role) if "role" in item else Role.UNKNOWN,
        direction=item.choice("direction", Direction) if "direction" in item else Direction.DOWN,
        server_name=item.optional_text("server_name"),
        times_s=item.column("times_s"),
        bytes=item.integers("bytes"),
        started_s=item.optional_number("started_s") or 0.0,
        connect_s=item.optional_number("connect_s"),
        handshake_s=item.optional_number("handshake_s"),
        ended_s=item.optional_number("ended_s"),
        ending=item.choice("ending", Ending) if "ending" in item else Ending.UNKNOWN,
        expected_bytes=item.optional_integer("expected_bytes"),
        tcp_info=None if info is None else _read_tcp_info(info),
        sender_flow=None if sender is None else _read_flow(sender),
        receiver_flow=None if receiver is None else _read_flow(receiver),
        labels=item.text_map("labels"),
    )


def _read_tcp_info(item: Fields) -> TcpInfo:
    item.only(*_TCP_INFO_FIELDS)
    present = (name for name in _TCP_INFO_FIELDS if name in item or name not in _TCP_INFO_OPTIONAL)
    return TcpInfo(**{name: item.column(name) for name in present})


def _read_speeds(item: Fields) -> SpeedTable:
    item.only("times_s", "target_bps", "controls_bps", "group")
    return SpeedTable(
        times_s=item.column("times_s"),
        target_bps=item.column("target_bps"),
        controls_bps=item.columns("controls_bps"),
        group=np.array(item.texts("group"), dtype=np.str_),
    )


def _read_flow(item: Fields) -> Flow:
    item.only("a", "b", "server_name", *_FLOW_COLUMNS)
    flow = Flow(
        index=item.integers("index"),
        t_ns=item.integers("t_ns"),
        from_a=_narrow(item, "from_a", np.bool_),
        seq=item.integers("seq"),
        ack=item.integers("ack"),
        payload=item.integers("payload"),
        flags=_narrow(item, "flags", np.uint16),
        window=_narrow(item, "window", np.uint16),
        mss=_narrow(item, "mss", np.uint16),
        timestamps=_narrow(item, "timestamps", np.bool_),
        ip_id=_narrow(item, "ip_id", np.int32),
        ttl=_narrow(item, "ttl", np.uint8),
        sack_count=_narrow(item, "sack_count", np.uint8),
        sack_start=item.integers("sack_start"),
        sack_end=item.integers("sack_end"),
        a=item.endpoint("a"),
        b=item.endpoint("b"),
        server_name=item.optional_text("server_name"),
    )
    count, blocks = len(flow), int(flow.sack_count.sum())
    for name in _FLOW_COLUMNS:
        found, expected = len(getattr(flow, name)), blocks if name in _SACK_EDGES else count
        if found != expected:
            raise InputError(f"{item.where}: {name} has {found} items, expected {expected}")
    if not count or (flow.payload < 0).any():
        raise InputError(f"{item.where}: a flow has at least one packet, and none has a negative payload")
    return flow


def _narrow(item: Fields, name: str, dtype: type[_Column]) -> NDArray[_Column]:
    """Return a list of integers as a column of a narrower type, into which all of them must fit."""
    wide = item.integers(name)
    # astype() would wrap: a port or flag out of range must not become another one
    least, most = (0, 1) if issubclass(dtype, np.bool_) else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    if len(wide) and not (least <= wide.min() and wide.max() <= most):
        raise InputError(f"{item.where}: {name} holds a number outside {least} to {most}")
    return wide.astype(dtype)
