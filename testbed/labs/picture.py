"""What was measured in a case, to be looked at without any program: a drawing and a table, of an observation alone."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.observation import Direction, Role
from testbed.detectors.sources.observation_json import observation_from_json
from testbed.report.drawing import STYLE, plt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.detectors.observation import Transfer

__all__ = ["draw_case", "table_of"]

_STROKES: Final = ("-", "--", ":", "-.")
_COLOURS: Final = {Role.TARGET: "#d55e00", Role.CONTROL: "#0072b2", Role.UNKNOWN: "#555555"}
# Okabe and Ito's, told apart by everybody; their yellow is too pale for a thin line.
_OF_MANY: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
_MOST_CURVES: Final = 12
_SENT, _ARRIVED = "#d55e00", "#0072b2"
_NS_PER_S: Final = 1e9


def table_of(observation: bytes) -> str:
    """Return the transfers of an observation as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("transfer", "name", "role", "bytes", "seconds", "kbit/s", "ended"))
    for each in observation_from_json(observation).transfers:
        rate = each.goodput_bps
        writer.writerow((
            each.id.rpartition("/")[2], each.server_name or "", each.role.value, each.total_bytes,
            f"{each.duration_s:.3f}", "" if rate is None else f"{rate / 1000:.1f}", each.ending.value,
        ))  # fmt: skip
    return out.getvalue()


def draw_case(observation: bytes, title: str) -> bytes:
    """Return an SVG: bytes over time of each transfer, and segments of the first target, sent and arrived."""
    transfers = observation_from_json(observation).transfers
    target = next((each for each in transfers if each.role == Role.TARGET), None)
    style = {
        **STYLE,
        "svg.hashsalt": "lab",
        "svg.fonttype": "none",
    }  # so that the same observation has the same drawing, byte for byte
    # Drawn as paths, text would be ten times as large, and no browser could search it.
    with plt.rc_context(style):
        figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
        _curves(left, transfers)
        if target is not None and target.sender_flow is not None:
            _segments(right, target)
        figure.suptitle(title, fontsize=11)
        figure.tight_layout()
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
        plt.close(figure)
    return out.getvalue()


def _curves(axes: Axes, transfers: tuple[Transfer, ...]) -> None:
    shown = transfers[:_MOST_CURVES]  # more of them nobody tells apart
    names = list(dict.fromkeys(each.server_name or each.id for each in shown))
    for nth, each in enumerate(shown):
        # Of two names the role is told by the colour; of many each has its own, and its dashes.
        own = _OF_MANY[names.index(each.server_name or each.id) % len(_OF_MANY)]
        colour = _COLOURS[each.role] if len(names) <= len(_COLOURS) else own
        axes.plot(
            each.times_s, each.bytes / 1000, _STROKES[nth % len(_STROKES)], color=colour, linewidth=1.3,
            label=f"{each.server_name or each.id} ({each.role.value})",
        )  # fmt: skip
    axes.set_xlabel("seconds since the transfer began")
    axes.set_ylabel("kB that arrived")
    axes.legend(fontsize=6 if len(names) > len(_COLOURS) else 7, frameon=False)


def _segments(axes: Axes, target: Transfer) -> None:
    flows = (
        (target.sender_flow, "sent by the server", "x", _SENT, 4),
        (target.receiver_flow, "arrived", ".", _ARRIVED, 3),
    )
    began_ns, first = None, None
    for flow, name, mark, colour, size in flows:
        if flow is None:
            continue
        # Endpoint a opened the connection: data of a download comes from the other one.
        data = (flow.payload > 0) & (flow.from_a == (target.direction == Direction.UP))
        if not data.any():
            continue
        began_ns = int(flow.t_ns[data][0]) if began_ns is None else began_ns
        first = int(np.min(flow.seq[data])) if first is None else first
        seconds = (flow.t_ns[data] - began_ns) / _NS_PER_S
        axes.plot(seconds, (flow.seq[data] - first) / 1000, mark, color=colour, ms=size, label=name)
    if first is None:
        # Of a connection that was never made there is nothing to be drawn, and no legend either.
        axes.set_axis_off()
        return
    axes.set_title(f"segments of {target.server_name or target.id}", fontsize=9, parse_math=False)
    axes.set_xlabel("seconds since the first segment was sent")
    axes.set_ylabel("sequence number, kB")
    axes.legend(fontsize=7, frameon=False)
