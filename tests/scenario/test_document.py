"""A YAML document knows the line of every value, and refuses what it cannot place."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import ScenarioError
from testbed.scenario.document import Document, Key

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
# a comment
title: first
network:
  topology: russia2021
  parameters:
    hops: 6
lines:
  - name: mobile
    tspu: true
  - {name: landline,
     tspu: false}
"""


def document() -> Document:
    return Document.parse("a.yaml", TEXT)


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ((), 2),
        (("title",), 2),
        (("network", "topology"), 4),
        (("network", "parameters", "hops"), 6),
        (("lines",), 7),
        (("lines", 0), 8),
        (("lines", 0, "tspu"), 9),
        (("lines", 1, "name"), 10),
        (("lines", 1, "tspu"), 11),
    ],
)
def test_every_value_has_its_line(key: Key, line: int) -> None:
    assert document().place(key) == f"a.yaml:{line}"


@pytest.mark.parametrize(
    ("key", "line"), [(("lines", 0, "kind"), 8), (("lines", 5), 7), (("network", "links", "x"), 3), (("date",), 2)]
)
def test_what_is_not_there_has_the_line_of_what_is_around_it(key: Key, line: int) -> None:
    assert document().place(key) == f"a.yaml:{line}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "a.yaml:1: expected a mapping"),
        ("- a\n- b\n", "a.yaml:1: expected a mapping"),
        ("just words", "a.yaml:1: expected a mapping"),
        ("a: 1\nb: [1,\n", "a.yaml:3: not YAML: "),
        ("a: 1\n\tb: 2\n", "a.yaml:2: not YAML: found character '\\t'"),
        ("a: 1\nb: 2\na: 3\n", "a.yaml:3: the key 'a' stands twice"),
        ("b:\n  c: 1\n  c: 2\n", "a.yaml:3: the key 'c' stands twice"),
        ("a: &x [1]\nb: *x\n", "a.yaml:2: not YAML: an alias (*name) is not supported here; write the value out"),
        ("a: &x {b: *x}\n", "a.yaml:1: not YAML: an alias"),
        ("a: 1\ndate: 2021-13-45\n", "a.yaml:2: not YAML: '2021-13-45' is no timestamp: month must be in 1..12"),
        ("a: 0b_\n", "a.yaml:1: not YAML: '0b_' is no int"),
        ("a: !!int ''\n", "a.yaml:1: not YAML: '' is no int"),
        ("a: !!bool maybe\n", "a.yaml:1: not YAML: 'maybe' is no bool"),
        ("a: !!timestamp today\n", "a.yaml:1: not YAML: 'today' is no timestamp"),
        ("a: !!python/name:os.system x\n", "a.yaml:1: not YAML: could not determine a constructor"),
        ("a: 1\n---\nb: 2\n", "a.yaml:2: not YAML: "),
        ("a: " + "[" * 5_000, "a.yaml: nested too deeply"),
    ],
)
def test_what_is_no_scenario_is_refused_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(problem)):
        Document.parse("a.yaml", text)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ScenarioError, match="not YAML: unacceptable character #x00ff at offset"):
        Document.parse("a.yaml", b"title: \xff\xfe")


def test_aliases_cannot_multiply() -> None:
    levels = "".join(f"l{number}: &l{number} [{f'*l{number - 1}, ' * 9}]\n" for number in range(1, 30))
    with pytest.raises(ScenarioError, match="an alias"):
        Document.parse("a.yaml", "l0: &l0 x\n" + levels)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("absent.yaml", None, "cannot read .*absent.yaml: No such file or directory"),
        ("huge.yaml", "#" * (1 << 20) + "\na: 1", "huge.yaml has 1048581 bytes; at most 1048576 are read"),
        ("wrong.yaml", "a: 1\na: 2", r"wrong.yaml:2: the key 'a' stands twice"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, name: str, content: str | None, problem: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ScenarioError, match=problem):
        Document.load(tmp_path / name)


@given(st.one_of(st.text(max_size=60), st.binary(max_size=60)))
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    with contextlib.suppress(ScenarioError):
        assert isinstance(Document.parse("a.yaml", text).data, dict)


WORDS = [
    "a",
    "!!int",
    "!!float",
    "&x",
    "*x",
    "? ",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "2021-02-30",
    "0x_",
    "<<",
    "=",
    "\n",
]


@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_any_row_of_yaml_words_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ScenarioError):
        assert isinstance(Document.parse("a.yaml", text).data, dict)


# --set


@pytest.mark.parametrize(
    ("assignment", "key", "value"),
    [
        ("title=second", ("title",), "second"),
        ("title=a=b", ("title",), "a=b"),
        ("title=", ("title",), None),
        ("network.parameters.hops=9", ("network", "parameters", "hops"), 9),
        ("lines.1.name=mobile", ("lines", 1, "name"), "mobile"),
        ("lines.0={name: other, tspu: false}", ("lines", 0), {"name": "other", "tspu": False}),
        ("meter=coarse_refill", ("meter",), "coarse_refill"),
        ("censors.tspu=ru-tw-2021a", ("censors", "tspu"), "ru-tw-2021a"),
        ("captures=[]", ("captures",), []),
    ],
)
def test_set_changes_one_value_and_its_place(assignment: str, key: Key, value: object) -> None:
    changed = document()
    changed.set(assignment)
    found: Any = changed.data
    for step in key:
        found = found[step]
    assert found == value
    assert changed.place(key) == f"--set {assignment}"


def test_set_leaves_all_else_alone() -> None:
    changed, before = document(), document()
    changed.set("lines.1.name=other")
    changed.data["lines"][1]["name"] = "landline"
    assert changed.data == before.data
    assert changed.place(("lines", 1, "tspu")) == "a.yaml:11"


def test_errors_inside_a_replaced_value_are_placed_at_its_set_and_not_at_the_old_line() -> None:
    changed = document()
    changed.set("lines=[{name: x}]")
    assert changed.place(("lines", 0, "name")) == "--set lines=[{name: x}]"


def test_mappings_on_the_way_are_made_and_placed() -> None:
    changed = document()
    changed.set("censors.tspu.deep=1")
    assert changed.data["censors"] == {"tspu": {"deep": 1}}
    assert changed.place(("censors",)) == "--set censors.tspu.deep=1"


@pytest.mark.parametrize(
    ("assignment", "problem"),
    [
        ("title", "expected key=value, as in date=2021-03-11T09:00Z"),
        ("=x", "expected key=value"),
        ("ti tle=x", "expected key=value"),
        ("title=[", "not YAML: expected the node content"),
        ("date=2021-13-45", "'2021-13-45' is no timestamp"),
        ("title=&x [*x]", "an alias"),
        ("title=" + "[" * 5_000, "nested too deeply"),
        ("lines.2.name=x", "'2' does not lead anywhere in a list of 2"),
        ("lines.first.name=x", "'first' does not lead anywhere in a list of 2"),
        ("lines.-1.name=x", "'-1' does not lead anywhere in a list of 2"),
        ("title.x=1", "'x' does not lead anywhere in the value 'first'"),
        ("title.x.y=1", "'x' does not lead anywhere in the value 'first'"),
    ],
)
def test_a_set_that_cannot_be_carried_out_is_refused(assignment: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(problem)) as refusal:
        document().set(assignment)
    assert str(refusal.value).startswith(f"--set {assignment!r}")


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=40))
def test_any_set_is_carried_out_or_refused(assignment: str) -> None:
    changed = document()
    with contextlib.suppress(ScenarioError):
        changed.set(assignment)
        assert f"--set {assignment}" in changed.places.values()
