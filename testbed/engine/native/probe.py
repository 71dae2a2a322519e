"""Whether the machine's own kernel has what a run on it needs: tried in namespaces that end with the trial.

A module that is there and not loaded is loaded by the trial itself, as it would be by a run. Each trial that fails has
the line to type.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from testbed.engine.native.boot import NEW_NET, enter_user_namespace
from testbed.engine.prepare.environment import Check
from testbed.errors import TestbedError
from testbed.netlink import NetlinkSocket, link, tc
from testbed.netlink.netem import Netem
from testbed.netlink.nftables import Chain, load_rules, meta, queue
from testbed.netlink.packet_queue import PacketQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["native_checks", "trials"]

_NAMESPACES = "user namespaces"
_ALLOW = (
    "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), kernel.unprivileged_userns_clone=1 "
    "(Debian), or user.max_user_namespaces=1000 (others); or use --engine virtual"
)
_FLOW = tc.FlowMatch(6, b"\n\0\0\2", b"\n\0\0\1", 443, 50_000)
_MODULES = {
    "links (veth)": "veth",
    "bridges": "bridge",
    "drop ports (dummy)": "dummy",
    "delays (netem)": "sch_netem",
    "rates (HTB)": "sch_htb",
    "policers (clsact, flower, police, mirred)": "sch_ingress cls_flower act_police act_mirred act_skbedit",
    "packet rules (nft)": "nf_tables nft_queue nft_meta_bridge",
    "packet queue (NFQUEUE)": "nfnetlink_queue",
}


def native_checks() -> Iterator[Check]:
    """Try everything, in a process of its own."""
    found = subprocess.run(
        [sys.executable, "-m", "testbed.engine.native.probe"], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    if found.returncode:
        last = (found.stderr.strip().splitlines() or [f"status {found.returncode}"])[-1]
        yield Check(_NAMESPACES, ok=False, found=f"refused: {last}", remedy=_ALLOW)
        return
    yield Check(_NAMESPACES, ok=True, found="allowed")
    problems: dict[str, str] = json.loads(found.stdout)
    for name, modules in _MODULES.items():
        remedy = f"sudo modprobe -a {modules}, where this kernel has them; or use --engine virtual"
        problem = problems[name]
        yield Check(name, not problem, problem or "there", remedy if problem else "")


def trials(kernel: NetlinkSocket) -> dict[str, str]:
    """Try each thing in the network namespace that this process is in; return what was wrong, empty for nothing."""
    ports: dict[str, int] = {}

    def add_pair() -> None:
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        kernel.send([link.add_veth(link.End("one", home), link.End("two", home), mtu=1500)])
        os.close(home)
        look()

    def add(name: str, kind: str) -> None:
        kernel.send([link.add_link(name, kind)])
        look()

    def look() -> None:
        ports.update({name: state.index for name, state in link.links(kernel).items()})

    def add_policer() -> None:
        chain = [
            tc.skbedit_mark(1, tc.TC_ACT_PIPE),
            tc.police(17_500, 1_000_000, exceed=tc.TC_ACT_PIPE, conform=tc.TC_ACT_OK),
            tc.redirect(ports["one"]),
        ]
        kernel.send([tc.add_clsact(ports["two"]), tc.add_flow_filter(ports["two"], 1, _FLOW, chain)])

    netem = Netem(delay_ns=1_000_000, jitter_ns=0, loss=0.0, limit=1000)
    wanted: list[Callable[[], object]] = [
        add_pair,
        lambda: add("bridge", "bridge"),
        lambda: add("drop", "dummy"),
        lambda: kernel.send([tc.add_netem(ports["one"], tc.TC_H_ROOT, netem)]),
        lambda: kernel.send(tc.add_htb(ports["two"], 125_000, 15_360)),
        add_policer,
        lambda: load_rules(Chain(table="box", name="inspect"), [(*meta("iifname", b"two"), *queue(0))]),
        lambda: PacketQueue(0, length=16, buffer_bytes=1 << 16).close(),
    ]
    return {name: _problem(each) for name, each in zip(_MODULES, wanted, strict=True)}


def _problem(trial: Callable[[], object]) -> str:
    try:
        trial()
    except KeyError:
        return "not tried: there is no link"
    except (TestbedError, OSError) as error:
        return str(error)
    return ""


if __name__ == "__main__":
    enter_user_namespace(NEW_NET)
    sys.stdout.write(json.dumps(trials(NetlinkSocket())))
