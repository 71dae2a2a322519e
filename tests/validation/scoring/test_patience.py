"""How much of its transfers a detector needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.detectors.observation import Role
from testbed.detectors.verdict import Outcome, Verdict
from testbed.validation.keeping.store import Store
from testbed.validation.scoring import patience
from testbed.validation.scoring.patience import Needed, needed, needs
from tests.validation.cells import kept, observation, scored

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.detectors.observation import Observation


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was asked of a detector that wants 30 kB of the target."""
    found: list[float] = []

    def judge(name: str, given: Observation) -> tuple[Verdict, bool]:
        (target,) = given.with_role(Role.TARGET)
        found.append(target.duration_s)
        outcome = Outcome.THROTTLED if target.total_bytes >= 30_000 else Outcome.INCONCLUSIVE
        return Verdict(detector=name, outcome=outcome, why="by hand"), False

    monkeypatch.setattr(patience, "judge", judge)
    return found


def test_seconds_are_halved_as_long_as_the_line_is_found(tmp_path: Path, asked: list[float]) -> None:
    store = Store(tmp_path)
    # 100 kB in 8 s: 50 kB at 4 s, 25 kB at 2 s.
    assert needed(observation(target_bps=100_000), "o", "joint", store) == (4.0, 50_000)
    assert asked == [4.0, 2.0]
    assert needed(observation(target_bps=100_000), "o", "joint", store) == (4.0, 50_000)
    assert len(asked) == 2, "what was said is kept"


@pytest.mark.usefixtures("asked")
def test_lines_that_were_found_are_looked_at_and_no_others(tmp_path: Path) -> None:
    store = Store(tmp_path)
    digest = kept(store, "k").record["observations"]["line"]
    given: dict[str, Any] = {"observation": digest, "detector": "joint"}
    lines = [
        scored("policed/1", "throttled", "throttled", **given),
        scored("policed/1", "not throttled", "throttled", **given),
        scored("policed/1", "throttled", "inconclusive", **given),
        scored("policed/1", "throttled", "throttled", observation=digest, detector="run:./tool"),
    ]
    assert needs(lines, store, {"policed/1": "k"}) == {"joint": Needed(4.0, 50_000, 1)}
