"""The recorded runs that a pack carries: made in a guest, and hidden until Reveal is pressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.demo.packed import RECORDED_CAUSES, recorded_site
from testbed.demo.scene import CAUSES

if TYPE_CHECKING:
    from testbed.engine.kernel.cache import KernelInfo


def test_each_cause_has_a_page_of_its_own_and_small(kernel: KernelInfo) -> None:
    assert kernel.path is not None
    assert {*RECORDED_CAUSES} <= {*CAUSES}
    files = recorded_site(lambda _: None)
    for nth in range(1, len(RECORDED_CAUSES) + 1):
        data = files[f"run-{nth}.js"].decode()
        assert '"hidden":true' in data
        assert "Right answer" in data
        assert len(data) < 1_000_000
    # A class that guesses must not read it in the list.
    assert b"box" not in files["index.html"].lower()
