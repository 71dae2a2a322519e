"""Programs as detectors: what they are given, and what becomes of them."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import tracemalloc
from pathlib import Path

import pytest

from testbed.detectors.observation import Observation
from testbed.detectors.program import ExecDetector
from testbed.detectors.registry import load_detector
from testbed.detectors.verdict import Outcome
from testbed.errors import InputError, MissingError
from tests.detectors.build import pair

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"


PROGRAM = f"exec:{sys.executable} {HOW_TO / 'steady_detector.py'}"


def test_the_example_program_judges_an_observation() -> None:
    detector = load_detector(PROGRAM)
    outcomes = [detector.detect(given).outcome for given in (pair(140e3, 2e6), pair(2e6, 2e6), Observation(source="x"))]
    assert outcomes == [Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE]
    assert detector.detect(pair(140e3, 2e6)).detector == PROGRAM


def script(path: Path, body: str) -> str:
    program = path / "program.py"
    program.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ("sys.exit('no luck')", InputError, "ended with status 1: no luck"),
        ("sys.exit(3)", InputError, "status 3: it said nothing"),
        ("print('yes')", InputError, "not JSON"),
        ('print(\'{"outcome": "throttled"}\')', InputError, "why is None"),
        ('print(\'{"outcome": "throttled", "why": "x", "score": NaN}\')', InputError, "NaN is not JSON"),
        ("pass", InputError, "not JSON"),
    ],
)
def test_a_program_that_gives_no_verdict_is_an_error_that_quotes_it(
    tmp_path: Path, body: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ExecDetector(script(tmp_path, body)).detect(pair(1e6, 1e6))


def test_a_program_that_hangs_is_stopped(tmp_path: Path) -> None:
    detector = ExecDetector(script(tmp_path, "import time; time.sleep(60)"), timeout_s=0.2)
    with pytest.raises(InputError, match=r"no verdict after 0\.2 s"):
        detector.detect(pair(1e6, 1e6))


def test_a_program_that_does_not_read_its_input_may_still_answer(tmp_path: Path) -> None:
    body = 'print(\'{"outcome": "inconclusive", "why": "lazy", "detector": "mine"}\')'
    verdict = ExecDetector(script(tmp_path, body)).detect(pair(20e6, 20e6))
    assert (verdict.detector, verdict.why) == ("mine", "lazy")


@pytest.mark.parametrize("command", ["./absent-program", "/etc/hostname"])
def test_a_program_that_cannot_be_started_is_missing(command: str) -> None:
    with pytest.raises(MissingError, match="cannot be started"):
        load_detector(f"exec:{command}").detect(pair(1e6, 1e6))


@pytest.mark.parametrize("command", ["", "  ", "'open"])
def test_a_command_that_is_none_is_refused(command: str) -> None:
    with pytest.raises(InputError, match="exec:"):
        load_detector(f"exec:{command}")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("while True: sys.stdout.write('x' * 100_000)", "wrote more than"),
        ("sys.stderr.write('y' * (64 << 20)); sys.exit('last words')", "status 1: .*last words"),
    ],
)
def test_output_without_end_takes_no_memory(tmp_path: Path, body: str, message: str) -> None:
    tracemalloc.start()
    with pytest.raises(InputError, match=message):
        ExecDetector(script(tmp_path, body)).detect(pair(1e6, 1e6))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 << 20


def test_a_grandchild_that_keeps_the_pipes_is_not_waited_for_and_ended(tmp_path: Path) -> None:
    left = tmp_path / "grandchild"
    body = (
        "import subprocess\n"
        f"child = subprocess.Popen(['sleep', '1000'])\nopen({str(left)!r}, 'w').write(str(child.pid))\n"
        'print(\'{"outcome": "inconclusive", "why": "gone already"}\')'
    )
    verdict = ExecDetector(script(tmp_path, body), timeout_s=60).detect(pair(1e6, 1e6))
    assert verdict.why == "gone already"
    with contextlib.suppress(ProcessLookupError):  # it is over and gone
        grandchild = os.pidfd_open(int(left.read_text()))
        assert select.select([grandchild], [], [], 60)[0]
        os.close(grandchild)


@pytest.mark.parametrize("field", ["rate_bps", "burst_bytes", "onset_s"])
def test_a_negative_rate_is_refused(tmp_path: Path, field: str) -> None:
    body = f'print(\'{{"outcome": "throttled", "why": "x", "{field}": -1}}\')'
    with pytest.raises(InputError, match=f"{field} is -1.0, below 0"):
        ExecDetector(script(tmp_path, body)).detect(pair(1e6, 1e6))
