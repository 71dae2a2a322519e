"""Recorded runs of the classroom page for machines on which no guest runs: made once, and carried in a pack of labs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from testbed.demo.recorded import site
from testbed.demo.scene import SCENARIO, Choice, settings
from testbed.detectors.detect import detect
from testbed.detectors.outputs.rows import keep_verdicts
from testbed.engine.engine import DEFAULT_ENGINE, ENGINES
from testbed.engine.run import run_plan
from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RECORDED_CAUSES", "recorded_site"]

RECORDED_CAUSES: Final = ("box", "lossy", "slow")
"""What a class without a guest guesses between: keys of `testbed.demo.scene.CAUSES`."""

_SILENCE_S: Final = 120.0


def recorded_site(say: Callable[[str], None]) -> dict[str, bytes]:
    """Return the page with a run of each of `RECORDED_CAUSES`, by the names of its files. Box and truth are hidden.

    Raises:
        TestbedError: A run cannot be made here.
    """
    kernel = ENGINES[DEFAULT_ENGINE].prepare(say)
    with tempfile.TemporaryDirectory(prefix="testbed-") as folder:
        runs = []
        for cause in RECORDED_CAUSES:
            run = Path(folder) / cause
            plan = make_plan(
                library.find("scenarios", SCENARIO), settings(Choice(cause=cause)),
                seed=None, engine=DEFAULT_ENGINE, command=None,
            )  # fmt: skip
            run_plan(plan, kernel, run, silence_s=_SILENCE_S, progress=lambda _: None)
            # So that the page has something to put beside the class's own guess.
            keep_verdicts(run, detect([run], even_if_invalid=True))
            runs.append(run)
        return site(runs, is_guess=True, choices=[Choice(cause=cause) for cause in RECORDED_CAUSES])
