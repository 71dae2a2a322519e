"""Access lines as a parameter of a topology: what can be said of each line alone, and what a topology makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testbed.guest.network.parameter import Parameter, count, delay, rate, share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["LINE_KINDS", "LINE_OPTIONS", "SPARE_PLACES", "access_link", "lines"]

LINE_KINDS = ("mobile", "landline")

LINE_OPTIONS: dict[str, Parameter] = {
    "down": rate("0 bit/s", "access rate to the subscriber; 0: no limit"),
    "up": rate("0 bit/s", "access rate from the subscriber; 0: no limit"),
    "delay": delay("0", "one-way delay of the access link"),
    "queue": count(200, "buffer of the access link, each way, in packets"),
    "loss": share("0 %", "share of packets that the access link loses, each way"),
    "hops": count(7, "routers between the subscriber and the backbone"),
    "box_after_hop": count(3, "the TSPU stands after this hop"),
    "blocker_after_hop": count(6, "the ISP's own blocker stands after this hop"),
}
"""What may be said of one line. A topology takes those of them that it can honour."""

SPARE_PLACES = "also_after_hops"
"""Hops after which the TSPU of a line stands at some time; the testbed says so itself, for events that move a box."""

_MANDATORY = ("name", "kind", "tspu")
_THEIR_NAMES = "name, kind and tspu"


def lines(default: Sequence[dict[str, Any]], options: Iterable[str], *, has_spare_places: bool = False) -> Parameter:
    """Return the parameter ``lines`` of a topology.

    Args:
        default: Lines as people would write them.
        options: Names of `LINE_OPTIONS` that the topology honours for a line alone.
        has_spare_places: It honours `SPARE_PLACES`, and adds a box with ``after_hop`` for each.

    Returns:
        A parameter whose value is a list of mappings with ``name``, ``kind``, ``tspu``, and the options that were
        given, parsed (seconds, bit/s, shares).
    """
    known = {name: LINE_OPTIONS[name].parse for name in options}
    about = f"the access lines: {', '.join(_MANDATORY)}; optional {', '.join(known) or 'nothing'}"
    if has_spare_places:
        known[SPARE_PLACES] = _hops
    return Parameter(list(default), lambda value: _parse(value, known), about)


def access_link(line: dict[str, Any], *, rate_bps: int, delay_s: float) -> dict[str, Any]:
    """Options of `RoutedTopo.connect` for a line's access link: what the line says, or these for the rest."""
    return {
        "delay_s": line.get("delay", delay_s), "up": line.get("up", rate_bps), "down": line.get("down", rate_bps),
        "queue": line.get("queue", LINE_OPTIONS["queue"].default), "loss": line.get("loss", 0.0),
    }  # fmt: skip


def _hops(value: object) -> list[int]:
    if not isinstance(value, list) or not all(isinstance(each, int) and each > 0 for each in value):
        raise ValueError(f"expected a list of hops, got {value!r}")
    return list(value)


def _parse(value: object, options: dict[str, Callable[[object], Any]]) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"expected a list of lines, each with {_THEIR_NAMES}")
    names: set[str] = set()
    found = []
    for line in value:
        if not isinstance(line, dict) or not set(_MANDATORY) <= set(line):
            raise ValueError(f"expected a line with {_THEIR_NAMES}, got {line!r}")
        found.append(_parse_line(line, options, names))
        names.add(line["name"])
    return found


def _parse_line(line: dict[str, Any], options: dict[str, Callable[[object], Any]], names: set[str]) -> dict[str, Any]:
    name = line["name"]
    if not isinstance(name, str) or not name.isalnum() or name in names:
        raise ValueError(f"expected a name of letters and digits that no other line has, got {name!r}")
    if line["kind"] not in LINE_KINDS:
        raise ValueError(f"line {name}: expected a kind of {' or '.join(LINE_KINDS)}, got {line['kind']!r}")
    if not isinstance(line["tspu"], bool):
        message = f"line {name}: expected tspu to be true or false, got {line['tspu']!r}"
        raise ValueError(message)  # noqa: TRY004 - what a parameter does not take is a ValueError, whatever its type
    parsed = {key: line[key] for key in _MANDATORY}
    for key, given in line.items():
        if key in parsed:
            continue
        if key not in options:
            known = ", ".join(options) or "none"
            raise ValueError(f"line {name}: this topology cannot set {key!r} for a line alone (it can: {known})")
        try:
            parsed[key] = options[key](given)
        except ValueError as error:
            raise ValueError(f"line {name}: {key}: {error}") from error
    return parsed
