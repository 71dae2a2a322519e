"""JUnit: what is failed, what is an error, and that every file is one that the schema of xunit2 allows."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.report.scores.junit import GATES, RUNS, Case, Trouble, cases_of, gate_cases, junit
from testbed.validation.scoring.gates import GateResult
from tests.validation.cells import scored as made

if TYPE_CHECKING:
    from testbed.records.label import Label
    from testbed.validation.scoring.scores import Scored

# junit-10.xsd of Jenkins's xunit plugin, as far as it is used: attributes (those in upper case are mandatory), children
RULES: dict[str, tuple[set[str], set[str]]] = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {
            "NAME", "TESTS", "FAILURES", "ERRORS", "group", "time", "skipped", "timestamp", "hostname", "id", "package",
            "file", "log", "url",
        },
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"NAME", "time", "classname", "group"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "skipped": ({"type", "message"}, set()),
}  # fmt: skip


def breaches(element: ET.Element) -> list[str]:
    """What the schema forbids in an element and below it."""
    if element.tag not in RULES:
        return [f"no element {element.tag}"]
    attributes, children = RULES[element.tag]
    found = [f"{element.tag} has {name}" for name in element.attrib if not {name, name.upper()} & attributes]
    found += [
        f"{element.tag} lacks {name.lower()}"
        for name in attributes
        if name.isupper() and name.lower() not in element.attrib
    ]
    found += [f"{each.tag} in {element.tag}" for each in element if each.tag not in children]
    return [*found, *(problem for each in element for problem in breaches(each))]


def scored(outcome: str, label: Label = "throttled", *, detector: str = "mine", failed: bool = False) -> Scored:
    why = {"failed": "it broke"} if failed else {}
    return made("policed/1", label, outcome, detector=detector, **why)


@pytest.mark.parametrize(
    ("outcome", "label", "kind", "name"),
    [
        ("throttled", "throttled", None, None),
        ("not throttled", "not throttled", None, None),
        ("not throttled", "throttled", "failure", "missed"),
        ("throttled", "not throttled", "failure", "false alarm"),
        ("inconclusive", "throttled", "skipped", "in doubt"),
        ("inconclusive", "not throttled", "skipped", "in doubt"),
    ],
)
def test_a_verdict_passes_if_it_is_right(outcome: str, label: Label, kind: str | None, name: str | None) -> None:
    [case] = cases_of([scored(outcome, label)], [])
    assert (case.suite, case.group, case.name) == ("mine", "held_out.policed", "policed/1")
    assert (case.trouble and case.trouble.kind, case.trouble and case.trouble.name) == (kind, name)


def test_a_detector_that_breaks_and_a_run_that_is_lost_are_errors() -> None:
    cases = cases_of([scored("inconclusive", failed=True)], [("clean/1", "a clock ran late")])
    assert [(each.suite, each.trouble and each.trouble.kind) for each in cases] == [("mine", "error"), (RUNS, "error")]
    assert cases[1].trouble is not None
    assert cases[1].trouble.message == "a clock ran late"


def test_suites_are_detectors_and_count_their_own_cases() -> None:
    judged = [
        scored("throttled"), scored("not throttled", detector="other"),
        replace(scored("throttled", "not throttled"), line="mobile"),
    ]  # fmt: skip
    root = ET.fromstring(junit("Core", cases_of(judged, [("clean/1", "missing")])))
    assert breaches(root) == []
    assert root.attrib == {"name": "Core", "tests": "4", "failures": "2", "errors": "1"}
    counts = {each.attrib["name"]: {key: each.attrib[key] for key in ("tests", "failures", "errors", "skipped")}
              for each in root}  # fmt: skip
    assert counts == {
        "mine": {"tests": "2", "failures": "1", "errors": "0", "skipped": "0"},
        "other": {"tests": "1", "failures": "1", "errors": "0", "skipped": "0"},
        RUNS: {"tests": "1", "failures": "0", "errors": "1", "skipped": "0"},
    }
    # two lines of a cell are two cases, which readers tell apart by name
    assert [each.attrib["name"] for each in root[0]] == ["policed/1 line", "policed/1 mobile"]


def test_gates_are_a_suite_and_advice_fails_nothing() -> None:
    results = [
        GateResult("a", passed=True, found="0 of 9", blocking=True),
        GateResult("b", passed=False, found="3 of 9", blocking=True),
        GateResult("c", passed=None, found="", blocking=True),
        GateResult("d", passed=False, found="3 of 9", blocking=False),
        GateResult("e", passed=None, found="", blocking=False),
    ]
    root = ET.fromstring(junit("Core", gate_cases(results)))
    assert breaches(root) == []
    [gates] = root
    assert {key: gates.attrib[key] for key in ("name", "tests", "failures", "errors", "skipped")} == {
        "name": GATES, "tests": "5", "failures": "1", "errors": "1", "skipped": "2",
    }  # fmt: skip
    assert [[(each.tag, each.attrib["message"]) for each in case] for case in gates] == [
        [], [("failure", "3 of 9")], [("error", "nothing to look at")], [("skipped", "3 of 9")],
        [("skipped", "nothing to look at")],
    ]  # fmt: skip


TEXT = st.text(st.characters(codec=None), max_size=20)  # surrogates, controls and all


@given(TEXT, st.lists(st.tuples(TEXT, TEXT, TEXT, st.sampled_from(["failure", "error", "skipped", None])), max_size=5))
def test_whatever_names_and_reasons_hold_the_file_keeps_the_schema(
    title: str, rows: list[tuple[str, str, str, str | None]]
) -> None:
    cases = [
        Case(suite, "group", name, None if kind is None else Trouble(kind, "why", why))  # type: ignore[arg-type]
        for suite, name, why, kind in rows
    ]
    text = junit(title, cases)
    root = ET.fromstring(text.encode())
    assert breaches(root) == []
    assert sum(1 for _ in root.iter("testcase")) == len(cases)
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", text)


def test_the_check_of_the_schema_finds_what_is_forbidden() -> None:
    wrong = '<testsuites><testsuite name="a" tests="1" failures="0"><testcase file="b"/></testsuite></testsuites>'
    assert sorted(breaches(ET.fromstring(wrong))) == [
        "testcase has file", "testcase lacks name", "testsuite lacks errors",
    ]  # fmt: skip
