"""Detectors by name, programs and other packages; the examples of docs/how-to are run here."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import subprocess
import sys
import tracemalloc
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.detectors import registry
from testbed.detectors.detect import (
    DetectionRow,
    detect,
    detection_rows_json,
    format_table,
    policing_rows_json,
)
from testbed.detectors.detector import Detector
from testbed.detectors.observation import Observation, Role
from testbed.detectors.program import ExecDetector
from testbed.detectors.registry import detector_names, load_detector
from testbed.detectors.sources.observation_json import observation_to_json
from testbed.detectors.verdict import Outcome, Verdict
from testbed.errors import InputError, MissingError
from tests.detectors.build import observation, steady, transfer
from tests.detectors.sources.test_sources import connection, write

if TYPE_CHECKING:
    from collections.abc import Callable

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"
PROGRAM = f"exec:{sys.executable} {HOW_TO / 'steady_detector.py'}"


def pair(target_bps: float, control_bps: float) -> Observation:
    return observation(
        steady("t", rate_bps=target_bps, duration_s=10),
        steady("c", rate_bps=control_bps, duration_s=10, role=Role.CONTROL, started_s=20),
    )


def test_every_registered_detector_is_called_by_its_name_and_says_what_it_is() -> None:
    for name in detector_names():
        detector = load_detector(name)
        assert isinstance(detector, Detector)
        assert detector.name == name
        assert 10 < len(detector.summary) < 90


def test_every_verdict_bears_its_detectors_name() -> None:
    for name in detector_names():
        assert load_detector(name).detect(pair(140e3, 2e6)).detector == name


@pytest.mark.parametrize("name", ["", "nonesuch", "PD"])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(InputError, match="there are: pd, shaperprobe"):
        load_detector(name)


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


@pytest.fixture
def halftime(monkeypatch: pytest.MonkeyPatch) -> str:
    """Register the example package as if it were installed."""
    path = HOW_TO / "detector-package" / "halftime_detector.py"
    spec = importlib.util.spec_from_file_location("halftime_detector", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "halftime_detector", module)
    spec.loader.exec_module(module)
    register(monkeypatch, EntryPoint("halftime", "halftime_detector:HalftimeDetector", registry.ENTRY_POINTS))
    return "halftime"


def register(monkeypatch: pytest.MonkeyPatch, point: EntryPoint) -> None:
    def found(*, group: str, name: str | None = None) -> list[EntryPoint]:
        return [point] if group == registry.ENTRY_POINTS and name in (None, point.name) else []

    monkeypatch.setattr(registry, "entry_points", found)


def test_the_example_package_is_found_by_its_entry_point(halftime: str) -> None:
    assert detector_names()[-1] == halftime
    detector = load_detector(halftime)
    slowed = transfer("t", [0.01 * i for i in range(20)] + [0.2 + 0.1 * i for i in range(20)], [1448] * 40)
    outcomes = [
        detector.detect(given).outcome for given in (observation(slowed), pair(1e6, 1e6), Observation(source="x"))
    ]
    assert outcomes == [Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE]


@pytest.mark.parametrize(
    ("value", "message"),
    [("absent_module:X", "cannot be loaded"), ("json:JSONDecoder", "has no name, summary and detect")],
)
def test_a_foreign_detector_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, value: str, message: str) -> None:
    register(monkeypatch, EntryPoint("foreign", value, registry.ENTRY_POINTS))
    with pytest.raises(InputError, match=message):
        load_detector("foreign")


def row(subject: str, **fields: float | str) -> DetectionRow:
    verdict = Verdict(detector="d", outcome=Outcome.THROTTLED, why=str(fields.pop("why", "so")), **fields)  # type: ignore[arg-type]
    return DetectionRow("here", subject, verdict, notes=("two records left out",))


def test_the_table_names_a_subject_once_and_cuts_long_reasons() -> None:
    table = format_table([row("a", rate_bps=140e3), row("a"), row("b", why="x" * 200)], why_width=20).splitlines()
    assert table[0].split() == ["subject", "detector", "verdict", "kbit/s", "mechanism", "why"]
    assert table[1].split() == ["a", "d", "throttled", "140", "so"]
    assert table[2].split() == ["d", "throttled", "so"]
    assert table[3].endswith("x" * 19 + "…")


def verdict_row(subject: str, detector: str, outcome: Outcome, why: str) -> DetectionRow:
    return DetectionRow("here", subject, Verdict(detector=detector, outcome=outcome, why=why))


def test_a_detector_without_any_verdict_is_named_below_the_table_with_its_reason() -> None:
    rows = [
        verdict_row("gateway", "able", Outcome.NOT_THROTTLED, "no loss"),
        verdict_row("gateway", "unable", Outcome.INCONCLUSIVE, "no data"),
        verdict_row("twitter", "able", Outcome.THROTTLED, "bucket"),
        verdict_row("twitter", "unable", Outcome.INCONCLUSIVE, "too short"),
    ]
    above, _, below = format_table(rows).partition("inconclusive on everything:")
    assert "unable" not in above
    assert below.split() == ["unable", "too", "short"]
    assert "unable" in format_table(rows, everything=True).splitlines()[2]
    assert "inconclusive on everything" not in format_table(rows[:2])


def test_rows_become_json_with_every_field_of_the_verdict() -> None:
    (value,) = detection_rows_json([row("a", rate_bps=1.0)])
    assert json.loads(json.dumps(value)) == {
        "source": "here",
        "subject": "a",
        "detector": "d",
        "version": "1",
        "outcome": "throttled",
        "why": "so",
        "score": None,
        "rate_bps": 1.0,
        "burst_bytes": None,
        "mechanism": None,
        "content_specific": None,
        "onset_s": None,
        "details": {},
        "notes": ["two records left out"],
        "failed": False,
    }


def test_detect_runs_all_detectors_or_those_named(tmp_path: Path) -> None:
    path = tmp_path / "observation.json"
    path.write_text(observation_to_json(pair(140e3, 2e6)))
    assert [found.verdict.detector for found in detect([path])] == list(detector_names())
    (one,) = detect([path], ["crowd"])
    assert (one.subject, one.verdict.outcome) == ("all", Outcome.THROTTLED)


@pytest.mark.parametrize("ending", ["x.pcap", "x.pcap.xz.gz", "x"])
def test_pds_rows_carry_the_fields_of_the_published_table(tmp_path: Path, ending: str) -> None:
    (value,) = policing_rows_json([write(tmp_path / ending, connection(at_server=True))])
    assert list(value)[:10] == [
        "name",
        "flow",
        "segment",
        "direction",
        "packets",
        "losses",
        "policed_cutoff0",
        "result_cutoff0",
        "policed_cutoff2",
        "result_cutoff2",
    ]
    assert (value["name"], value["direction"], value["packets"]) == ("x", "b2a", 10)
    assert (value["policed_cutoff0"], value["result_cutoff0"]) == (False, "[code 1, null, null]")
    assert (value["code_cutoff2"], value["rate_bps_cutoff2"], value["burst_bytes_cutoff2"]) == (1, None, None)


def test_the_protocol_asks_for_a_name_a_sentence_and_a_method() -> None:
    class Mine:
        name = "mine"
        summary = "mine"
        detect: Callable[[Observation], Verdict]

    assert not isinstance(object(), Detector)
    made = Mine()
    made.detect = load_detector("pd").detect
    assert isinstance(made, Detector)


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


class Broken:
    name = "broken"
    summary = "a detector of another package that fails"

    def detect(self, _: Observation) -> object:
        raise ZeroDivisionError("in its verdict")


class NoVerdict(Broken):
    def detect(self, _: Observation) -> object:
        return "throttled"


class Impostor(Broken):
    def detect(self, _: Observation) -> object:
        return Verdict(detector="pd", outcome=Outcome.THROTTLED, why="so")


def broken_constructor() -> object:
    raise RuntimeError("in its constructor")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("no_such_package:X", "ModuleNotFoundError"),
        ("tests.detectors.test_plugins:broken_constructor", "RuntimeError: in its constructor"),
        ("tests.detectors.test_plugins:Broken", "ZeroDivisionError: in its verdict"),
        ("tests.detectors.test_plugins:NoVerdict", "it returned str, not a verdict"),
        ("tests.detectors.test_plugins:Impostor", "calls itself 'pd'"),
        ("tests.detectors.test_plugins:SECOND", "no name, summary and detect"),
    ],
)
def test_one_broken_package_costs_its_own_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    register(monkeypatch, EntryPoint("broken", value, registry.ENTRY_POINTS))
    path = tmp_path / "observation.json"
    path.write_text(observation_to_json(pair(140e3, 2e6)))
    rows = detect([path])
    assert [found.verdict.detector for found in rows] == list(detector_names())
    (failed,) = [found for found in rows if found.failed]
    assert (failed.verdict.detector, failed.verdict.outcome) == ("broken", Outcome.INCONCLUSIVE)
    assert said in failed.verdict.why


SECOND = 2


def test_a_package_cannot_take_the_name_of_a_packaged_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, EntryPoint("pd", "tests.detectors.test_plugins:Broken", registry.ENTRY_POINTS))
    assert detector_names().count("pd") == 1
    assert type(load_detector("pd")).__module__ == "testbed.detectors.methods.pd"
    (sentence,) = registry.shadowed_packages()
    assert "'pd' of another package" in sentence


def test_what_observing_left_out_is_in_every_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcap", connection(at_server=True))
    path.write_bytes(path.read_bytes()[:-3])
    for found in detection_rows_json(detect([path], ["pd", "crowd"])):
        assert "ends inside the record" in str(found["notes"])


def test_six_at_once_keep_all_their_verdicts(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir()
    (path / "manifest.json").write_text('{"format": 1, "state": "complete"}')
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from testbed.detectors.detect import DetectionRow, keep_verdicts\n"
        "from testbed.detectors.verdict import Outcome, Verdict\n"
        "run, name = Path(sys.argv[1]), sys.argv[2]\n"
        "for turn in range(20):\n"
        "    verdict = Verdict(detector=f'{name}-{turn}', outcome=Outcome.THROTTLED, why='so')\n"
        "    keep_verdicts(run, [DetectionRow(str(run), 'all', verdict)])\n"
    )
    children = [subprocess.Popen([sys.executable, "-c", program, str(path), str(number)]) for number in range(6)]
    assert [child.wait() for child in children] == [0] * 6
    kept = [json.loads(line)["detector"] for line in (path / "verdicts.jsonl").read_text().splitlines()]
    assert sorted(kept) == sorted(f"{number}-{turn}" for number in range(6) for turn in range(20))
