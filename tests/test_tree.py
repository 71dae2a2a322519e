"""How the tree is laid out: a test file for every module, short modules, names that tell, and few ways around a check.

The limits are measured over all of `testbed/`. They may be tightened, and so may the list of exceptions be shortened.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE, TESTS = ROOT / "testbed", ROOT / "tests"
MODULES = sorted(path.relative_to(CODE) for path in CODE.rglob("*.py") if path.name != "__init__.py")

LONGEST_MODULE = 400  # lines
MOST_ROOMS = 3  # in which a file of one name may lie
MOST_WITHOUT_A_TEST_FILE = 31
# per thousand lines
MOST_ANY = 2.0
MOST_NOQA = 1.5
LEAST_COMMENTS = 28.0

_TYPES = "declares types and nothing else; what writes and what reads them is checked against it by mypy"
_ROWS = "holds rows that are published; tests/conformance/test_published_rows.py tries every one"
_RUN = "a step of making a run; tests/engine/test_run.py makes some, and looks at what each step left"
_GUEST = "runs in a guest, or holds one; tests/engine starts guests that need it"
_LIVE = "needs a kernel with a packet queue; tests/engine/test_live_box.py starts one"
WITHOUT_A_TEST_FILE: dict[str, str] = {
    "cli/__main__.py": "three lines that call the command line, for python -m",
    "conformance/censors.py": _ROWS,
    "conformance/domains.py": _ROWS,
    "conformance/evasion.py": _ROWS,
    "conformance/live_bench.py": "needs a live box: tests/engine/test_live_box.py",
    "conformance/policing.py": _ROWS,
    "conformance/state.py": _ROWS,
    "conformance/three_way.py": "needs a live box: tests/engine/test_live_box.py",
    "conformance/trigger.py": _ROWS,
    "engine/judge/captured.py": _RUN,
    "engine/judge/compare_runs.py": "compares runs: tests/engine/test_reproducible.py makes two",
    "engine/judge/fingerprint.py": _RUN,
    "engine/kernel/__main__.py": "a few lines that call the build, for python -m",
    "engine/prepare/openssl.py": _RUN,
    "engine/uml/keyboard.py": "needs a terminal on both sides: tests/engine/test_terminal.py has one",
    "guest/boxes.py": _GUEST,
    "guest/commands.py": _GUEST,
    "guest/file_view.py": _GUEST,
    "guest/phases.py": _GUEST,
    "guest/servers.py": _GUEST,
    "middlebox/adapters/dataplane.py": _LIVE,
    "middlebox/recognise/result.py": _TYPES,
    "probing/check.py": "compares what a probe found: tests/probing/test_probe.py runs each probe",
    "records/certificate.py": _TYPES,
    "records/manifest.py": _TYPES,
    "records/probes.py": _TYPES,
    "records/truth.py": _TYPES,
    "records/verdicts.py": _TYPES,
}


def _test_file(module: Path) -> Path:
    return TESTS / module.parent / f"test_{module.name}"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_has_its_test_file_or_stands_on_the_list(module: Path) -> None:
    if _test_file(module).exists():
        return
    assert str(module) in WITHOUT_A_TEST_FILE, f"write {_test_file(module).relative_to(ROOT)}"


@pytest.mark.parametrize("module", WITHOUT_A_TEST_FILE)
def test_what_stands_on_the_list_is_there_has_no_test_file_and_a_reason(module: str) -> None:
    """The list only shrinks: who writes the test file, or removes the module, takes it off."""
    assert (CODE / module).exists(), "the module is gone: take it off the list"
    assert not _test_file(Path(module)).exists(), "the module has its test file: take it off the list"
    assert len(WITHOUT_A_TEST_FILE[module].split()) > 3


def test_the_list_does_not_grow() -> None:
    assert len(WITHOUT_A_TEST_FILE) <= MOST_WITHOUT_A_TEST_FILE


def test_no_module_is_long() -> None:
    lines = {str(module): len((CODE / module).read_text().splitlines()) for module in MODULES}
    assert {module: count for module, count in lines.items() if count > LONGEST_MODULE} == {}


def test_a_file_name_tells_modules_apart() -> None:
    names = Counter(module.name for module in MODULES)
    assert {name: count for name, count in names.items() if count > MOST_ROOMS} == {}


class Counts(NamedTuple):
    """Of all of the code, per thousand lines."""

    any_: float
    noqa: float
    comments: float


# what a tool is told, and no reader
_DIRECTIVE = re.compile(r"#\s*(noqa|ruff:|fmt:|type:|pragma:)")


@cache
def counted() -> Counts:
    lines = any_ = noqa = comments = 0
    for path in CODE.rglob("*.py"):
        text = path.read_text()
        lines += len(text.splitlines())
        commented = set()
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            any_ += token.type == tokenize.NAME and token.string == "Any"
            if token.type == tokenize.COMMENT:
                noqa += "noqa" in token.string
                if not _DIRECTIVE.match(token.string):
                    commented.add(token.start[0])
        comments += len(commented)
    return Counts(*(1000 * count / lines for count in (any_, noqa, comments)))


def test_few_values_may_be_anything() -> None:
    assert counted().any_ <= MOST_ANY


def test_few_checks_are_switched_off() -> None:
    assert counted().noqa <= MOST_NOQA


def test_comments_say_why_where_code_cannot() -> None:
    assert counted().comments >= LEAST_COMMENTS
