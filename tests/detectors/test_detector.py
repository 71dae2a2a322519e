from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.detectors.detector import Detector
from testbed.detectors.registry import load_detector

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.detectors.observation import Observation
    from testbed.detectors.verdict import Verdict


def test_the_protocol_asks_for_a_name_a_sentence_and_a_method() -> None:
    class Mine:
        name = "mine"
        summary = "mine"
        detect: Callable[[Observation], Verdict]

    assert not isinstance(object(), Detector)
    made = Mine()
    made.detect = load_detector("pd").detect
    assert isinstance(made, Detector)
