"""A kind of timed event takes one file: here a link that gets slower for a while, and a mark in the ground truth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from testbed.records.jsonl import read_lines
from tests.engine.test_reproducible import copied

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.engine.kernel.cache import KernelInfo

DETOUR = '''"""A detour: packets of a link take a longer way for a while."""

from collections.abc import Iterable
from dataclasses import dataclass

from testbed.guest.network.topology import RoutedTopo
from testbed.guest.timed_event import Change, Effects, EventError, RunTime, TimedEvent
from testbed.quantities import Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Detour(TimedEvent):
    """A link with another delay and some loss."""

    link: tuple[str, str]
    from_: RunTime
    until: RunTime
    delay: RunTime
    loss: Share = 0.0

    def check(self, topology: RoutedTopo) -> None:
        if frozenset(self.link) not in {frozenset(pair) for pair in topology.iterLinks()}:
            raise EventError("link", "no such link to go around")

    def changes(self) -> Iterable[Change]:
        yield Change(self.from_, self._begin)
        yield Change(self.until, self._end, is_end=True)

    def _begin(self, effects: Effects) -> None:
        effects.alter_link(self.link, self, delay=f"{self.delay * 1000:g} ms", loss=self.loss * 100)
        effects.record("detour_taken", link=list(self.link), delay_s=self.delay)

    def _end(self, effects: Effects) -> None:
        effects.restore_link(self.link, self)
        effects.record("detour_left", link=list(self.link))

    def note(self) -> str:
        return f"packets between {self.link[0]} and {self.link[1]} took a detour"
'''
EVENTS = (
    "events=[{detour: {link: [mobile, mobile-r1], from: 2 s, until: 4 s, delay: 115 ms}}, "
    "{outage: {link: [gateway, state], from: 1 s, until: 3 s, about: a test}}]"
)
FETCHES = "measurements=[" + ", ".join(
    f"{{fetch: example.com, role: control, size: 1 kB, at: {at} s}}" for at in (0, 2.5, 4.5)
) + "]"  # fmt: skip
SETTINGS = (
    "lines=[{name: mobile, kind: mobile, tspu: true}]", "recordings=[]", "outages=[]", "captures=[box]", FETCHES,
    EVENTS,
)  # fmt: skip


def called(code: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "testbed.cli", *words], cwd=code, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(code)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def plugged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the testbed with one file more."""
    code = copied(tmp_path_factory.mktemp("plugged"))
    (code / "testbed" / "guest" / "events" / "detour.py").write_text(DETOUR)
    return code


@pytest.fixture(scope="module")
def detour(plugged: Path, kernel: KernelInfo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a short scenario with a detour."""
    assert kernel.path is not None
    run = tmp_path_factory.mktemp("detour") / "run"
    words = [word for setting in SETTINGS for word in ("--set", setting)]
    done = called(plugged, "run", "2021-03-10", *words, "-o", str(run))
    assert done.returncode == 0, done.stderr
    return run


def test_it_changes_the_network_at_its_instants_and_puts_it_back(detour: Path) -> None:
    transfers = json.loads((detour / "manifest.json").read_text())["transfers"]
    before, meanwhile, after = (each["handshake_s"] for each in transfers)
    assert before == pytest.approx(after, abs=0.001)
    assert meanwhile - before == pytest.approx(2 * 2 * 0.1, abs=0.21)  # 100 ms more each way, one or two round trips
    assert meanwhile - before > 0.19


def test_it_writes_into_the_truth_in_the_order_of_time(detour: Path) -> None:
    changes = [each for each in read_lines(detour / "truth.jsonl") if each["box"] is None]
    assert [(round(each["t"], 3), each["event"]) for each in changes] == [
        (1.0, "link_failed"), (2.0, "detour_taken"), (3.0, "link_restored"), (4.0, "detour_left"),
    ]  # fmt: skip
    assert changes[1]["delay_s"] == 0.115


def test_readers_are_told_what_it_says(detour: Path) -> None:
    notes = json.loads((detour / "manifest.json").read_text())["notes"]
    assert "packets between mobile and mobile-r1 took a detour" in notes
    assert "the link between gateway and state was out from 1 s to 3 s: a test" in notes


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ("{link: [mobile, mobile-r1], from: 2 s, until: 4 s, delay: 115}", "detour.delay: expected a duration"),
        ("{link: [mobile, moon], from: 2 s, until: 4 s, delay: 1 s}", "detour.link: no such link to go around"),
        ("{link: [mobile, moon], from: 2 s, until: 4 s, delay: 1 s, x: 1}", "events.0.detour.x: unknown key"),
        ("{link: [mobile, mobile-r1], from: 2 s, until: 4 s, delay: 1 s, loss: 200 %}",
         "events.0.detour.loss: expected at most '100 %'"),
    ],
)  # fmt: skip
def test_its_keys_are_checked_like_others(plugged: Path, event: str, problem: str) -> None:
    refused = called(plugged, "run", "2021-03-10", "--set", "events=[{detour: " + event + "}]")
    assert refused.returncode == 2
    assert problem in refused.stderr


def test_it_is_in_the_schema_that_editors_complete_by(plugged: Path) -> None:
    schema = json.loads(called(plugged, "schema", "scenario").stdout)
    item = schema["properties"]["events"]["items"]
    assert set(item["properties"]) == {"censor", "days", "detour", "impairment", "outage", "placement"}
    assert "from" in schema["$defs"]["Detour"]["properties"]
