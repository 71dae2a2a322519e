"""What the guest's kernel answers: netlink, namespaces, nodes and a network, tried once; the tests look at the answers.

A program for the guest (``testbed run … -- python -m tests.guest.in_guest FILE``). Each function below returns plain
JSON; an error is answered with its kind and message.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.errors import TestbedError
from testbed.guest.child import Task
from testbed.guest.network import build as network
from testbed.guest.network.dual_stack import add_ipv6, check_ipv6, ipv6_of
from testbed.guest.network.namespace import Namespace
from testbed.guest.network.node import Client, Router
from testbed.middlebox.adapters.ruleset import CHAIN
from testbed.middlebox.adapters.ruleset import rules as box_rules
from testbed.middlebox.packet import Direction
from testbed.netlink import NetlinkError, ethtool, link, tc
from testbed.netlink.netem import Netem
from testbed.netlink.nftables import load_rules
from testbed.netlink.packet_queue import PacketQueue
from testbed.netlink.socket import attribute
from testbed.scenario import library
from tests.middlebox.build import profile

if TYPE_CHECKING:
    from collections.abc import Callable

    from mininet.net import Mininet

    from testbed.guest.network.topology import RoutedTopo
    from testbed.middlebox.adapters.ruleset import Rule
    from testbed.netlink import NetlinkSocket
    from testbed.records.certificate import NetworkFound

FLOW = tc.FlowMatch(socket.IPPROTO_TCP, b"\n\0\0\2", b"\n\0\0\1", 443, 50_000)
FLOW6 = tc.FlowMatch(socket.IPPROTO_UDP, bytes(15) + b"\2", bytes(15) + b"\1", 443, 50_000)
LINES = [{"name": "mobile", "kind": "mobile", "tspu": True}]


class Pair:
    """Two namespaces and a veth pair between them."""

    def __init__(self) -> None:
        self.near, self.far = Namespace(), Namespace()
        ends = link.End("near0", self.near.fd, "02:00:00:00:00:01"), link.End("far0", self.far.fd)
        self.near.kernel.send([link.add_veth(*ends, mtu=1400)])

    @property
    def index(self) -> int:
        return link.links(self.near.kernel)["near0"].index


def refusal(attempt: Callable[[], object]) -> dict[str, Any]:
    """What an attempt was refused with."""
    try:
        attempt()
    except NetlinkError as error:
        return {"code": error.code, "message": str(error)}
    except (TestbedError, OSError) as error:
        return {"kind": type(error).__name__, "message": str(error)}
    return {"kind": None, "message": "nothing was refused"}


def _state(kernel: NetlinkSocket, name: str) -> dict[str, Any]:
    state = link.links(kernel)[name]
    return {"name": state.name, "mtu": state.mtu, "up": state.up}


def links() -> dict[str, Any]:
    pair = Pair()
    made = [_state(pair.near.kernel, "near0"), _state(pair.far.kernel, "far0")]
    first_there = "near0" in link.links(Namespace().kernel)
    pair.near.kernel.send([
        link.add_bridge("bridge"), link.set_link(pair.index, up=True, mac="02:00:00:00:00:09"),
        link.add_address(pair.index, "10.0.0.1", 30), link.add_address(pair.index, "2001:db8::1", 64),
    ])  # fmt: skip
    pair.near.kernel.send([link.add_route("192.0.2.0", 24, "10.0.0.2"), link.add_route("0.0.0.0", 0, "10.0.0.2")])  # noqa: S104
    pair.near.kernel.send([link.add_neighbour(pair.index, "10.0.0.2", "02:00:00:00:00:07")])
    with pair.near.entered():
        shown = {
            what: subprocess.run(["ip", *what.split()], text=True, capture_output=True, check=True).stdout
            for what in ("route", "neigh", "-brief address show dev near0", "-brief link show dev near0")
        }
    pair.near.kernel.send([link.set_link(pair.index, up=False)])
    return {
        "made": made, "first_there": first_there, "shown": shown, "down": _state(pair.near.kernel, "near0"),
        "kinds": sorted(link.links(pair.near.kernel)),
    }  # fmt: skip


def refusals() -> dict[str, Any]:
    pair = Pair()
    kernel, index = pair.near.kernel, pair.index
    address = link.add_address(index, "10.0.0.1", 30)
    answers = {
        "twice": refusal(lambda: kernel.send([link.add_link("near0", "bridge")])),
        "no such link": refusal(lambda: kernel.send([link.set_link(9999, up=True)])),
        "no such gateway": refusal(lambda: kernel.send([link.add_route("192.0.2.0", 24, "10.9.9.9")])),
        "no such kind": refusal(lambda: kernel.send([link.add_link("x", "nonsense")])),
        "one of three": refusal(lambda: kernel.send([address, address, link.set_link(index, up=True)])),
        "netem without parent": refusal(lambda: kernel.send([tc.add_netem(index, tc.handle(7, 1), Netem())])),
        "filter that is not there": refusal(lambda: kernel.send([tc.delete_flow_filter(index, 7, FLOW)])),
    }
    return {"answers": answers, "up_all_the_same": _state(kernel, "near0")["up"]}


def disciplines() -> dict[str, Any]:
    pair = Pair()
    kernel, index = pair.near.kernel, pair.index
    wanted = Netem(delay_ns=15_000_064, jitter_ns=64_000, loss=0.25, limit=200)
    kernel.send([*tc.add_htb(index, 625_000, 15_360), tc.add_netem(index, tc.handle(5, 1), wanted)])

    def netem() -> list[dict[str, Any]]:
        found = [each for each in tc.qdiscs(kernel) if each.netem is not None and each.index == index]
        return [
            {"delay_ns": each.netem.delay_ns, "jitter_ns": each.netem.jitter_ns, "loss": each.netem.loss,
             "limit": each.netem.limit, "handle": each.handle, "parent": each.parent}
            for each in found if each.netem
        ]  # fmt: skip

    before = netem()
    state = next(each for each in tc.qdiscs(kernel) if each.netem is not None)
    kernel.send([tc.change_netem(state, Netem(delay_ns=1_000_000, loss=1.0, limit=50))])
    rates = [{"handle": each.handle, "rate": each.rate} for each in tc.htb_rates(kernel, index)]
    return {"before": before, "after": netem(), "rates": rates, "elsewhere": len(tc.htb_rates(pair.far.kernel, 1))}


def filters() -> dict[str, Any]:
    pair = Pair()
    kernel, index = pair.near.kernel, pair.index
    actions = [tc.skbedit_mark(1, tc.TC_ACT_PIPE), tc.police(17_500, 20_000_000, exceed=2, conform=tc.TC_ACT_OK)]
    kernel.send([
        tc.add_clsact(index), tc.add_flow_filter(index, 1, FLOW, actions), tc.add_flow_filter(index, 2, FLOW6, actions),
    ])  # fmt: skip
    both = {
        number: {"packets": each.packets, "drops": each.drops, "rate": each.rate, "idle_s": each.idle_s}
        for number, each in tc.flow_filters(kernel, index).items()
    }
    kernel.send([tc.delete_flow_filter(index, 1, FLOW)])
    return {"both": both, "left": sorted(tc.flow_filters(kernel, index))}


def offloads() -> dict[str, Any]:
    pair = Pair()
    before = ethtool.active_offloads(pair.near.control, "near0")
    ethtool.disable_offloads(pair.near.control, "near0")
    return {
        "before": before,
        "after": ethtool.active_offloads(pair.near.control, "near0"),
        "absent": refusal(lambda: ethtool.disable_offloads(pair.near.control, "nosuch0")),
    }


def _raise() -> int:
    raise ValueError("on purpose")


def _namespace() -> str:
    return str(Path("/proc/self/ns/net").readlink())


def namespaces() -> dict[str, Any]:
    space, home = Namespace(), _namespace()
    with space.entered():
        inside = _namespace()
    with contextlib.suppress(ValueError), space.entered():
        _raise()
    after_error = _namespace()
    space.set_sysctls({"net/ipv4/ip_forward": "1"})
    answers = {
        "differs": inside != home, "back": after_error == home, "forwards": space.sysctl("net/ipv4/ip_forward"),
        "forwards_outside": Namespace().sysctl("net/ipv4/ip_forward"),
        "nonsense": refusal(lambda: space.set_sysctls({"net/ipv4/nonsense": "1"})),
    }  # fmt: skip
    space.close()
    return answers


def nodes() -> dict[str, Any]:
    client, router = Client("c"), Router("r")
    for node in (client, router):
        node.config(routes=())
    bodies: dict[str, Callable[[], int]] = {
        "zero": lambda: 0, "seven": lambda: 7, "exit": lambda: sys.exit(5), "raises": _raise,
    }  # fmt: skip
    statuses = {}
    for name, body in bodies.items():
        statuses[name] = Task(body, client.namespace).status()
    spawned = client.spawn(["readlink", "/proc/self/ns/net"], stdout=subprocess.PIPE)
    there = spawned.communicate()[0].decode().strip()
    with client.namespace.entered():
        expected = _namespace()
    shell_before = client.shell is not None
    answers = {
        "statuses": statuses, "spawned_there": there == expected, "shell_before": shell_before,
        "cmd": client.cmd("readlink /proc/self/ns/net").strip() == expected, "shell_after": client.shell is not None,
        "forwards": [node.namespace.sysctl("net/ipv4/ip_forward") for node in (client, router)],
        "ipv6": client.namespace.sysctl("net/ipv6/conf/all/disable_ipv6"),
        "lo": link.links(client.namespace.kernel)["lo"].up,
    }  # fmt: skip
    for node in (client, router):
        node.terminate()
    return answers


def networks() -> dict[str, Any]:
    path = str(library.find("topologies", "russia2021"))
    parameters = {"lines": LINES, "hops": 2, "box_after_hop": 1, "blocker_after_hop": 1}
    topology = network.load_topology(path, "russia2021", parameters)
    control = {"mobile": "bbr", "origin": "cubic"}
    built = network.build(topology, congestion_control=control)

    def check() -> NetworkFound:
        return network.read_back(built, topology, control)

    counts = check()
    client = built["mobile"]
    kernel, index = client.namespace.kernel, client.intf("eth0").index
    as_built = next(each for each in tc.qdiscs(kernel) if each.index == index and each.netem is not None)

    def tampered(*, change: Callable[[], object], undo: Callable[[], object]) -> dict[str, Any]:
        change()
        found = refusal(check)
        undo()
        return found

    def delay(delay_ns: int, limit: int = 200) -> Callable[[], None]:
        return lambda: kernel.send([tc.change_netem(as_built, Netem(delay_ns=delay_ns, limit=limit))])

    def sysctl(algorithm: str) -> Callable[[], None]:
        return lambda: client.namespace.set_sysctls({"net/ipv4/tcp_congestion_control": algorithm})

    def up(*, is_up: bool) -> Callable[[], None]:
        return lambda: kernel.send([link.set_link(index, up=is_up)])

    right = delay(15_000_000)
    found = {
        "delay": tampered(change=delay(15_000_128), undo=right),
        "queue": tampered(change=delay(15_000_000, 100), undo=right),
        "control": tampered(change=sysctl("reno"), undo=sysctl("bbr")),
        "down": tampered(change=up(is_up=False), undo=up(is_up=True)),
    }

    def lose(ends: tuple[str, str], *, planned: RoutedTopo = topology, is_out: bool) -> None:
        network.change_link(built, planned, ends, names={"loss"}, in_force={"loss": 100.0} if is_out else {})

    lose(("gateway", "state"), is_out=True)
    found["loss"] = refusal(check)
    lose(("gateway", "state"), is_out=False)
    again = check()
    lossy = network.load_topology(path, "russia2021", {**parameters, "access_loss": "2 %"})
    for is_out in (True, False):  # the network is not the lossy one: what comes back is what is planned
        lose(("mobile", "mobile-r1"), planned=lossy, is_out=is_out)
    restored = next(each for each in tc.qdiscs(kernel) if each.index == index and each.netem is not None)
    found["loss after an outage"] = {"kind": "loss", "message": restored.netem.loss if restored.netem else None}
    lose(("mobile", "mobile-r1"), is_out=False)
    found["loss at a box"] = refusal(lambda: lose(("mobile-tspu", "mobile-r1"), is_out=True))
    found |= {f"altered {name}": {"kind": name, "message": each} for name, each in _altered(built, topology).items()}
    return {
        "counts": counts, "again": again, "found": found, "nodes": len(built.hosts), "sending": _sending(built),
    }  # fmt: skip


def _sending(built: Mininet) -> dict[str, Any]:
    """Whether every link sends: once the kernel had time to look at their carriers, and with one end down."""
    settled = refusal(lambda: network.require_sending(built, patience_s=5))
    client = built["mobile"]
    client.namespace.kernel.send([link.set_link(client.intf("eth0").index, up=False)])
    return {"settled": settled, "down": refusal(lambda: network.require_sending(built, patience_s=1))}


def _altered(built: Mininet, topology: RoutedTopo) -> dict[str, object]:
    """Several options of a link altered and put back one by one; one that a program had changed is left alone."""
    client = built["mobile"]
    kernel, index = client.namespace.kernel, client.intf("eth0").index

    def now() -> tc.QdiscState:
        return next(each for each in tc.qdiscs(kernel) if each.index == index and each.netem is not None)

    def change(*names: str, **in_force: float | str) -> list[object]:
        network.change_link(built, topology, ("mobile-r1", "mobile"), names=names, in_force=in_force)
        netem = now().netem
        return [] if netem is None else [netem.delay_ns, netem.jitter_ns, netem.loss, netem.limit]

    both = change("delay", "loss", delay="40 ms", loss=25.0)
    as_built = now()
    assert as_built.netem is not None
    kernel.send([tc.change_netem(as_built, replace(as_built.netem, limit=77))])
    return {"both": both, "one": change("delay", loss=25.0), "none": change("loss"), "limit": change("max_queue_size")}


def dual_stack() -> dict[str, Any]:
    path = str(library.find("topologies", "russia2021"))
    parameters = {"lines": LINES, "hops": 2, "box_after_hop": 1, "blocker_after_hop": 1}
    topology = network.load_topology(path, "russia2021", parameters)
    built = network.build(topology, congestion_control={})
    add_ipv6(built, topology)
    client = built["mobile"]
    with client.namespace.entered():
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    tap.bind(("eth0", 3))
    there = ipv6_of(topology.address_of("origin"))
    client.spawn(["ping", "-c", "1", "-W", "2", there], stdout=subprocess.DEVNULL).wait()
    time.sleep(3)  # what would look for a neighbour, or report a group again, does so by then
    tap.settimeout(0)
    frames = []
    with contextlib.suppress(BlockingIOError):
        while True:
            frames.append(tap.recv(2048))
    kinds = {128: "echo request", 129: "echo reply"}
    addresses = [each.address for node in built.hosts for each in link.ipv6_addresses(node.namespace.kernel)]
    boxes = [built[name].namespace.kernel for name in topology.with_role("box")]
    counted = check_ipv6(built, topology)
    client.namespace.set_sysctls({"net/ipv6/conf/eth0/accept_dad": "0"})
    kernel, index = client.namespace.kernel, client.intf("eth0").index
    kernel.send([link.add_address(index, "2001:db8::bad", 128)])
    found = {"more": refusal(lambda: check_ipv6(built, topology))}
    client.namespace.set_sysctls({"net/ipv6/conf/eth0/disable_ipv6": "1"})
    found["none"] = refusal(lambda: check_ipv6(built, topology))
    return {
        "counted": counted, "ends": 2 * len(topology.segments), "found": found,
        "addresses": [each for each in addresses if each != "::1"],
        "at_boxes": [each.address for kernel in boxes for each in link.ipv6_addresses(kernel) if each.address != "::1"],
        "frames": [kinds.get(frame[54], frame.hex()) if len(frame) > 54 else frame.hex() for frame in frames],
    }  # fmt: skip


def rules() -> dict[str, Any]:
    here, ports = Namespace(), {Direction.UP: "in0", Direction.DOWN: "out0"}

    def followed(name: str) -> list[Rule]:
        return box_rules([(profile(name), frozenset({6, 17}))], ports)

    def listed() -> list[str]:
        argv = ["nft", "--stateless", "list", "ruleset"]
        said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        return [line.strip() for line in said.splitlines() if line.strip("\t }")]

    with here.entered():
        found: dict[str, Any] = {"unknown chain": refusal(lambda: load_rules(CHAIN, [], replacing=True))}
        bad = (attribute(1, b"nosuch\0"),)
        found["unknown step"] = refusal(lambda: load_rules(CHAIN, [*followed("upstream-only"), bad]))
        if shutil.which("nft") is None:
            return found
        found["after the refusal"] = listed()
        load_rules(CHAIN, followed("upstream-only"))
        found["first"] = listed()
        load_rules(CHAIN, followed("tele2-3g-up"), replacing=True)
        found["replaced"] = listed()
    return found


def queues() -> dict[str, Any]:
    def bind() -> PacketQueue:
        return PacketQueue(0, length=65_535, buffer_bytes=1 << 20)

    with Namespace().entered():
        first = bind()
        found: dict[str, Any] = {"taken": refusal(bind), "waiting": len(list(first.packets()))}
        first.close()
        second = bind()
        found["settings"] = Path("/proc/net/netfilter/nfnetlink_queue").read_text().split()[2:5]
        second.close()
    return found


def main(answers: Path) -> None:
    """Ask everything; write the answers."""
    questions = (
        links, refusals, disciplines, filters, offloads, namespaces, nodes, networks, dual_stack, rules, queues,
    )  # fmt: skip
    answers.write_text(json.dumps({each.__name__: each() for each in questions}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
