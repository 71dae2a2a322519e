"""What a plan says of the conditions of its measurements, one short line each: for `testbed show`.

Only what the scenario itself says is told: what a topology brings with it, `testbed show TOPOLOGY` tells. Boxes and
transfers are not told here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from testbed.quantities import format_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.records.background import BackgroundPlan
    from testbed.records.link_plan import LinkPlan
    from testbed.records.plan import CapturePlan, OriginPlan, PlanDocument

__all__ = ["conditions"]

_EVERY_LINE_HAS: Final = {"name", "kind", "tspu"}
_PLACES: Final = {"client": "client", "server": "server", "inside": "box", "outside": "box"}
_KEPT: Final = {None: "whole", "headers": "headers", "nothing": "compared, then dropped"}


def conditions(plan: PlanDocument) -> list[str]:
    """Return the lines, in the order of the way from a client to a server."""
    return [
        *_lines(plan),
        *_links(plan["links"]),
        *_origins(plan["origins"]),
        *map(_background, plan.get("background", [])),
        *_captures(plan["captures"]),
    ]


def _lines(plan: PlanDocument) -> Iterator[str]:
    lines = plan["topology"]["parameters"].get("lines")
    for line in lines if isinstance(lines, list) else []:
        if isinstance(line, dict) and (own := [key for key in line if key not in _EVERY_LINE_HAS]):
            yield f"line {line['name']}: {', '.join(f'{key} {line[key]}' for key in own)}"


def _links(links: list[LinkPlan]) -> Iterator[str]:
    for link in links:
        if not link.get("natural"):
            toward = f" toward {link['toward']}" if "toward" in link else ""
            yield f"link {' - '.join(link['between'])}{toward}: {', '.join(_of_link(link))}"
    if natural := sum(bool(link.get("natural")) for link in links):
        yield f"natural variation: of {natural} link{'s' if natural > 1 else ''}"


def _of_link(link: LinkPlan) -> Iterator[str]:
    if "trace" in link:
        yield f"rate along a trace of {link['trace']['period_s']:g} s"
    elif "rate_bps" in link:
        yield f"rate {format_rate(link['rate_bps'])}"
    if "delay_s" in link:
        yield f"delay {_ms(link['delay_s'])}"
    if "jitter_s" in link:
        yield f"jitter {_ms(link['jitter_s'])}{' in order' if link.get('keeps_order') else ''}"
    if "loss" in link:
        bursts = f" in bursts of {link['burst']:.3g}" if link.get("burst", 1) != 1 else ""
        yield f"loss {link['loss'] * 100:.3g} %{bursts}"
    if "duplicate" in link:
        yield f"duplicates {link['duplicate'] * 100:.3g} %"
    if "reorder" in link:
        yield f"reorders {link['reorder'] * 100:.3g} %"
    if "queue" in link:
        unit = "B" if link["queue"]["kind"] in {"bfifo", "red"} else "packets"
        yield f"queue {link['queue']['kind']} of {link['queue']['limit']} {unit}"
    if "policer" in link:
        yield f"policer {format_rate(link['policer']['rate_bps'])}"


def _origins(origins: dict[str, OriginPlan]) -> Iterator[str]:
    for node, origin in origins.items():
        if found := [*_of_origin(origin)]:
            yield f"origin {node}: {', '.join(found)}"


def _of_origin(origin: OriginPlan) -> Iterator[str]:
    if "rate_bps" in origin:
        yield f"rate {format_rate(origin['rate_bps'])}"
    if "think_s" in origin:
        spread = ", with a spread" if origin.get("think_sigma") else ""
        yield f"think {_ms(origin['think_s'])}{spread}"
    if "pacing_bps" in origin:
        yield f"pacing {format_rate(origin['pacing_bps'])}"
    if "send_buffer" in origin:
        yield f"send buffer {origin['send_buffer']} B"
    if "protocols" in origin:
        yield f"speaks http/1.1, {', '.join(origin['protocols'])}"


def _background(entry: BackgroundPlan) -> str:
    found = [entry["name"]]
    if entry["flows"] > 1:
        found.append(f"{entry['flows']} flows")
    if "rate_bps" in entry:
        found.append(f"{entry.get('arrivals', 'constant')} {format_rate(entry['rate_bps'])}")
    if "beside" in entry:
        count = len(entry["beside"])
        found.append(f"beside {count} measurement{'s' if count != 1 else ''}")
    else:
        begins = f"from {entry['from_s']:g} s" if "from_s" in entry else "from the beginning"
        found.append(f"{begins} until " + (f"{entry['until_s']:g} s" if "until_s" in entry else "the end"))
    return f"{entry['id']}: {', '.join(found)}"


def _captures(captures: list[CapturePlan]) -> Iterator[str]:
    kept = {_PLACES[point["name"].rpartition("-")[2]]: _KEPT[point.get("keep")] for point in captures}
    told = ", ".join(f"{place} ({keep})" for place, keep in kept.items())
    yield f"captures: {told or 'none'}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.4g} ms"
