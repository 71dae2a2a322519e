"""Figures as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.report.drawing import STYLE, plt, save

if TYPE_CHECKING:
    from pathlib import Path


def test_a_figure_is_written_twice_and_closed(tmp_path: Path) -> None:
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots()
        axes.plot([0, 1])
        assert save(figure, tmp_path, "line") == "line.svg"
    assert (tmp_path / "line.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "line.svg").read_bytes()
    assert not plt.fignum_exists(figure.number)
