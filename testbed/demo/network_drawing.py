"""The network of a plan as SVG: lines, hops, boxes, servers. Every part has a title, and no part a colour alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.plain_text import html_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.records.plan import PlanDocument

__all__ = ["DEFAULT_AFTER_HOP", "DEFAULT_HOPS", "draw_network"]

DEFAULT_HOPS, DEFAULT_AFTER_HOP = 7, 3  # of topologies/russia2021.py; a test compares
_WIDTH, _ROW, _TOP = 1000, 68, 26
_CLIENT_X, _FIRST_HOP_X, _CORE_X, _SERVER_X = 60, 170, 700, 900
_MOST_LINES, _MOST_HOPS = 6, 12


def draw_network(plan: PlanDocument, *, with_boxes: bool) -> str:
    """Return the drawing.

    Args:
        plan: Of the run.
        with_boxes: False while a class guesses: a cable stands where each box is.
    """
    lines = list(dict.fromkeys(line["name"] for phase in plan["phases"] for line in phase["lines"]))
    # Which names share a server would tell a class that guesses that something was moved.
    servers = _servers(plan) if with_boxes else [("server", [name]) for name in sorted(plan["names"])[:_MOST_LINES]]
    shown = lines[:_MOST_LINES]
    height = _TOP + _ROW * max(len(shown), len(servers)) - _TOP // 2
    middle = height / 2
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="net-title">',
        f'<title id="net-title">The network: {len(lines)} lines, their hops, and the servers</title>',
    ]
    for row, line in enumerate(shown):
        parts += _line(plan, line, _TOP + _ROW * row, middle, with_boxes=with_boxes)
    for row, (node, names) in enumerate(servers):
        y = _TOP + _ROW * row
        parts.append(f'<path class="wire" d="M{_CORE_X} {middle}L{_SERVER_X} {y}"/>')
        parts.append(_node("server", _SERVER_X, y, names[0] if names else node, f"server {node}: {', '.join(names)}"))
    parts.append(_node("core", _CORE_X, middle, "the rest of the Internet", "backbone, border and transit"))
    if len(lines) > len(shown):
        parts.append(f'<text x="10" y="{height - 4}">and {len(lines) - len(shown)} more lines</text>')
    return "\n".join([*parts, "</svg>"])


def _servers(plan: PlanDocument) -> list[tuple[str, list[str]]]:
    found = [(node, [*origin["names"]]) for node, origin in plan["origins"].items()]
    replay = plan.get("replay_server")
    if replay:
        found.append((str(replay), ["replay server"]))
    return found[:_MOST_LINES]


def _line(plan: PlanDocument, line: str, y: float, middle: float, *, with_boxes: bool) -> Iterator[str]:
    parameters = plan["topology"]["parameters"]
    hops = min(_whole(parameters.get("hops"), DEFAULT_HOPS), _MOST_HOPS)
    after = min(_whole(parameters.get("box_after_hop"), DEFAULT_AFTER_HOP), hops)
    boxes = [name for name, box in plan["boxes"].items() if box["line"] == line]
    step = (_CORE_X - 90 - _FIRST_HOP_X) / hops
    yield f'<path class="wire" d="M{_CLIENT_X} {y}H{_CORE_X - 90}L{_CORE_X} {middle}"/>'
    for hop in range(1, hops + 1):
        x = _FIRST_HOP_X + step * (hop - 1)
        yield f'<g><title>hop {hop} of the provider</title><circle class="hop" cx="{x:.0f}" cy="{y}" r="7"/></g>'
    yield _node("client", _CLIENT_X, y, line, f"subscriber on the line {line}")
    if with_boxes and boxes:
        yield _box(boxes[0], _FIRST_HOP_X + step * (after - 0.5), y, after)


def _box(box: str, x: float, y: float, after: int) -> str:
    name = html_text(box)
    return (
        f'<g class="box" data-box="{name}"><title>the box {name}, behind hop {after}</title>'
        f'<rect x="{x - 26:.0f}" y="{y - 22}" width="52" height="44" rx="4"/>'
        f'<text x="{x:.0f}" y="{y + 5}">box</text>'
        f'<text class="says" x="{x:.0f}" y="{y + 36}"></text></g>'
    )


def _node(kind: str, x: float, y: float, name: str, title: str) -> str:
    width = 180 if kind == "core" else 120
    label = html_text(name if len(name) <= 24 else name[:23] + "…")  # noqa: PLR2004 - what fits
    return (
        f'<g class="{kind}"><title>{html_text(title)}</title>'
        f'<rect x="{x - width / 2}" y="{y - 20}" width="{width}" height="40" rx="20"/>'
        f'<text x="{x}" y="{y + 5}">{label}</text></g>'
    )


def _whole(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and value > 0 else otherwise
