"""Plain Mininet with our box in it, as its users would start it: on a kernel that nobody else uses, the guest's."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.guest.network.build import topology_class

if TYPE_CHECKING:
    from tests.conftest import Runner

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "examples" / "mininet" / "censored.py"

# Mininet tidies /tmp up after a failure, so it gets one of its own; this tree is shown there if it lies in it.
# A server, and two downloads of the same size. The log of the box lies where the run keeps what its command writes.
SESSION = f"""
set -e
mkdir /run/tree
mount --bind '{ROOT}' /run/tree
mount -t tmpfs tmpfs /tmp
mkdir -p '{ROOT}'
mount --bind /run/tree '{ROOT}'
cd "$(mktemp -d /run/tmp/XXXXXX)"
unset OPENSSL_CONF
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=test -keyout key.pem -out cert.pem
head -c 100000 /dev/zero >object
echo "curl --curves X25519 -sko /dev/null -w '%{{http_code}} %{{speed_download}}\\n' \\
    --connect-to ::198.51.100.2 \\$1" >fetch
cat >typed <<'END'
origin openssl s_server -quiet -accept 443 -WWW -key key.pem -cert cert.pem &
home sleep 1
home sh fetch https://t.co/object
home sh fetch https://example.com/object
origin kill %1
END
exec '{sys.executable}' "$(command -v mn)" --custom '{FILE}' \\
    --topo censored-chain,hops=2,box_after_hop=1,log=/run/output/output/box.jsonl \\
    --link tc --controller none --pre typed --test none
"""


@pytest.mark.skipif(shutil.which("mn") is None, reason="Mininet is not installed: apt-get install mininet")
def test_mininets_own_program_runs_a_topology_whose_box_throttles(run_scenario: Runner) -> None:
    run = run_scenario(
        "recordings=[]", "lines=[{name: mobile, kind: mobile, tspu: true}]", "captures=[]",
        command=["sh", "-c", SESSION], privileged=True,
    )  # fmt: skip
    errors = (run.path / "command.stderr").read_text()
    assert run.manifest["certificate"]["command_status"] == 0, errors
    answers = [line.split() for line in errors.splitlines() if line.startswith("200 ")]
    [throttled, control] = [int(speed) for _, speed in (answer[-2:] for answer in answers)]
    assert throttled < 40_000 < control, errors
    log = [json.loads(line) for line in (run.path / "output" / "box.jsonl").read_text().splitlines()]
    assert {each["event"] for each in log} >= {"throttling_started", "packet_dropped"}
    assert {each["box"] for each in log} == {"home-tspu"}


@pytest.mark.parametrize("name", ["chain", "russia2021", "two-paths", "dumbbell"])
def test_a_topology_keeps_its_nodes_and_gets_boxes_that_inspect(name: str) -> None:
    topology = topology_class(str(FILE), f"censored-{name}")()
    boxes = {node: topology.nodeInfo(node) for node in topology.with_role("box")}
    assert {info["cls"].__name__ for info in boxes.values() if info["kind"] == "tspu"} == {"CensoringBox"}
    assert {info["cls"].__name__ for info in boxes.values() if info["kind"] != "tspu"} <= {"Box"}
