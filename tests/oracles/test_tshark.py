"""Server names beside those that tshark reads from the same capture: TLS and QUIC hellos, sent in every way.

The box that reassembles is compared with tshark, which does too. Then the box of 2021, which looks at one packet: every
difference must be one that its profile wants.
"""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from testbed.conformance.bench import MSS, Connection
from testbed.conformance.traces import Recipe, draw_recipe, packets
from testbed.middlebox.craft import CHANGE_CIPHER_SPEC, udp_datagram
from testbed.middlebox.events import HelloSeen
from testbed.middlebox.inspector import Inspector
from testbed.middlebox.packet import Direction, Packet
from tests.capture.frames import Stamped, ethernet, pcap
from tests.middlebox.build import profile
from tests.middlebox.recognise.test_quic import VERSION_1, VERSION_2, initials

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRACES = 600
RECORD_HEADER = 5
NAMES = ("rr1.googlevideo.com", "twitter.com", "a" * 63 + ".example.org", "xn--e1afmkfd.xn--p1ai")
Names = dict[int, set[str]]  # by the client's port, which is of one connection alone


@pytest.fixture(scope="module")
def tshark() -> str:
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed; mend with: sudo apt-get install tshark")
    return program


def is_before_4(tshark: str) -> bool:
    said = subprocess.run([tshark, "--version"], capture_output=True, text=True, check=True).stdout
    return int(said.split("(Wireshark) ")[1].split(".")[0]) < 4


def tls_traces() -> dict[int, tuple[Recipe, list[Packet]]]:
    """Recipes and packets by port. The first payload of a recipe may be a hello of its own: those are left out."""
    random = Random(20210310)  # noqa: S311
    recipes = (draw_recipe(random) for _ in iter(int, 1))
    plain = (recipe for recipe in recipes if b"example.org" not in recipe.first)
    return {
        port: (recipe, packets(recipe, Connection(inside_port=port))[: -2 * 28])
        for port, recipe in zip(range(10_000, 10_000 + TRACES), plain, strict=False)
    }


def quic_traces() -> dict[int, list[Packet]]:
    variants = [
        initials(name, version, protocols=protocols)
        for name in NAMES
        for version in (VERSION_1, VERSION_2)
        for protocols in (1, 6, 14)
    ]
    variants += [each[::-1] for each in variants if len(each) > 1]
    return {
        port: [Packet.parse(_to_server(port, payload), Direction.UP) for payload in datagrams]
        for port, datagrams in enumerate(variants, start=30_000)
    }


def _to_server(port: int, payload: bytes) -> bytes:
    return udp_datagram(src=bytes([10, 0, 0, 1]), dst=bytes([192, 0, 2, 1]), sport=port, dport=443, payload=payload)


def names_by_tshark(program: str, path: Path, traces: Iterator[list[Packet]]) -> Names:
    sent = [packet for trace in traces for packet in trace]
    path.write_bytes(pcap([Stamped(number * 1000, ethernet(packet.data)) for number, packet in enumerate(sent)]))
    fields = ["tcp.srcport", "tcp.dstport", "udp.srcport", "tls.handshake.extensions_server_name"]
    options = [word for field in fields for word in ("-e", field)]
    preferences = ["-o", "tcp.reassemble_out_of_order:TRUE", "-o", "tcp.check_checksum:FALSE"]
    answer = subprocess.run(
        [program, "-r", path, "-T", "fields", *preferences, *options, "-E", "separator=/s", "-E", "quote=d"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    names: Names = {}
    for source, destination, datagram, name in csv.reader(io.StringIO(answer.stdout), delimiter=" "):
        port = next(int(each) for each in (datagram, source, destination) if each not in {"", "443"})
        if name:
            names.setdefault(port, set()).update(name.split(","))
    return names


def names_by_box(name: str, traces: Iterator[list[Packet]], **changes: Any) -> Names:
    """The names in the hellos that a box saw. It inspects all flows, for long enough, whoever opened them."""
    box = Inspector(
        profile(name, inspection__budget_packets=[60, 60], trigger__opened_from="any", rules=[], **changes), seed=1
    )
    names: Names = {}
    for packet in (packet for trace in traces for packet in trace):
        for event in box.inspect(packet, 0):
            if isinstance(event, HelloSeen) and event.sni is not None:
                port = packet.sport if packet.direction is Direction.UP else packet.dport
                names.setdefault(port, set()).add(event.sni)
    return names


def test_names_in_tls_hellos(tshark: str, tmp_path: Path) -> None:
    traces = tls_traces()
    theirs = names_by_tshark(tshark, tmp_path / "tls.pcap", (sent for _, sent in traces.values()))
    ours = names_by_box("ru-yt-2024-tcp", (sent for _, sent in traces.values()), inspection__reassembly="records")
    plain = {port for port, (recipe, _) in traces.items() if not recipe.first}
    # Newer releases of tshark do not take a stream for TLS whose first segment is shorter than a record's header.
    short = {port for port in plain if 0 < min(traces[port][0].cuts, default=0) < RECORD_HEADER}
    # Releases before 4.0 lose some streams whose segments arrive in reverse.
    turned = {port for port in plain if traces[port][0].is_reversed and is_before_4(tshark)}
    plain -= (short | turned) - theirs.keys()
    assert len(plain) > TRACES / 3
    assert {port: ours.get(port) for port in plain} == {port: theirs.get(port) for port in plain}
    # Behind a ChangeCipherSpec tshark takes the hello for encrypted; behind a random packet, the box reads no TLS.
    others = traces.keys() - plain - short - turned
    assert {port for port in others & theirs.keys() & ours.keys() if theirs[port] != ours[port]} == set()
    only_ours, only_theirs = others & ours.keys() - theirs.keys(), others & theirs.keys() - ours.keys()
    assert {traces[port][0].first for port in only_ours} <= {CHANGE_CIPHER_SPEC}
    assert {traces[port][0].first[:1] for port in only_theirs} <= {b"\xaa"}


def test_what_the_box_of_2021_does_not_read_its_profile_does_not_want(tshark: str, tmp_path: Path) -> None:
    traces = tls_traces()
    theirs = names_by_tshark(tshark, tmp_path / "tls.pcap", (sent for _, sent in traces.values()))
    ours = names_by_box("ru-tw-2021a", (sent for _, sent in traces.values()))
    assert {port for port in theirs.keys() & ours.keys() if theirs[port] != ours[port]} == set()
    missed = [traces[port][0] for port in theirs.keys() - ours.keys()]
    assert len(missed) > TRACES / 5
    for recipe in missed:  # split over packets or records, larger than a packet, or after what makes it give up
        assert recipe.cuts or recipe.record_cut or recipe.padded_to > MSS or recipe.first.startswith(b"\xaa" * 101)


def test_names_in_quic_hellos(tshark: str, tmp_path: Path) -> None:
    traces = quic_traces()
    theirs = names_by_tshark(tshark, tmp_path / "quic.pcap", iter(traces.values()))
    ours = names_by_box("ru-yt-2024-quic", iter(traces.values()))
    assert set(ours) == set(traces)
    both = theirs.keys() & ours.keys()
    assert len(both) >= len(NAMES)
    assert {port: (theirs[port], ours[port]) for port in both if theirs[port] != ours[port]} == {}
