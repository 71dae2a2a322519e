"""Builds a Mininet network from a routed topology, and reads back from the kernel that it is what was planned."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mininet.link import Intf, TCLink
from mininet.net import Mininet
from mininet.util import numCores

from testbed.errors import CertificateError, ScenarioError
from testbed.guest.network.impairment import Impairment, impair
from testbed.guest.network.link import DEFAULT_MTU, HTB_BURST_BYTES, NetlinkLink, planned_netem
from testbed.guest.network.topology import RoutedTopo
from testbed.netlink import ethtool, link, tc
from testbed.netlink.policer import Policer, policers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from testbed.guest.network.node import NamespaceNode
    from testbed.netlink.netem import Netem
    from testbed.records.certificate import NetworkFound
    from testbed.records.link_plan import LinkPlan

DELAY_TOLERANCE_NS = 64  # one tick of the packet scheduler: what stock tc's rounding may cost
TRACED_BURST_BYTES = 1600  # a packet: what a link may save up must not outweigh a step of its trace
RATE_TOLERANCE = 1  # bytes per second: rounding of Mbit/s
# Mininet's option of a link, and the field of netem's that it becomes; in the order of `planned_netem`.
_NETEM_FIELDS = {"delay": "delay_ns", "jitter": "jitter_ns", "loss": "loss", "max_queue_size": "limit"}
_LOOK_S = 0.05  # at links that do not send yet
LINK_BUILDERS = {"netlink": NetlinkLink, "stock": TCLink}


def topology_class(path: str, name: str) -> type[RoutedTopo]:
    """Return the topology ``name`` of a Mininet custom file.

    Raises:
        ScenarioError: The file cannot be run, or has no such topology, or one without roles.
    """
    spec = importlib.util.spec_from_file_location(f"topology_{Path(path).stem}", path)
    if spec is None or spec.loader is None:
        raise ScenarioError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the user's code: whatever it raises
        raise ScenarioError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    classes = getattr(module, "topos", {})
    if name not in classes:
        raise ScenarioError(f"{path}: no topology {name!r} in its 'topos' (there: {', '.join(classes) or 'none'})")
    found = classes[name]
    if not isinstance(found, type) or not issubclass(found, RoutedTopo):
        raise ScenarioError(
            f"{path}: topology {name!r} is not a testbed.guest.network.topology.RoutedTopo, so it has no roles"
        )
    return found


def load_topology(path: str, name: str, parameters: Mapping[str, object], links: Iterable[LinkPlan] = ()) -> RoutedTopo:
    """Make a topology with its parameters, and put upon it what is said of single links.

    Raises:
        ScenarioError: No such topology or link, or a parameter that does not fit.
    """
    topology = topology_class(path, name)(**parameters)
    impair(topology, links)
    return topology


def build(topology: RoutedTopo, *, links: str = "netlink", congestion_control: dict[str, str]) -> Mininet:
    """Build and configure the network.

    Args:
        topology: What to build.
        links: ``netlink``, or ``stock`` for Mininet's own TCLink.
        congestion_control: By node name, for clients and servers.

    Raises:
        NetlinkError: The kernel refused something.
    """
    numCores.ncores = 1  # as the guest has: Mininet would count them by a program
    # No controller: boxes are the kernel's own bridges, and nobody programs switches.
    network = Mininet(topo=topology, link=LINK_BUILDERS[links], controller=None, build=False)
    network.build()
    if links == "stock":
        for interface in _interfaces(network):
            _adopt(interface)
    _fix_neighbours(network, topology)
    # Last: nothing has sent a segment yet, and a socket takes the algorithm that is set when it is made.
    for name, algorithm in congestion_control.items():
        network[name].namespace.set_sysctls({"net/ipv4/tcp_congestion_control": algorithm})
    return network


def _adopt(interface: Intf) -> None:
    """What stock TCLink leaves to do: its index, and the offloads that it leaves on."""
    namespace = interface.node.namespace
    interface.index = link.links(namespace.kernel)[interface.name].index
    ethtool.disable_offloads(namespace.control, interface.name)


def _interfaces(network: Mininet) -> list[Intf]:
    return [interface for node in network.hosts for interface in node.intfList()]


def _fix_neighbours(network: Mininet, topology: RoutedTopo) -> None:
    """Permanent neighbour entries both ways in every segment: no first packet waits for ARP."""
    for segment in topology.segments:
        ends = ((segment.left, segment.left_interface), (segment.right, segment.right_interface))
        for (near, near_interface), (far, far_interface) in (ends, ends[::-1]):
            ours, theirs = network[near].intf(near_interface), network[far].intf(far_interface)
            network[near].namespace.kernel.send([link.add_neighbour(ours.index, segment.address(far), theirs.MAC())])


def change_link(
    network: Mininet,
    topology: RoutedTopo,
    ends: tuple[str, str],
    *,
    names: Collection[str],
    in_force: Mapping[str, float | str],
) -> None:
    """Bring some options of the link between two nodes to what they are to be now, both ways; the others stay.

    Only those named are touched: a user's program may have changed others of its own node's, and keeps them.

    Args:
        network: That runs.
        topology: That says what is planned.
        ends: The two nodes.
        names: Of the options: ``delay``, ``jitter``, ``loss``, ``max_queue_size``, ``bw``.
        in_force: Their values where they are not as planned, in Mininet's units.

    Raises:
        CertificateError: An end of the link has no netem discipline to change.
    """
    planned = _planned_options(topology)
    for near, far in (ends, ends[::-1]):
        kernel = network[near].namespace.kernel
        for interface, _ in network[near].connectionsTo(network[far]):
            found = next((each for each in tc.qdiscs(kernel) if each.index == interface.index and each.netem), None)
            options = {**planned[near, interface.name], **in_force}
            wanted = _netem(options)
            if found is None or found.netem is None or wanted is None:
                raise CertificateError(
                    f"{near}:{interface.name} has no netem discipline, so its {', '.join(names)} cannot change"
                )
            if "bw" in names:
                kernel.send([tc.change_htb(interface.index, round(options["bw"] * 125_000), HTB_BURST_BYTES)])
            fields = {_NETEM_FIELDS[name]: getattr(wanted, _NETEM_FIELDS[name]) for name in names if name != "bw"}
            # While everything is lost the kernel knows of no bursts, so it cannot tell them when they come back. A seed
            # of the plan's begins anew; without one the kernel draws another, as it does at every change.
            fields |= {"burst": wanted.burst, "seed": wanted.seed}
            kernel.send([tc.change_netem(found, replace(found.netem, **fields))])


def change_rate(network: Mininet, near: str, far: str, rate_bps: int) -> None:
    """Change the rate at which a node sends to another, and read it back.

    Raises:
        CertificateError: The kernel has another rate then.
    """
    for interface, _ in network[near].connectionsTo(network[far]):
        kernel = network[near].namespace.kernel
        rate = max(1, rate_bps // 8)
        kernel.send([tc.change_htb(interface.index, rate, TRACED_BURST_BYTES)])
        _same(f"{near}:{interface.name}: rates", [rate], [each.rate for each in tc.htb_rates(kernel, interface.index)])


def _netem(options: Mapping[str, Any]) -> Netem | None:
    """Return the netem discipline that an interface's options ask for; None where they ask for none."""
    return planned_netem(*(options.get(name) for name in _NETEM_FIELDS), impairment=options.get("impairment"))


def read_back(network: Mininet, topology: RoutedTopo, congestion_control: dict[str, str]) -> NetworkFound:
    """Compare what the kernel has with what the topology asked for.

    Returns:
        What was checked, as counts, for the validity certificate.

    Raises:
        CertificateError: The first difference, with the planned and the actual value.
    """
    checked: NetworkFound = {"interfaces": 0, "netem": 0, "rates": 0, "congestion_control": 0}
    planned = _planned_options(topology)
    for node in network.hosts:
        state = _NodeState(node)
        for interface in node.intfList():
            state.check_interface(interface.name)
            options = planned[node.name, interface.name]
            checked["interfaces"] += 1
            checked["netem"] += state.check_netem(interface.name, options)
            checked["rates"] += state.check_rate(interface.name, options)
            state.check_policer(interface.name, options)
    for name, algorithm in congestion_control.items():
        _NodeState(network[name]).check_congestion_control(algorithm)
        checked["congestion_control"] += 1
    return checked


def require_sending(network: Mininet, *, patience_s: float) -> None:
    """Check that every link sends what it is given. Until a link's carrier has been looked at, the kernel drops it all.

    Args:
        network: That has been built.
        patience_s: How long to wait for it.

    Raises:
        CertificateError: A link does not send by then.
    """
    deadline = time.monotonic() + patience_s
    while (silent := _silent_link(network)) is not None:
        if time.monotonic() >= deadline:
            raise CertificateError(f"{silent}: the link was to send by t = 0, and does not yet")
        time.sleep(_LOOK_S)


def _silent_link(network: Mininet) -> str | None:
    """Return a link's end that does not send yet; None: all do."""
    for node in network.hosts:
        found = link.links(node.namespace.kernel)
        for name in map(str, node.intfNames()):
            if name not in found or not found[name].sends:
                return f"{node.name}:{name}"
    return None


def link_names(network: Mininet) -> dict[str, list[str]]:
    """Return what interfaces each node has."""
    return {node.name: sorted(link.links(node.namespace.kernel)) for node in network.hosts}


def differences(
    network: Mininet,
    topology: RoutedTopo,
    congestion_control: dict[str, str],
    names: dict[str, list[str]],
    altered: Mapping[frozenset[str], Mapping[str, float | str]],
    *,
    rates_bps: Mapping[tuple[str, str], int],
) -> dict[str, list[str]]:
    """Return what is not, or no longer, as planned, in words, by node; nodes that are as planned are left out.

    Args:
        network: That has run for a while.
        topology: That it was built from.
        congestion_control: By node name.
        names: `link_names` as they were when the run began.
        altered: By link, as its two ends: options that timed events have in force in the place of planned ones.
        rates_bps: By sending and receiving node: rates that traces have set.
    """
    planned = _planned_options(topology)
    found: dict[str, list[str]] = {}
    for node in network.hosts:
        state = _NodeState(node)
        checks: list[Callable[[], object]] = [partial(state.check_names, names[node.name])]
        for interface in node.intfList():
            # What a timed event does to a link is as planned, too.
            options = {**planned[node.name, interface.name], **altered.get(_ends(interface), {})}
            far = next(iter(_ends(interface) - {node.name}))
            if (node.name, far) in rates_bps:
                options["bw"] = rates_bps[node.name, far] / 1e6
            checks.append(partial(state.check_interface, interface.name))
            checks += [
                partial(check, interface.name, options)
                for check in (state.check_netem, state.check_rate, state.check_policer)
            ]
        if node.name in congestion_control:
            checks.append(partial(state.check_congestion_control, congestion_control[node.name]))
        problems = [text for text in map(_problem, checks) if text is not None]
        if problems:
            found[node.name] = list(dict.fromkeys(problems))
    return found


def _ends(interface: Intf) -> frozenset[str]:
    return frozenset({interface.link.intf1.node.name, interface.link.intf2.node.name})


def _problem(check: Callable[[], object]) -> str | None:
    """Return what a check complains of."""
    try:
        check()
    except CertificateError as error:
        return str(error)
    return None


def _planned_options(topology: RoutedTopo) -> dict[tuple[str, str], dict[str, Any]]:
    planned = {}
    for _, _, info in topology.iterLinks(withInfo=True):
        for number in ("1", "2"):
            planned[info["node" + number], info["intfName" + number]] = info["params" + number]
    return planned


def _same(what: str, planned: object, actual: object) -> None:
    if planned != actual:
        raise CertificateError(f"{what}: planned {planned}, the kernel has {actual}")


def _close(what: str, planned: int, actual: int, tolerance: int) -> None:
    if abs(planned - actual) > tolerance:
        raise CertificateError(f"{what}: planned {planned}, the kernel has {actual}")


class _NodeState:
    """What the kernel says of one node."""

    def __init__(self, node: NamespaceNode) -> None:
        self._node = node
        self._links = link.links(node.namespace.kernel)
        self._qdiscs = tc.qdiscs(node.namespace.kernel)

    def check_names(self, names: list[str]) -> None:
        _same(f"{self._node.name}: interfaces", names, sorted(self._links))

    def check_congestion_control(self, algorithm: str) -> None:
        actual = self._node.namespace.sysctl("net/ipv4/tcp_congestion_control")
        _same(f"{self._node.name}: congestion control", algorithm, actual)

    def check_interface(self, name: str) -> None:
        where = f"{self._node.name}:{name}"
        actual = self._link(name)
        _same(f"{where}: MTU", DEFAULT_MTU, actual.mtu)
        _same(f"{where}: up", planned=True, actual=actual.up)
        active = ethtool.active_offloads(self._node.namespace.control, name)
        _same(f"{where}: active offloads", [], active)

    def _link(self, name: str) -> link.LinkState:
        if name not in self._links:
            raise CertificateError(f"{self._node.name}:{name}: the interface is gone")
        return self._links[name]

    def check_netem(self, name: str, options: Mapping[str, Any]) -> int:
        """1 where a netem discipline was planned and is there as planned, 0 where none was planned."""
        where = f"{self._node.name}:{name}"
        index = self._link(name).index
        found = [qdisc.netem for qdisc in self._qdiscs if qdisc.index == index and qdisc.netem is not None]
        planned = _netem(options)
        if planned is None:
            _same(f"{where}: netem", [], found)
            return 0
        if not found:
            raise CertificateError(f"{where}: planned {planned}, but the kernel has no netem there")
        actual = found[0]
        _close(f"{where}: delay in ns", planned.delay_ns, actual.delay_ns, DELAY_TOLERANCE_NS)
        _close(f"{where}: jitter in ns", planned.jitter_ns, actual.jitter_ns, DELAY_TOLERANCE_NS)
        _same(f"{where}: queue limit", planned.limit, actual.limit)
        _close(f"{where}: loss in parts per billion", round(planned.loss * 1e9), round(actual.loss * 1e9), 100)
        self._check_impairment(where, index, planned, actual, options.get("impairment") or Impairment())
        return 1

    def _check_impairment(self, where: str, index: int, planned: Netem, actual: Netem, more: Impairment) -> None:
        """What Mininet has no words for: bursts, duplicates, order, seed, and the queue behind netem."""
        in_bursts = 0 < planned.loss < 1
        for name in ("burst", "duplicate", "reorder"):
            wanted = getattr(planned, name) if name != "burst" or in_bursts else 1.0
            parts = [round(share * 1e9) for share in (wanted, getattr(actual, name))]
            _close(f"{where}: {name} in parts per billion", parts[0], parts[1], 1000)
        _same(f"{where}: keeps order", planned.keeps_order, actual.keeps_order)
        if planned.seed:
            _same(f"{where}: seed", planned.seed, actual.seed)
        behind = [each for each in self._qdiscs if each.index == index and each.parent == tc.handle(0x10, 1)]
        queues = [each.queue for each in behind if each.queue is not None]
        if more.queue is None:
            _same(f"{where}: queue", [], queues)
        elif not queues or not queues[0].is_like(more.queue):
            raise CertificateError(f"{where}: planned {more.queue}, the kernel has {queues}")

    def check_policer(self, name: str, options: Mapping[str, Any]) -> None:
        where = f"{self._node.name}:{name}"
        impairment: Impairment = options.get("impairment") or Impairment()
        planned = [] if impairment.policer is None else [impairment.policer]
        actual = policers(self._node.namespace.kernel, self._link(name).index) if self._has_egress(name) else []
        if len(planned) != len(actual) or not all(map(Policer.is_like, planned, actual)):
            raise CertificateError(f"{where}: planned the policers {planned}, the kernel has {actual}")

    def _has_egress(self, name: str) -> bool:
        """Return whether there is a hook that a policer could hang on; without one the kernel does not list any."""
        index = self._link(name).index
        return any(each.index == index and each.kind == "clsact" for each in self._qdiscs)

    def check_rate(self, name: str, options: Mapping[str, Any]) -> int:
        """1 where a rate was planned and is there as planned, 0 where none was planned."""
        where = f"{self._node.name}:{name}"
        rates = tc.htb_rates(self._node.namespace.kernel, self._link(name).index)
        if options.get("bw") is None:
            _same(f"{where}: HTB classes", [], rates)
            return 0
        if not rates:
            raise CertificateError(f"{where}: planned {options['bw']} Mbit/s, but the kernel has no rate limit there")
        _close(f"{where}: rate in bytes per second", round(options["bw"] * 125_000), rates[0].rate, RATE_TOLERANCE)
        return 1
