from __future__ import annotations

import codecs
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.plain_text import choices, html_text, in_fewer_characters, one_line, printable, printable_bytes

ANY = st.text(st.characters(exclude_categories=()))  # halves of surrogate pairs, too


@given(ANY)
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    shown = printable(text)
    left = {letter for letter in shown if unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"}}
    assert left <= {"\n", "\t"}
    assert not {letter for letter in one_line(text) if unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"}}
    shown.encode()


@given(ANY)
def test_any_text_can_be_said_in_ascii(text: str) -> None:
    codecs.register_error("in-ascii", in_fewer_characters)
    assert text.encode("ascii", "in-ascii").isascii()


def test_characters_of_ours_have_a_likeness_in_ascii_and_others_are_escaped() -> None:
    codecs.register_error("in-ascii", in_fewer_characters)
    assert "── 2–3 → §4 …".encode("ascii", "in-ascii") == b"-- 2-3 -> section 4 ..."
    assert "ü".encode("ascii", "in-ascii") == b"\\xfc"


@given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))))
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert printable(text) == one_line(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("a\rb", r"a\rb"),
        ("\x9b31m", r"\x9b31m"),
        ("txt.\u202egnp", r"txt.\u202egnp"),
        ("a\u2028b", r"a\u2028b"),
        ("\ud800", r"\ud800"),
        ("Zürich 東京", "Zürich 東京"),
    ],
)
def test_a_control_character_is_named(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_line_stays_a_line() -> None:
    assert one_line("a\nb\tc") == r"a\nb\tc"
    assert printable("a\nb\tc") == "a\nb\tc"


@given(ANY)
def test_a_page_gets_no_markup(text: str) -> None:
    shown = html_text(text)
    assert "<" not in shown
    assert '"' not in shown


@given(st.binary())
def test_output_of_programs_keeps_its_lines_and_loses_its_controls(data: bytes) -> None:
    shown = printable_bytes(data)
    assert not set(shown) & (set(range(32)) - {9, 10, 13} | {127})
    assert shown.count(b"\n") == data.count(b"\n")


@pytest.mark.parametrize(("name", "known", "said"), [
    ("smok", ["core", "full", "smoke"], "did you mean smoke? There are: core, full, smoke"),
    ("2021-3-10", ["history/2021-03-10", "pairs"], "did you mean history/2021-03-10? There are: "),
    ("RU-TW-2021A", ["ru-tw-2021a", "x"], "did you mean ru-tw-2021a? There are: "),
    ("nosuch", ["core", "full"], "there are: core, full"),
    ("", ["core"], "there are: core"),
    ("x", [], "there are: "),
    ("policd", [*(f"a/{number}" for number in range(50)), "b/policed"], "did you mean b/policed?"),
    ("nosuch", [*(f"a/{number}" for number in range(50)), "b/1", "c"], "there are: a/… (50), b/… (1), c"),
])  # fmt: skip
def test_what_may_have_been_meant_is_said_before_what_there_is(name: str, known: list[str], said: str) -> None:
    assert choices(name, known).startswith(said)
