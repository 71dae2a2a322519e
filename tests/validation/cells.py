"""A store with cells made by hand, for tests of what reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.detectors.observation import Ending, Observation, Role, Transfer
from testbed.detectors.sources.observation_json import observation_to_json
from testbed.validation.cells import Cell
from testbed.validation.evaluation import Kept
from testbed.validation.scoring.scores import Scored
from testbed.validation.truth import LineTruth
from tests.records.build import transfer

if TYPE_CHECKING:
    from testbed.records.label import Label
    from testbed.validation.keeping.store import Store, VerdictRecord

FREE: dict[str, Any] = {"throttled": False, "influences": []}


def observation(target_bps: float = 100_000, control_bps: float = 4e6) -> Observation:
    """A target and a control of 100 kB, each at a steady rate."""

    def steady(name: str, role: Role, rate_bps: float) -> Transfer:
        sent = np.arange(1, 101, dtype=np.int64) * 1000
        return Transfer(
            id=name, role=role, times_s=sent * 8 / rate_bps, bytes=sent, ending=Ending.COMPLETE, expected_bytes=100_000,
            ended_s=800_000 / rate_bps,
        )  # fmt: skip

    both = steady("line/1", Role.TARGET, target_bps), steady("line/2", Role.CONTROL, control_bps)
    return Observation(source="cell", transfers=both)


def kept(store: Store, key: str, *, valid: bool = True, **changes: Any) -> Kept:
    """A cell of one line, with a throttled target and a free control, that the store has."""
    record: Any = {
        "format": 2, "scenario": "throttling/policed", "settings": [], "seed": 1, "twin": False, "valid": valid,
        "problems": [] if valid else ["a clock ran late"], "limits": {}, "observations": {},
        "replay": "testbed run policed --seed 1",
        "transfers": [
            transfer(id="line/1", line="line", role="target"),
            transfer(id="line/2", line="line", role="control", **FREE),
        ],
    } | changes  # fmt: skip
    store.keep_cell(key, record, {"line": observation_to_json(observation())} if valid else {})
    return Kept(Cell("development", "policed", 1, "throttling/policed", (), 1), key, record)


def verdict(outcome: str, detector: str = "d", **changes: Any) -> VerdictRecord:
    """What a detector said."""
    record: Any = {
        "format": 2, "detector": detector, "outcome": outcome, "score": None, "rate_bps": None, "mechanism": None,
        "content_specific": None, "onset_s": None, "why": "by hand",
    } | changes  # fmt: skip
    said: VerdictRecord = record
    return said


def scored(
    cell: str, label: Label, outcome: str, *, detector: str = "d", part: str = "held_out", truth: Any = None,
    observation: str | None = None, line: str = "line", **changes: Any,
) -> Scored:  # fmt: skip
    """A verdict on a cell with its label."""
    return Scored(
        part, cell.partition("/")[0], cell, line, observation or f"of {cell}", detector, truth or LineTruth(label),
        verdict(outcome, detector, **changes),
    )  # fmt: skip
