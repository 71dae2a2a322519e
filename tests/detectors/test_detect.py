from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest

from testbed.detectors import registry
from testbed.detectors.detect import detect
from testbed.detectors.outputs.rows import detection_rows_json
from testbed.detectors.registry import detector_names
from testbed.detectors.sources.observation_json import observation_to_json
from testbed.detectors.verdict import Outcome, Verdict
from tests.detectors.build import pair, register
from tests.detectors.files import connection, write

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.detectors.observation import Observation


def test_detect_runs_all_detectors_or_those_named(tmp_path: Path) -> None:
    path = tmp_path / "observation.json"
    path.write_text(observation_to_json(pair(140e3, 2e6)))
    assert [found.verdict.detector for found in detect([path])] == list(detector_names())
    (one,) = detect([path], ["crowd"])
    assert (one.subject, one.verdict.outcome) == ("all", Outcome.THROTTLED)


SECOND = 2


class Broken:
    name = "broken"
    summary = "a detector of another package that fails"

    def detect(self, _: Observation) -> object:
        raise ZeroDivisionError("in its verdict")


class NoVerdict(Broken):
    def detect(self, _: Observation) -> object:
        return "throttled"


class Leaver(Broken):
    def detect(self, _: Observation) -> object:
        raise SystemExit(7)


class Impostor(Broken):
    def detect(self, _: Observation) -> object:
        return Verdict(detector="pd", outcome=Outcome.THROTTLED, why="so")


def broken_constructor() -> object:
    raise RuntimeError("in its constructor")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("no_such_package:X", "ModuleNotFoundError"),
        ("tests.detectors.test_detect:broken_constructor", "RuntimeError: in its constructor"),
        ("tests.detectors.test_detect:Broken", "ZeroDivisionError: in its verdict"),
        ("tests.detectors.test_detect:Leaver", "SystemExit: 7"),
        ("tests.detectors.test_detect:NoVerdict", "it returned str, not a verdict"),
        ("tests.detectors.test_detect:Impostor", "calls itself 'pd'"),
        ("tests.detectors.test_detect:SECOND", "no name, summary and detect"),
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


def test_what_observing_left_out_is_in_every_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcap", connection(at_server=True))
    path.write_bytes(path.read_bytes()[:-3])
    for found in detection_rows_json(detect([path], ["pd", "crowd"])):
        assert "ends inside the record" in str(found["notes"])
