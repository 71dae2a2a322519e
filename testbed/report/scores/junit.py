"""Verdicts as JUnit XML, for the pages on which CI systems show tests. One suite a detector, one case a line.

The dialect is xunit2: what https://github.com/jenkinsci/xunit-plugin (``junit-10.xsd``) allows, and nothing else, so
that Jenkins, GitLab, Gitea and GitHub's readers take it. It holds no times, so the same verdicts give the same bytes.

Not for: whether a build fails. That is the exit status's; detectors that were published are wrong here and there.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from xml.etree import ElementTree as ET

from testbed.detectors.verdict import Outcome
from testbed.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from testbed.validation.scoring.gates import GateResult
    from testbed.validation.scoring.scores import Scored

__all__ = ["GATES", "RUNS", "Case", "Trouble", "cases_of", "gate_cases", "junit"]

GATES: Final = "gates"
"""The suite of what a project asks of its detectors: the one whose failures fail the command."""

RUNS: Final = "runs"
"""The suite of runs that are missing or must not be scored: no detector was asked about them."""

_UNHEARD_OF: Final = re.compile("[\ufffe\uffff]")  # characters that XML 1.0 has no place for, beside controls
_RIGHT: Final = {"throttled": Outcome.THROTTLED, "not throttled": Outcome.NOT_THROTTLED}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a case did not pass.

    Attributes:
        kind: ``failure``: the verdict was wrong; ``skipped``: there was doubt; ``error``: nothing was said.
        name: In a word or two, such as "false alarm".
        message: A sentence.
    """

    kind: Literal["failure", "error", "skipped"]
    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the report.

    Attributes:
        suite: The detector that was asked.
        group: Part and condition, which readers show as a class.
        name: The cell, and the line where a cell has several.
        trouble: None: it passed.
    """

    suite: str
    group: str
    name: str
    trouble: Trouble | None = None


def cases_of(judged: Iterable[Scored], lost: Iterable[tuple[str, str]]) -> list[Case]:
    """Return a case for each verdict, and one for each run of which there is none.

    Args:
        judged: Verdicts with their labels.
        lost: The id of each cell that is missing or must not be scored, with the reason.
    """
    judged = list(judged)
    lines: dict[str, set[str]] = {}
    for each in judged:
        lines.setdefault(each.cell, set()).add(each.line)
    cases = []
    for each in judged:
        name = each.cell if len(lines[each.cell]) == 1 else f"{each.cell} {each.line}"
        cases.append(Case(each.detector, f"{each.part}.{each.condition}", name, _trouble(each)))
    cases += [Case(RUNS, "runs", cell, Trouble("error", "not scored", why)) for cell, why in lost]
    return cases


def gate_cases(results: Iterable[GateResult]) -> list[Case]:
    """Return a case for each gate. One that is only advice is skipped where it was not passed."""
    return [Case(GATES, "blocking" if each.blocking else "advisory", each.name, _not_passed(each)) for each in results]


def _not_passed(each: GateResult) -> Trouble | None:
    if each.passed:
        return None
    kind: Literal["failure", "error"] = "error" if each.passed is None else "failure"
    name = "nothing to look at" if each.passed is None else "not passed"
    return Trouble(kind if each.blocking else "skipped", name, each.found or name)


def _trouble(each: Scored) -> Trouble | None:
    more = f"testbed validate … --explain {each.cell} says why"
    if each.failed:
        return Trouble("error", "failed", f"the detector broke on it; {more}")
    if each.outcome == _RIGHT.get(each.label):
        return None
    if each.outcome == Outcome.INCONCLUSIVE:
        return Trouble("skipped", "in doubt", f"inconclusive; the line is {each.label}; {more}")
    name = "missed" if each.label == "throttled" else "false alarm"
    return Trouble("failure", name, f"called {each.outcome}; the line is {each.label}; {more}")


def junit(title: str, cases: Sequence[Case]) -> str:
    """Return cases as the text of an XML file.

    Args:
        title: Of all of it.
        cases: Those of one suite need not follow each other.
    """
    root = ET.Element("testsuites", _counts(title, cases))
    root.attrib.pop("skipped")  # which only a suite has
    for suite in dict.fromkeys(case.suite for case in cases):
        own = [case for case in cases if case.suite == suite]
        element = ET.SubElement(root, "testsuite", _counts(suite, own))
        for case in own:
            found = ET.SubElement(element, "testcase", name=_text(case.name), classname=_text(case.group))
            if case.trouble is not None:
                trouble = case.trouble
                ET.SubElement(found, trouble.kind, type=_text(trouble.name), message=_text(trouble.message))
    ET.indent(root)  # people look at it, too, when a CI system does not take it
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _counts(name: str, cases: Sequence[Case]) -> dict[str, str]:
    kinds = Counter("" if case.trouble is None else case.trouble.kind for case in cases)
    return {
        "name": _text(name), "tests": str(len(cases)), "failures": str(kinds["failure"]),
        "errors": str(kinds["error"]), "skipped": str(kinds["skipped"]),
    }  # fmt: skip


def _text(text: str) -> str:
    """Names and reasons come from programs of others, and XML has no way to write a control character."""
    return _UNHEARD_OF.sub(lambda found: f"\\u{ord(found.group()):04x}", one_line(text))
