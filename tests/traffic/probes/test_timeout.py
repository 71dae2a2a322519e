from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from testbed.traffic.probes.timeout import Timeout, bisect
from tests.traffic.probes.box import calibrated, on_any_hello

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.traffic.conversation import Passage
    from tests.traffic.evasion.talk import RecordedTalk
    from tests.traffic.probes.box import Acts


@given(timeout=st.floats(0.5, 3599), precision=st.sampled_from([0.5, 1.0, 10.0]))
def test_bisection_closes_in_on_the_timeout(timeout: float, precision: float) -> None:
    low, high = bisect(lambda seconds: seconds < timeout, 3600, precision)
    assert high is not None
    assert low <= timeout <= high
    assert high - low <= precision


def test_bisection_says_when_the_longest_is_too_short() -> None:
    assert bisect(lambda _: True, 300, 1) == (300, None)


def remembering(seconds: float) -> Acts:
    def acts(talk: RecordedTalk, passage: Passage) -> bool:
        idle_s = sum(what for verb, what in talk.done if verb == "wait" and isinstance(what, float))
        return on_any_hello(talk, passage) and idle_s < seconds

    return acts


def test_the_timeout_of_a_box_is_found_and_every_trial_told(tmp_path: Path) -> None:
    found = Timeout(longest=3600.0, precision=1.0).run(calibrated(tmp_path, remembering(600.5)))
    assert found["forgets_s"] is not None
    assert found["remembers_s"] < 600.5 <= found["forgets_s"]
    assert found["forgets_s"] - found["remembers_s"] <= 1
    assert all(each["held_back"] == (each["idle_s"] < 600.5) for each in found["tried"])
