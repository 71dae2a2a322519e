"""An action is added as a plug-in would add it: one file in the box's folder of actions, one profile, nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import testbed
from testbed.conformance.traces import write_trace
from tests.middlebox.actions.build import TWITTER
from tests.middlebox.build import Connection

if TYPE_CHECKING:
    from testbed.engine.kernel.cache import KernelInfo

REPOSITORY = Path(testbed.__file__).resolve().parent.parent

SLOW_START = '''
"""After some bytes, every packet is sent on later."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from testbed.middlebox.actions.action import Action, throttling_started
from testbed.middlebox.packet_events import packet_delayed
from testbed.middlebox.written import Bytes, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowStart(Action):
    kind = "slow_start"
    effect = "slows"
    scope: Literal["flow"]
    trigger_packet: Literal["passes"]
    free_bytes: Bytes
    wait_s: Seconds

    def make(self, beginning, metering):
        return Slowing(self)


class Slowing:
    def __init__(self, action):
        self.action, self.effect, self.left = action, action.effect, action.free_bytes

    def start(self, flow, packet, now_ns):
        parameters = {"free_bytes": self.action.free_bytes, "wait_s": self.action.wait_s}
        return [
            throttling_started(
                flow, now_ns, self.action.kind, effect=self.effect, parameters=parameters,
                directions=self.action.directions,
            )
        ]

    def on_packet(self, flow, packet, now_ns):
        if packet.direction not in self.action.directions:
            return []
        self.left = max(0, self.left - packet.payload_length)
        if self.left:
            return []
        later = now_ns + round(self.action.wait_s * 1e9)
        return [packet_delayed(flow, packet, now_ns, self.action.kind, departure_ns=later)]
'''

SET_TTL = '''
"""Every packet is sent on with another TTL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from testbed.middlebox.actions.action import Blocking
from testbed.middlebox.craft import with_ttl
from testbed.middlebox.packet_events import packet_rewritten
from testbed.middlebox.written import whole


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTtl(Blocking):
    kind = "set_ttl"
    effect = "alters"
    ttl: Annotated[int, whole(1, 255)]

    def on_packet(self, flow, packet, now_ns):
        if packet.direction not in self.directions:
            return []
        return [packet_rewritten(flow, packet, now_ns, self.kind, data=with_ttl(packet.data, self.ttl))]
'''


class Plugin(NamedTuple):
    """An action from elsewhere: its file, its keys in a profile, its label, a key that is wrong and what is said."""

    name: str
    source: str
    keys: str
    effect: str
    wrong: str
    said: str

    @property
    def is_throttled(self) -> bool:
        return self.effect == "slows"


PLUGINS = [
    Plugin(
        "slow_start", SLOW_START, "free: 3 kB, wait: 40 ms", "slows", "free: 3000, wait: 40 ms",
        "action.free: expected a size such as '383 kB', got 3000: the unit is missing",
    ),
    Plugin(
        "set_ttl", SET_TTL, "ttl: 9", "alters", "ttl: 0",
        "action.ttl: expected a whole number from 1 to 255, got 0",
    ),
]  # fmt: skip


@pytest.fixture(params=PLUGINS, ids=[each.name for each in PLUGINS])
def plugin(request: pytest.FixtureRequest) -> Plugin:
    chosen: Plugin = request.param
    return chosen


@pytest.fixture
def code(plugin: Plugin, tmp_path: Path) -> Path:
    """The code at another place, with one more file."""
    for name in ("testbed", "scenarios", "topologies"):
        shutil.copytree(REPOSITORY / name, tmp_path / "code" / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "code/testbed/middlebox/actions" / f"{plugin.name}.py").write_text(plugin.source)
    return tmp_path / "code"


def profile(folder: Path, plugin: Plugin, keys: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(
        "based_on: ru-tw-2021a\ngrade: assumption\nmeter: null\n"
        f"action: {{kind: {plugin.name}, directions: [down], {keys}}}\n"
    )
    return path


def command(code: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "testbed.cli", *map(str, words)],
        capture_output=True, text=True, check=False, cwd=code, env={**os.environ, "PYTHONPATH": str(code)},
    )  # fmt: skip


def test_it_is_carried_out_on_a_capture(plugin: Plugin, code: Path, tmp_path: Path) -> None:
    connection = Connection()
    packets = [*connection.handshake(), connection.up(TWITTER), *(connection.down(bytes(1000)) for _ in range(5))]
    write_trace(tmp_path / "trace.pcap", ((10**15 + index * 10**6, packet) for index, packet in enumerate(packets)))
    used = profile(tmp_path, plugin, plugin.keys)
    result = command(code, "inspect", tmp_path / "trace.pcap", "--profile", used, "--json")
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    started = [each for each in events if each["event"] in {"throttling_started", "blocking_started"}]
    assert [(each.get("meter") or each.get("action"), each["effect"]) for each in started] == [
        (plugin.name, plugin.effect)
    ]
    assert [each["reason"] for each in events if each.get("direction") == "down"] == [plugin.name] * (
        3 if plugin.is_throttled else 5
    )


def test_its_keys_are_checked_and_in_the_schema(plugin: Plugin, code: Path, tmp_path: Path) -> None:
    result = command(code, "inspect", tmp_path / "none.pcap", "--profile", profile(tmp_path, plugin, plugin.wrong))
    assert (result.returncode, plugin.said in result.stderr) == (2, True)
    schema = json.loads(command(code, "schema", "profile").stdout)
    assert any(plugin.name in json.dumps(each) for each in schema["properties"]["action"]["anyOf"])


def test_a_run_in_the_guest_has_its_label(plugin: Plugin, code: Path, tmp_path: Path, kernel: KernelInfo) -> None:
    assert kernel.path is not None
    settings = (
        "lines=[{name: mobile, kind: mobile, tspu: true}]", "recordings=[]", "outages=[]",
        "measurements=[{fetch: twitter.com, role: target, size: 30 kB}]",
        f"censors={{tspu: {profile(tmp_path, plugin, plugin.keys)}}}",
    )  # fmt: skip
    words = [word for setting in settings for word in ("--set", setting)]
    result = command(code, "run", "2021-03-10", *words, "-o", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    (transfer,) = json.loads((tmp_path / "run/manifest.json").read_text())["transfers"]
    assert (transfer["ok"], transfer["action"], transfer["throttled"]) == (True, plugin.name, plugin.is_throttled)
