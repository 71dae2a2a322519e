"""Tables fit a terminal, and say the same."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.cli.fitting import fitted
from testbed.cli.progress import show
from testbed.report.show import show as described
from testbed.report.table import format_table

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROWS = (("rate", "140 kbit/s", "stated in the paper, and seen by others on the same day"), ("burst", "1 kB", "ours"))
_FITTED = """\
key         value  source
─────  ──────────  ─────────────────────
rate   140 kbit/s  stated in the paper,
                   and seen by others on
                   the same day
burst        1 kB  ours"""


def table(rows: Sequence[Sequence[str]]) -> str:
    return format_table(("key", "value", "source"), rows, right=frozenset({1}))


def test_cells_of_the_widest_columns_go_on_below() -> None:
    assert fitted(table(_ROWS), 40) == _FITTED


def test_what_fits_and_what_is_no_table_stay_as_they_are() -> None:
    before, after = "a long line " * 20, "another " * 30
    text = f"{before}\n\n{table(_ROWS)}\n\n{after}"
    assert fitted(text, 100) == text
    assert fitted(text, 40) == f"{before}\n\n{_FITTED}\n\n{after}"


def test_a_line_across_the_columns_stays_as_it_is() -> None:
    across = "a sentence that stands across all of the columns of the table, between two rows"
    assert across in fitted(f"{table(_ROWS)}\n{across}", 40).splitlines()


def test_a_last_column_without_room_stands_below_its_row() -> None:
    assert fitted(table(_ROWS), 36).splitlines() == [
        "key         value",
        "    source",
        "─────  ──────────",
        "rate   140 kbit/s",
        "    stated in the paper, and seen by",
        "    others on the same day",
        "burst        1 kB",
        "    ours",
    ]


def test_where_rows_are_in_groups_it_stands_right_of_the_group() -> None:
    grouped = [("mobile", "1 s", "THROTTLED by twitter.com"), ("", "2 s", "THROTTLED by t.co")]
    assert fitted(table(grouped), 32).splitlines()[3:] == [
        "mobile    1 s",
        "          THROTTLED by",
        "          twitter.com",
        "          2 s",
        "          THROTTLED by t.co",
    ]


def test_a_terminal_too_small_for_columns_breaks_lines_itself() -> None:
    assert fitted(table(_ROWS), 12) == table(_ROWS)


@pytest.mark.parametrize("name", ["ru-tw-2021a", "chain", "ru-tw-2021"])
def test_what_is_shown_of_packaged_things_fits_eighty_columns(name: str) -> None:
    text = fitted(described(name), 80)
    start = next(at for at, line in enumerate(text.splitlines()) if line.startswith("──"))
    rows = text.splitlines()[start:]
    until = rows.index("") if "" in rows else len(rows)
    assert until > 4
    assert max(map(len, rows[:until])) <= 80


_WORDS = st.lists(st.text("abcxyz0189", min_size=1, max_size=7), min_size=1, max_size=9).map(" ".join)


@given(st.lists(st.tuples(_WORDS, _WORDS, _WORDS), min_size=1, max_size=5), st.integers(30, 90))
def test_no_word_is_lost_and_no_line_is_too_long(rows: list[tuple[str, str, str]], width: int) -> None:
    shown = fitted(table(rows), width)
    assert sorted(shown.replace("─", "").split()) == sorted(table(rows).replace("─", "").split())
    assert max(map(len, shown.splitlines())) <= width


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "shown"), [(Terminal(), _FITTED), (io.StringIO(), table(_ROWS))])
def test_only_a_terminal_gets_fitted_tables(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, shown: str) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    show(table(_ROWS), file=stream)
    assert stream.getvalue() == shown + "\n"
