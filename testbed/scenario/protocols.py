"""What HTTP/2 and HTTP/3 can be asked for: who speaks what, and which other keys that leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.scenario.model import Fetch, Origin, Upload
    from testbed.scenario.place import Places

__all__ = ["MOST_KEPT_BYTES", "check_fetch", "check_origin", "check_upload"]

MOST_KEPT_BYTES = 128_000_000
"""The largest object that somebody keeps in the guest's memory, twice: who records, who replays, HTTP/3's server."""

# Keys of a fetch that are the kernel's doing: QUIC is a matter of programs, and aioquic reads what comes at once.
_OF_TCP = ("receive_buffer", "reading")


def check_origin(node: str, origin: Origin, places: Places) -> None:
    """Refuse protocols that an origin cannot speak beside what else is said of it. Raises ScenarioError."""
    key = ("origins", node, "protocols")
    for name in ("send_buffer", "pacing"):
        if "http/3" in origin.protocols and getattr(origin, name) is not None:
            raise places.error(key, f"{name!r} is of TCP's sockets, which HTTP/3 has none of: remove one of the two")


def check_fetch(index: int, measurement: Fetch, origins: Mapping[str, Origin], places: Places) -> None:
    """Refuse a protocol that the origin does not speak, and what cannot be honoured with it. Raises ScenarioError."""
    key = ("measurements", index)
    _require_spoken(index, measurement.address_of or measurement.fetch, measurement.protocol, origins, places)
    if measurement.protocol != "http/3":
        return
    _require_room(index, measurement.size, "server", places)
    if measurement.client == "curl":
        raise places.error(
            (*key, "protocol"),
            "curl, as Debian has it, does not speak http/3; the client 'measure', which is the default, can",
        )
    for name in _OF_TCP:
        if getattr(measurement, name) is not None:
            raise places.error((*key, name), f"{name!r} is of TCP's sockets; remove it, or 'protocol: http/3'")


def check_upload(index: int, measurement: Upload, origins: Mapping[str, Origin], places: Places) -> None:
    """Refuse a protocol that the origin does not speak, and what has no room with it. Raises ScenarioError."""
    _require_spoken(index, measurement.upload, measurement.protocol, origins, places)
    if measurement.protocol == "http/3":
        _require_room(index, measurement.size, "client", places)


def _require_spoken(index: int, name: str, protocol: str, origins: Mapping[str, Origin], places: Places) -> None:
    node, origin = next((node, each) for node, each in origins.items() if name in each.serves)
    if protocol not in origin.protocols:
        listed = ", ".join([*origin.protocols, protocol])
        raise places.error(
            ("measurements", index, "protocol"),
            f"the origin {node}, which serves {name}, does not speak {protocol}; give it 'protocols: [{listed}]'",
        )


def _require_room(index: int, size: int, end: str, places: Places) -> None:
    if size > MOST_KEPT_BYTES:
        raise places.error(
            ("measurements", index, "size"),
            f"too large for http/3: its {end} keeps an object in the guest's memory, which has room for "
            f"{MOST_KEPT_BYTES // 1_000_000} MB of it",
        )
