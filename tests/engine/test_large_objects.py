"""An object that is larger than what the guest keeps in memory is served whole, by nginx and by our own server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.engine.prepare.guest_memory import LEAST_MIB

if TYPE_CHECKING:
    from tests.conftest import Runner

BYTES = 40_000_000


@pytest.mark.parametrize("origin", ["serves: [example.com]", "serves: [example.com], rate: 80 Mbit/s"])
def test_a_large_object_arrives_whole_and_leaves_nothing_on_the_disk(run_scenario: Runner, origin: str) -> None:
    run = run_scenario(
        "lines=[{name: mobile, kind: mobile, tspu: false, down: 100 Mbit/s}]", "recordings=[]", "outages=[]",
        f"origins={{origin: {{{origin}}}}}", f"measurements=[{{fetch: example.com, role: control, size: {BYTES} B}}]",
        "captures={client: headers}",
    )  # fmt: skip
    (transfer,) = run.manifest["transfers"]
    assert (transfer["ok"], transfer["bytes"]) == (True, BYTES)
    assert run.manifest["fingerprint"]["memory_mib"] == LEAST_MIB
    assert sum(path.stat().st_size for path in run.path.rglob("*") if path.is_file()) < BYTES / 10
