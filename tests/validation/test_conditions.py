"""Each scenario of a condition, drawn once and run: does what acted on it make the label that its folder says?

The runs are kept in the store of `testbed validate` and found again there, so that only what changed is run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.scenario import library
from testbed.validation.cells import Cell
from testbed.validation.defaults import default_store
from testbed.validation.evaluation import ensure
from testbed.validation.keeping.store import Store
from testbed.validation.truth import line_label

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.engine.kernel import KernelInfo

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
