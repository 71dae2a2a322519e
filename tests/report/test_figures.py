"""Figures are drawn from what a run has, and a run that lacks something has fewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.report.figures import write_figures
from tests.records.build import BOX, frame, transfer, write_capture, write_run

if TYPE_CHECKING:
    from pathlib import Path

CONTROL = transfer(id="mobile/02", role="control", throttled=False)


def drawn(folder: Path, transfers: list[Any], *, with_capture: bool = True) -> list[str]:
    run = write_run(folder / "run")
    if with_capture:
        frames = [frame(1, 2.0, down=True, seq=500, ip_id=6), frame(2, 2.5, down=True, seq=1500, ip_id=7)]
        write_capture(run.path / "captures" / f"{BOX}-outside.pcapng", frames)
    (folder / "out").mkdir()
    return list(write_figures(run, transfers, folder / "out").values())


@pytest.mark.parametrize(
    ("transfers", "names"),
    [
        ([transfer(), CONTROL], ["throughput.svg", "sequence-mobile-download.svg"]),
        ([transfer()], ["throughput.svg", "sequence-mobile-download.svg"]),
        ([CONTROL], ["throughput.svg"]),
        ([transfer(ok=False)], []),
        ([transfer(kind="fetch")], []),
        ([], []),
    ],
)
def test_replays_that_went_well_are_drawn(tmp_path: Path, transfers: list[Any], names: list[str]) -> None:
    assert drawn(tmp_path, transfers) == names
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == {name.replace(".svg", suffix) for name in names for suffix in (".svg", ".png")}


def test_without_captures_there_is_no_sequence_plot(tmp_path: Path) -> None:
    assert drawn(tmp_path, [transfer()], with_capture=False) == ["throughput.svg"]


@pytest.mark.parametrize("line", ["$\\frac$", "../up", "a b/c", "$x^{"])
def test_any_name_of_a_line_can_be_drawn(tmp_path: Path, line: str) -> None:
    for name in drawn(tmp_path, [transfer(line=line)]):
        assert (tmp_path / "out" / name).is_file()
