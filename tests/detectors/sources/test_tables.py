from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.detectors.sources.observe import observe
from testbed.detectors.sources.tables import speeds_from_csv
from testbed.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_plain_table_is_read_with_its_units(tmp_path: Path) -> None:
    path = tmp_path / "speeds.csv"
    path.write_text(
        "time,target_kbps,control_mbps,group\n"
        "2021-03-10T00:00:00,110,5,AS1\n"
        "1615334400,120.5,6,AS2\n"
        "2021-03-10,,6,AS2\n"
        "2021-03-10,-3,6,AS2\n"
        "2021-03-10,nan,6,AS2\n"
        "never,3,6,AS2\n"
    )
    table, remarks = speeds_from_csv([path])
    assert table.times_s.tolist() == [1615334400.0, 1615334400.0]
    assert table.target_bps.tolist() == [110e3, 120.5e3]
    assert table.controls_bps["control"].tolist() == [5e6, 6e6]
    assert table.group.tolist() == ["AS1", "AS2"]
    assert remarks[0].startswith("4 rows left out: speeds.csv line 4")


@pytest.mark.parametrize(
    ("content", "message"),
    [("a,b\n1,2\n", "expected columns time and target_bps"), ("", "expected columns"), ("\x80\x81", "cannot be read")],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=message):
        observe([path])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1614556800", 1614556800.0),
        ("1614556800.5", 1614556800.5),
        ("1614556800000", 1614556800.0),
        ("1614556800000000", 1614556800.0),
        ("1614556800000000000", 1614556800.0),
        ("20210301", 1614556800.0),
        ("202103010600", 1614578400.0),
        ("20210301060000", 1614578400.0),
        ("2021-03-01T06:00:00Z", 1614578400.0),
        ("2021-03-01 06:00:00 UTC", 1614578400.0),
    ],
)
def test_times_are_read_in_every_form(tmp_path: Path, text: str, seconds: float) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"time,target_bps\n{text},5\n")
    speeds, _ = speeds_from_csv([path])
    assert speeds.times_s.tolist() == [seconds]


@pytest.mark.parametrize("text", ["202103", "2021", "1e30", "01.03.2021", "1_614_556_800", "inf", ""])
def test_a_time_that_could_be_anything_is_left_out_and_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"time,target_bps\n{text},5\n1614556800,5\n")
    speeds, notes = speeds_from_csv([path])
    assert len(speeds) == 1
    assert any("a.csv line 2" in note for note in notes)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("time,target_kbps,target_kbps", "'target_kbps' is there 2 times"),
        ("time,target_kbps, target_kbps", "'target_kbps' is there 2 times"),
        ("time,time,target_kbps", "'time' is there 2 times"),
        ("time,target_kbps,target_mbps", "are one series"),
        ("time,target_kbps,control_bps,control_kbps", "are one series"),
    ],
)
def test_a_column_that_is_there_twice_is_refused(tmp_path: Path, header: str, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(header + "\n" + ",".join("1" * (header.count(",") + 1)) + "\n")
    with pytest.raises(InputError, match=said):
        observe([path])


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas_are_read_where_commas_divide_nothing(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(delimiter.join(("time", "target_mbps")) + "\n" + delimiter.join(("1614556800", "8,637")) + "\n")
    speeds, _ = speeds_from_csv([path])
    assert speeds.target_bps.tolist() == [8_637_000]


@pytest.mark.parametrize("cells", ['1,"8,637"', "1,8,637", '1,"1,234.5"', "1", "1,-5", "1,nan", "1,5 000"])
def test_a_row_that_cannot_be_read_is_left_out_with_its_line(tmp_path: Path, cells: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"time,target_mbps\n1614556800,5\n{cells}\n")
    speeds, (note,) = speeds_from_csv([path])
    assert len(speeds) == 1
    assert "1 rows left out: a.csv line 3: " in note
    path.write_text("time,target_mbps\n" + f"{cells}\n" * 80)
    with pytest.raises(InputError, match=r"no row can be used: 80 rows left out: .*lines 2-81"):
        observe([path])


cells = st.one_of(
    st.text(max_size=12), st.integers(-5, 10**22).map(str), st.floats().map(str), st.sampled_from(["2021-03-10", "1,5"])
)


@given(
    header=st.lists(st.sampled_from(["time", "target_bps", "target_mbps", "control_kbps", "group", "x"]), max_size=5),
    rows=st.lists(st.lists(cells, max_size=5), max_size=5),
    delimiter=st.sampled_from([",", ";", "\t"]),
)
def test_any_table_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, header: list[str], rows: list[list[str]], delimiter: str
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    lines = [delimiter.join(line) for line in (header, *rows)]
    path.write_text("\n".join(lines), encoding="utf-8", errors="surrogateescape")
    with contextlib.suppress(InputError):
        speeds, _ = speeds_from_csv([path])
        assert len(speeds) <= len(rows) + sum("\n" in cell or "\r" in cell for row in rows for cell in row)
