"""Each scenario of a condition, drawn once and run: does what acted on it make the label that its folder says?

The runs are kept in the store of `testbed validate` and found again there, so that only what changed is run.
"""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, TypeVar

import pytest

from testbed.scenario import draws, library
from testbed.scenario.plan import make_plan
from testbed.validation.cells import Cell
from testbed.validation.defaults import default_store
from testbed.validation.evaluation import ensure
from testbed.validation.keeping.store import Store
from testbed.validation.truth import line_label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from testbed.engine.kernel import KernelInfo

T = TypeVar("T")
FOLDERS = {"throttling/": "throttled", "confounders/": "not throttled"}
# What a censor did there was no slowing, or it slowed the control, too: whoever scores decides about these.
LEFT_OUT = {
    f"throttling/{name}"
    for name in (
        "frozen-after-16-kb",
        "reset-by-name",
        "handshake-delayed",
        "control-policed-too",
        "zero-rated-target",
        "every-upload-shaped",
    )
}
GRID = "confounders/pairs"  # of a benchmark: a line with a TSPU, and one without
NAMES = [name for name in library.names("scenarios") if name.startswith(tuple(FOLDERS)) and name != GRID]


@pytest.mark.parametrize("name", NAMES)
def test_a_draw_has_the_label_of_its_folder(name: str, kernel: KernelInfo, pytestconfig: pytest.Config) -> None:
    folder: Path | None = pytestconfig.getoption("--testbed-store", None)
    cell = Cell("development", name.split("/")[1], 1, name, (), 1)
    record = ensure(cell, kernel, Store(folder or default_store()), []).record
    assert record["valid"], record["problems"]
    expected = "left out" if name in LEFT_OUT else FOLDERS[name.split("/", maxsplit=1)[0] + "/"]
    assert line_label(record["transfers"], "a" if name.endswith("busy-border") else "line") == expected


class Corner(Random):
    """Draws from the ends of distributions, so that few seeds have them together that meet once in thousands."""

    def _end(self) -> float:
        return self.choice((-1.0, 1.0))

    def choice(self, seq: Sequence[T]) -> T:  # type: ignore[override]
        return seq[self.getrandbits(16) % len(seq)]

    def random(self) -> float:
        return 0.0 if self.getrandbits(1) else 1 - 1e-9

    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        return mu + 3 * sigma * self._end()

    def lognormvariate(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        return math.exp(self.gauss(mu, sigma))

    def expovariate(self, lambd: float = 1.0) -> float:
        return math.exp(2 * self._end()) / lambd


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_drawn_can_be_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite whose seeds nobody has seen must not be refused for one of its runs."""
    monkeypatch.setattr(draws, "Random", Corner)
    for seed in range(1, 17):
        assert make_plan(library.find("scenarios", name), [], seed=seed, engine="virtual", command=None).transfers
