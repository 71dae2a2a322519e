"""The sequence plot of a run as it grows, as a GIF for slides and pages without scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter

from testbed.errors import RecordError
from testbed.records.run import RunDirectory
from testbed.report.drawing import STYLE, plt
from testbed.report.series import NotCapturedError, segments

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.manifest import TransferSummary
    from testbed.report.series import Segments

__all__ = ["animate"]

_PASSED, _DROPPED = "#0072b2", "#d55e00"  # of Okabe and Ito's palette, as on the page
_FRAMES, _FRAMES_PER_S = 48, 8
_DPI = 90


def animate(path: Path, file: Path) -> bool:
    """Draw the first target that a box saw; return False if the run has no such transfer or no captures of it.

    Raises:
        RecordError: No run directory.
    """
    run = RunDirectory.open(path)
    for transfer in run.manifest().get("transfers", []):
        if transfer["role"] == "target":
            try:
                sent = segments(run, transfer)
            except NotCapturedError:
                continue
            _draw(sent, transfer, file)
            return True
    return False


def _draw(sent: Segments, transfer: TransferSummary, file: Path) -> None:
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(6.4, 3.6))
        # of a single segment: an axis needs some length
        last_s = float(sent.times_s[-1]) or 1.0
        axes.set_xlim(0, last_s * 1.02)
        axes.set_ylim(0, float(np.max(sent.sequence)) / 1000 * 1.05 + 1)
        axes.set_xlabel("seconds since the first data segment")
        axes.set_ylabel("sequence number, kB")
        axes.set_title(f"{transfer['name']} on the line {transfer['line']}", fontsize=10, parse_math=False)
        (passed,) = axes.plot([], [], ".", color=_PASSED, ms=4, label="delivered")
        (dropped,) = axes.plot([], [], "x", color=_DROPPED, ms=5, label="dropped by the box")
        axes.legend(loc="upper left", fontsize=9, frameon=False)
        figure.tight_layout()

        def show(frame: int) -> tuple[object, ...]:
            shown = sent.times_s <= last_s * (frame + 1) / _FRAMES
            for line, chosen in ((passed, shown & ~sent.dropped), (dropped, shown & sent.dropped)):
                line.set_data(sent.times_s[chosen], sent.sequence[chosen] / 1000)
            return passed, dropped

        moving = FuncAnimation(figure, show, frames=_FRAMES)  # type: ignore[arg-type]
        try:
            moving.save(file, writer=PillowWriter(fps=_FRAMES_PER_S), dpi=_DPI)
        except OSError as error:
            raise RecordError(f"cannot write {file}: {error.strerror}") from error
        finally:
            plt.close(figure)
