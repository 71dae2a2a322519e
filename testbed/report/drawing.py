"""How figures look, and how they become files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("Agg")  # before pyplot: no screen is needed

import matplotlib.pyplot as plt

from testbed.records.files import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

__all__ = ["STYLE", "plt", "save"]

STYLE: dict[RcKeyType, object] = {
    "figure.dpi": 110, "savefig.dpi": 150, "font.size": 9, "axes.grid": True, "grid.alpha": 0.3,
    "axes.spines.top": False, "axes.spines.right": False,
    "svg.hashsalt": "throttling-testbed",  # ids in an SVG are random without it, and no two pages of a run alike
}  # fmt: skip


def save(figure: Figure, folder: Path, name: str) -> str:
    """Write a figure as SVG and PNG, and close it; return the name of the SVG."""
    with replacing(folder / f"{name}.png") as file:
        figure.savefig(file, format="png", bbox_inches="tight")
    with replacing(folder / f"{name}.svg") as file:
        figure.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)  # pyplot keeps every figure until then
    return f"{name}.svg"
