"""A live box between two bare links: packets of a trace through it, each at its time, and what became of them.

    inside ── eth0 box eth1 ── outside

The links' far ends have no addresses and answer nothing, so the box sees the trace and nothing else. This is a program
for the guest (``testbed run … -- python -m testbed.conformance.live_bench``): it leaves the captures of both ports, the
box's log and its counters in a folder. In the box's place can stand one of the kernel's own shapers, to compare it with
the model.
Not for: real TCP; scenarios have that.
"""

from __future__ import annotations

import argparse
import json
import shlex
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.errors import CertificateError
from testbed.guest.captures import CapturePoint, capture
from testbed.guest.child import Child, Lifetime
from testbed.guest.network.link import NetlinkLink
from testbed.guest.network.node import Box, NamespaceNode
from testbed.middlebox.adapters.nfqueue import LiveBox
from testbed.middlebox.events import Event, event_to_json
from testbed.middlebox.meters.shaper import ShaperSpec
from testbed.middlebox.profile import Profile
from testbed.netlink import tc
from testbed.records.capture_file import datagram, read_frames
from testbed.records.jsonl import LineWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.records.certificate import BoxCounters

__all__ = ["bench", "command"]

INSIDE_MAC, OUTSIDE_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
_NS_PER_S = 1_000_000_000
_SETTLE_S = 3.0  # links carry packets within a second after they have been set up
_SO_SNDBUFFORCE, _SEND_BYTES = 32, 1 << 28
_TYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}  # EtherType by IP version


def command(
    profile: Path, trace: Path, name: str, *, seed: int, inside: str, settle_s: float = 6.0, kernel: str = "none"
) -> str:
    """A shell's command that runs the bench in the guest; results are in ``output/name`` of the run directory."""
    return (
        f"$TESTBED_PYTHON -m testbed.conformance.live_bench {shlex.quote(str(profile))} {shlex.quote(str(trace))} "
        f"/run/output/output/{name} --seed {seed} --inside {inside} --settle {settle_s} --kernel {kernel}"
    )


def bench(
    profile: Profile, trace: Path, folder: Path, *, seed: int, inside: bytes, settle_s: float, kernel: str
) -> None:
    """Send a trace through a live box.

    Args:
        profile: The censor.
        trace: A capture of what is to arrive; its times count from its first packet.
        folder: Where ``inside.pcap``, ``outside.pcap``, ``truth.jsonl`` and ``counters.json`` go.
        seed: Of everything that the box draws by lot.
        inside: Packed address of the subscriber; packets from anywhere else come from outside.
        settle_s: How long the box may go on after the last packet.
        kernel: "none", or "tbf" or "htb": what comes from inside is shaped by that discipline of the kernel, with the
            numbers of the profile's shaper, and there is no live box.

    Raises:
        GuestError: The box or the captures did not start, or ended early.
        CaptureError: The trace cannot be read.
    """
    ends = {True: NamespaceNode("inside"), False: NamespaceNode("outside")}
    box = Box("box")
    for number, (is_inside, mac) in enumerate(((True, INSIDE_MAC), (False, OUTSIDE_MAC))):
        NetlinkLink(ends[is_inside], box, intfName1="eth0", intfName2=f"eth{number}", addr1=mac)
    for node in (*ends.values(), box):
        for interface in node.intfList():
            interface.config()
        node.config()
    folder.mkdir()
    start_ns = time.time_ns() + round(_SETTLE_S * _NS_PER_S)
    points = [CapturePoint("inside", box, "eth0"), CapturePoint("outside", box, "eth1")]
    # Before the box: nothing may cross it that they do not have.
    captures = Child("the captures", capture(folder, points))
    wires = {is_inside: _wire(node) for is_inside, node in ends.items()}
    counters: dict[str, object] = {"start_ns": start_ns}
    live = None
    if kernel == "none":
        live = Child("the box", lambda lifetime: _run_box(profile, seed, folder, start_ns, lifetime), box.namespace)
    else:
        _shape_in_kernel(box, profile, kernel)
    _send(trace, wires, inside, start_ns)
    time.sleep(settle_s)
    if live is not None:
        counters["box"] = live.stop()
    counters["captures"] = captures.stop()
    (folder / "counters.json").write_text(json.dumps(counters))


def _shape_in_kernel(box: Box, profile: Profile, kind: str) -> None:
    """Put the kernel's form of the profile's shaper at the egress of the outer port."""
    spec = None if profile.meter is None else profile.meter.spec
    if not isinstance(spec, ShaperSpec):
        raise CertificateError(f"{profile.name} has no shaper")
    index, rate = box.intf("eth1").index, spec.rate_bps // 8
    if kind == "tbf":
        box.namespace.kernel.send([tc.add_tbf(index, rate, spec.start().burst_ticks, spec.queue_bytes)])
    else:
        queue = tc.add_bfifo(index, tc.handle(5, 1), spec.queue_bytes)
        box.namespace.kernel.send([*tc.add_htb(index, rate, spec.burst_bytes), queue])


def _run_box(profile: Profile, seed: int, folder: Path, start_ns: int, lifetime: Lifetime) -> BoxCounters:
    truth = LineWriter(folder / "truth.jsonl")

    def log(events: list[Event]) -> None:
        truth.write(*({**event_to_json(event, start_ns=start_ns), "box": "box"} for event in events))

    live = LiveBox(profile, seed=seed, inside="eth0", outside="eth1", log=log)
    counters = live.run(lifetime.ready, lifetime.fileno())
    truth.close()
    return counters


def _wire(node: NamespaceNode) -> socket.socket:
    with node.namespace.entered():
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        # No IP layer stands between here and the box, so what it delays still counts as unsent.
        wire.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BYTES)
        wire.bind(("eth0", 0))
    return wire


def _send(trace: Path, wires: dict[bool, socket.socket], inside: bytes, start_ns: int) -> None:
    macs = {True: bytes.fromhex(INSIDE_MAC.replace(":", "")), False: bytes.fromhex(OUTSIDE_MAC.replace(":", ""))}
    for t_ns, data in _packets(trace):
        is_up = inside in {data[12:16], data[8:24]}
        remaining_ns = start_ns + t_ns - time.time_ns()
        if remaining_ns > 0:
            time.sleep(remaining_ns / _NS_PER_S)
        wires[is_up].send(macs[not is_up] + macs[is_up] + _TYPES[data[0] >> 4] + data)


def _packets(trace: Path) -> Iterator[tuple[int, bytes]]:
    with trace.open("rb") as file:
        first_ns = None
        for frame in read_frames(file):
            data = datagram(frame)
            if data is not None:
                first_ns = frame.t_ns if first_ns is None else first_ns
                yield frame.t_ns - first_ns, data


def main() -> None:
    """``live_bench PROFILE.json TRACE.pcap FOLDER --seed N --inside ADDRESS``; the profile is plain JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("profile", type=Path)
    parser.add_argument("trace", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--inside", required=True)
    parser.add_argument("--settle", type=float, required=True, help="seconds after the last packet")
    parser.add_argument("--kernel", choices=("none", "tbf", "htb"), required=True)
    given = parser.parse_args()
    profile = Profile.from_dict(json.loads(given.profile.read_text()))
    inside = socket.inet_pton(socket.AF_INET6 if ":" in given.inside else socket.AF_INET, given.inside)
    bench(
        profile, given.trace, given.folder, seed=given.seed, inside=inside, settle_s=given.settle, kernel=given.kernel
    )


if __name__ == "__main__":
    main()
