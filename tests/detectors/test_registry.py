"""Detectors by name: ours, and those of other packages; the example of docs/how-to is run here."""

from __future__ import annotations

import importlib.util
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from testbed.detectors import methods, registry
from testbed.detectors.detect import detect
from testbed.detectors.detector import Detector
from testbed.detectors.observation import Observation
from testbed.detectors.registry import detector_names, load_detector
from testbed.detectors.sources.observation_json import observation_to_json
from testbed.detectors.verdict import Outcome
from testbed.errors import InputError
from tests.detectors.build import observation, pair, register, transfer

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"


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
    with pytest.raises(InputError, match=r"(?i)there are: pd, shaperprobe"):
        load_detector(name)


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


def test_a_package_cannot_take_the_name_of_a_packaged_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, EntryPoint("pd", "tests.detectors.test_detect:Broken", registry.ENTRY_POINTS))
    assert detector_names().count("pd") == 1
    assert type(load_detector("pd")).__module__ == "testbed.detectors.methods.pd"
    (sentence,) = registry.shadowed_packages()
    assert "'pd' of another package" in sentence


def test_methods_hold_one_file_a_detector_and_nothing_else() -> None:
    files = {path.stem for path in Path(methods.__path__[0]).glob("*.py")} - {"__init__"}
    assert files == {name.replace("-", "_") for name in registry.BUILT_IN}


NEW = """
from dataclasses import dataclass

from testbed.detectors.verdict import inconclusive


@dataclass(frozen=True)
class CoinTossDetector:
    name: str = "coin-toss"
    summary: str = "knows nothing, and says so"

    def detect(self, observation):
        return inconclusive(self.name, f"{len(observation.transfers)} transfers, and no idea")
"""


def test_adding_a_detector_takes_one_file_and_one_line_of_the_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "coin_toss.py").write_text(NEW)
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(tmp_path)])
    monkeypatch.setattr(registry, "BUILT_IN", (*registry.BUILT_IN, "coin-toss"))
    assert detector_names()[-1] == "coin-toss"
    given = tmp_path / "observation.json"
    given.write_text(observation_to_json(pair(1e6, 2e6)))
    (row,) = detect([given], ["coin-toss"])
    assert (row.verdict.detector, row.verdict.why) == ("coin-toss", "2 transfers, and no idea")
    monkeypatch.delitem(sys.modules, "testbed.detectors.methods.coin_toss")


def test_a_program_that_measures_by_itself_is_sent_to_where_there_is_a_network() -> None:
    with pytest.raises(InputError, match=r"run:\./tool: a program that measures by itself needs a network"):
        load_detector("run:./tool")
