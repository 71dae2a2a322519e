"""Published figures beside ours, for the transfers that reproduce how they were measured.

X21: Xue et al., "Throttling Twitter: An Emerging Censorship Technique in Russia", ACM IMC 2021,
https://doi.org/10.1145/3487552.3487858. CP21: Censored Planet, "Throttling of Twitter in Russia", 2021-04-06,
https://censoredplanet.org/throttling. Values marked (figure) were read off a published figure, to about 5 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.report.series import NotCapturedError, Series, segments, series, windowed_throughput

if TYPE_CHECKING:
    from testbed.records.manifest import TransferSummary
    from testbed.records.run import RunDirectory

__all__ = ["Comparison", "compare_with_published"]

_CONVERGED_AFTER_S: Final = 3.0  # X21 Fig. 4: windowed throughput after 3 s
_CONVERGED_BPS: Final = (130_000, 150_000)  # X21 §5
_LONG_GAP_RTTS: Final = 5  # X21 §6.1
_WINDOW_S: Final = 1.0
_PUBLISHED_BYTES: Final = range(383_000, 393_000)  # the image of X21 §5, and what TLS adds to it


@dataclass(frozen=True, slots=True)
class Comparison:
    """One published figure and ours.

    Attributes:
        quantity: What was measured, and on which of our transfers.
        published: As printed.
        source: Paper and place.
        ours: The same from this run.
        agrees: Whether ours is within the published range; None where the source gives a single reading to look at.
    """

    quantity: str
    published: str
    source: str
    ours: str
    agrees: bool | None


def compare_with_published(run: RunDirectory, transfers: list[TransferSummary]) -> list[Comparison]:
    """Return every published figure that this run has a transfer for."""
    rows: list[Comparison] = []
    for line in dict.fromkeys(transfer["line"] for transfer in transfers):
        replays = {
            (transfer["direction"], transfer["role"]): transfer
            for transfer in transfers
            if transfer["line"] == line and transfer["kind"] == "replay" and transfer["ok"]
        }
        throttled = {
            direction: replays[direction, "target"]
            for direction in ("download", "upload")
            if (direction, "target") in replays and replays[direction, "target"]["throttled"]
        }
        # Published are figures of throttled replays. A replay that nothing slowed would be measured against them
        # in vain.
        for direction, transfer in throttled.items():
            rows += _converged(run, line, direction, transfer)
        if "download" in throttled:
            rows += _download_rows(run, line, throttled["download"], replays.get(("download", "control")))
    return rows


def _converged(run: RunDirectory, line: str, direction: str, transfer: TransferSummary) -> list[Comparison]:
    rate = _rate_after(series(run, transfer), _CONVERGED_AFTER_S)
    if rate is None:
        return []
    return [
        Comparison(
            f"converged throughput, {direction} replay ({line})",
            "130–150 kbit/s",
            "X21 §5",
            f"{rate / 1000:.0f} kbit/s",
            _CONVERGED_BPS[0] <= round(rate, -3) <= _CONVERGED_BPS[1],  # as finely as it is published
        )
    ]


def _download_rows(
    run: RunDirectory, line: str, target: TransferSummary, control: TransferSummary | None
) -> list[Comparison]:
    arrivals = series(run, target)
    rows = []
    _, windows = windowed_throughput(arrivals, _WINDOW_S)
    settled = windows[int(_CONVERGED_AFTER_S / _WINDOW_S) :] / 1000
    if settled.size:
        low, high = np.percentile(settled, [5, 95])
        rows.append(
            Comparison(
                f"windowed throughput after 3 s, download replay ({line})", "mean 122, 5–95 % 87–154 kbit/s",
                "X21 Fig. 4 (figure)", f"mean {settled.mean():.0f}, 5–95 % {low:.0f}–{high:.0f} kbit/s", None,
            )
        )  # fmt: skip
    if target["bytes"] in _PUBLISHED_BYTES:
        rows += _durations(line, target, control)
    return rows + _drop_rows(run, line, target, arrivals)


def _durations(line: str, target: TransferSummary, control: TransferSummary | None) -> list[Comparison]:
    ours_s = target["duration_s"]
    if ours_s is None:
        return []
    rows = [
        Comparison(
            f"duration of the 383 kB download replay ({line})", "≈ 23 s", "X21 Fig. 4 (figure)", f"{ours_s:.1f} s", None
        )
    ]  # fmt: skip
    control_s = None if control is None else control["duration_s"]
    if control_s:
        rows.append(
            Comparison(
                f"the same, bit-inverted ({line})", "≈ 4.1 s, 5.6 times faster", "X21 Fig. 4 (figure)",
                f"{control_s:.1f} s, {ours_s / control_s:.1f} times faster", None,
            )
        )  # fmt: skip
    return rows


def _drop_rows(run: RunDirectory, line: str, target: TransferSummary, arrivals: Series) -> list[Comparison]:
    try:
        sent = segments(run, target)
    except NotCapturedError:
        return []  # the scenario asked for no captures at the box
    server = run.plan["replay_server"]
    gaps = np.diff(arrivals.times_s)
    if server is None or not gaps.size or not sent.dropped.any():
        return []
    gaps /= run.plan["rtt_s"][line][server]
    # argmax of booleans: the first that is true
    before_first_drop = sent.length[: int(np.argmax(sent.dropped))].sum()
    return [
        Comparison(
            f"longest gap in delivery ({line})", "more than 5 RTT", "X21 §6.1",
            f"{gaps.max():.1f} RTT", bool(gaps.max() > _LONG_GAP_RTTS),
        ),
        Comparison(
            f"payload before the first drop ({line})", "≈ 17.5 kB", "X21 Fig. 5 (figure)",
            f"{before_first_drop / 1000:.1f} kB", None,
        ),
    ]  # fmt: skip


def _rate_after(arrivals: Series, after_s: float) -> float | None:
    """Payload bit/s from the first arrival after ``after_s`` to the last arrival; None where all was over by then."""
    begin = int(np.searchsorted(arrivals.times_s, after_s))
    duration = arrivals.times_s[-1] - arrivals.times_s[begin] if begin < len(arrivals.times_s) else 0.0
    if not duration:
        return None
    return float((arrivals.totals[-1] - arrivals.totals[begin]) * 8 / duration)
