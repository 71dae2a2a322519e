"""Runs over IPv6: clients, servers, replays, evasions, probes and commands, and what is recorded of them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from testbed.detectors.sources.run import observation_from_run
from testbed.engine.judge.compare_runs import compare_runs
from testbed.engine.run import run_plan
from testbed.middlebox.packet import Direction, Packet, address_text
from testbed.probing.probe import ProbeRequest, plan_probe, read_findings
from testbed.records.agreement import compare, read_box_captures
from testbed.records.capture_file import datagram, read_frames
from testbed.records.ip_header import FRAGMENT
from testbed.report.table import transfer_table
from testbed.report.tidy import tidy_rows
from testbed.scenario import library

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.engine.kernel.cache import KernelInfo
    from tests.conftest import FinishedRun, Runner

CLIENT, CLIENT6 = "100.64.0.1", "2001:db8::6440:1"
ORIGIN6, UNIVERSITY6 = "2001:db8::c633:6406", "2001:db8::c633:6402"
BOX = "mobile-tspu"
MEASUREMENTS = """\
measurements=[
  {fetch: example.com, role: control, size: 100 kB},
  {fetch: twitter.com, role: target, size: 100 kB},
  {fetch: twitter.com, role: target, size: 100 kB, ip: 4},
  {fetch: twitter.com, role: target, size: 100 kB, client: curl},
  {fetch: twitter.com, role: target, size: 100 kB, client: curl, ip: 4},
  {fetch: example.com, role: control, size: 20 kB, parallel: 2},
  {upload: twitter.com, role: target, size: 100 kB},
  {replay: image, role: target},
  {replay: image, role: control, inverted: true},
  {evade: plain, role: target},
  {evade: plain, role: target, ip: 4},
  {evade: ip-fragments, role: target},
  {evade: wrong-checksum, role: target},
  {evade: tcp-reverse, role: target},
  {evade: small-window, role: target},
  {evade: from-outside, role: target},
  {evade: split-handshake, role: target},
  {evade: injected-rst, role: target},
  {evade: quic, role: target},
]"""
LINE = "lines=[{name: mobile, kind: mobile, tspu: true}]"
SETTINGS = (
    "ip=6", "outages=[]", LINE, MEASUREMENTS,
    "recordings=[{name: image, line: mobile, sni: abs.twimg.com, size: 60 kB}]",
    "background=[{udp: [state, mobile], rate: 50 kbit/s, beside: target}]",
)  # fmt: skip
SLOW = {  # by name: what the box of 2021 does to each
    "example.com": False, "example.com, IPv6": False, "twitter.com, IPv6": True, "twitter.com": True,
    "example.com, IPv6, 1 of 2": False, "example.com, IPv6, 2 of 2": False, "upload twitter.com, IPv6": True,
    "replay image, download, original, IPv6": True, "replay image, download, inverted, IPv6": False,
    "plain, IPv6": True, "plain": True, "ip-fragments, IPv6": False, "wrong-checksum, IPv6": False,
    "tcp-reverse, IPv6": False, "small-window, IPv6": False, "from-outside, IPv6": False,
    "split-handshake, IPv6": True, "injected-rst, IPv6": True, "quic, IPv6": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def run(run_scenario: Runner) -> FinishedRun:
    return run_scenario(*SETTINGS)


def packets(run: FinishedRun, name: str) -> Iterator[Packet]:
    with (run.path / "captures" / f"{name}.pcapng").open("rb") as file:
        for frame in read_frames(file):
            data = datagram(frame)
            assert data is not None, frame  # nothing but IP: nobody asks who has an address
            yield Packet.parse(data, Direction.UP)


def test_every_transfer_is_treated_as_over_ipv4(run: FinishedRun) -> None:
    assert run.manifest["problems"] == []
    assert {each["name"]: each["error"] for each in run.manifest["transfers"] if not each["ok"]} == {}
    found = [(each["name"], each["throttled"]) for each in run.manifest["transfers"]]
    assert found == [(name, SLOW[name]) for name, _ in found]
    long = [each for each in run.manifest["transfers"] if each["bytes"] >= 60_000]  # TCP needs time to become fast
    slow, free = ([each["goodput_bps"] for each in long if each["throttled"] is state] for state in (True, False))
    assert max(slow) < 200_000 < 2 * 200_000 < min(free)


def test_each_goes_over_the_ip_that_it_is_to(run: FinishedRun) -> None:
    """As its client says and as the client's capture has it."""
    seen = {
        (address_text(packet.src), packet.sport, address_text(packet.dst), packet.dport)
        for packet in packets(run, "mobile-client")
    }
    connected = {each["transfer"]: each for each in run.records.measurements() if each["event"] == "connected"}
    for each in run.manifest["transfers"]:
        ends = connected[each["id"]]
        over_ipv6 = "IPv6" in each["name"]
        assert ends["local"][0] == (CLIENT6 if over_ipv6 else CLIENT)
        assert (":" in ends["remote"][0]) is over_ipv6
        ways = [(*ends["local"], *ends["remote"]), (*ends["remote"], *ends["local"])]
        assert set(ways) <= seen


def test_nothing_but_what_was_planned_is_on_the_wire(run: FinishedRun) -> None:
    """No neighbour discovery, no router advertisement, no report of a group: transfers, and routers' errors."""
    for name in ("mobile-client", "origin-server", f"{BOX}-inside", f"{BOX}-outside"):
        kinds = {packet.protocol for packet in packets(run, name)}
        assert kinds <= {6, 17, 1, 58}, name
        errors = {packet.body[0] for packet in packets(run, name) if packet.protocol == 58}
        assert errors <= {3}, name  # time exceeded (RFC 4443, section 3.3): an evasion's segment died


def test_a_hello_in_fragments_is_fragmented_by_ipv6s_own_header(run: FinishedRun) -> None:
    pieces = [packet for packet in packets(run, f"{BOX}-inside") if packet.version == 6 and packet.is_fragment]
    assert len(pieces) > 1
    assert {piece.data[6] for piece in pieces} == {FRAGMENT}


def test_log_and_captures_agree_and_part_when_the_log_loses_a_line(run: FinishedRun) -> None:
    """Of a packet that IPv6 gives no number."""

    def compared(truth: list[Any]) -> Any:
        sides = [run.path / "captures" / f"{BOX}-{side}.pcapng" for side in ("inside", "outside")]
        return compare(
            read_box_captures(sides[0], sides[1], [CLIENT, CLIENT6]), truth, start_ns=run.manifest["start_ns"],
            until_ns=run.manifest["certificate"]["boxes"][BOX]["stopped_ns"],
        )  # fmt: skip

    truth = list(run.records.each_truth(BOX))
    flows = {each["flow"] for each in truth if each["event"] == "flow_opened" and each["inside"] == CLIENT6}
    drops = [each for each in truth if each["event"] == "packet_dropped"]
    over_ipv6 = [each for each in drops if each["flow"] in flows]
    assert {each["ip_id"] for each in over_ipv6} == {0}
    whole = compared(truth)
    assert whole.agrees
    assert whole.dropped == len(drops)
    lost = over_ipv6[len(over_ipv6) // 2]
    parted = compared([each for each in truth if each is not lost])
    assert not parted.agrees
    [missing] = parted.only_captures
    assert (missing.inside, missing.seq, missing.length) == (CLIENT6, lost["seq"], lost["length"])


def test_the_certificate_says_that_ipv6_was_read_back(run: FinishedRun) -> None:
    found = run.manifest["certificate"]["network"]
    [about] = [each["about"] for each in run.manifest["checks"] if each["check"] == "network"]
    assert about == f"network as planned, with {found['ipv6_addresses']} IPv6 addresses"


def test_a_detector_sees_each_download_in_the_captures_of_both_ends(run: FinishedRun) -> None:
    seen = {each.id: each for each in observation_from_run(run.path).transfers}
    for each in run.manifest["transfers"]:
        if each["kind"] == "fetch":
            transfer = seen[each["id"]]
            assert transfer.receiver_flow is not None, each["name"]
            assert transfer.sender_flow is not None, each["name"]
            assert transfer.bytes[-1] >= each["bytes"]


def test_the_tables_say_what_went_over_ipv6(run: FinishedRun) -> None:
    for row in tidy_rows([run.path]):
        assert row["ip"] == (6 if "IPv6" in str(row["name"]) or row["role"] == "background" else 4)
    assert re.search(r"^ +twitter\.com, IPv6 +target", transfer_table(run.manifest), re.MULTILINE)


def test_the_same_seed_gives_the_same_bytes(run_scenario: Runner) -> None:
    small = (
        "ip=6", "outages=[]", LINE, "recordings=[]",
        (
            "measurements=[{fetch: twitter.com, role: target, size: 40 kB}, {fetch: t.co, role: target, size: 40 kB, "
            "client: curl}, {evade: ip-fragments, role: target, size: 10 kB}]"
        ),
    )  # fmt: skip
    first, again = (run_scenario(*small, seed=5) for _ in range(2))
    assert not compare_runs(first.path, again.path).differences


def test_a_command_finds_names_of_both_kinds_and_its_flows_are_found(run_scenario: Runner) -> None:
    program = (
        "curl --curves X25519 -sS6o /dev/null https://twitter.com/383000.bin && "
        "curl -sS4o /dev/null https://example.com/ && "
        "getent ahostsv6 twitter.com && ping -6 -c 1 -W 2 origin.invalid || ping -6 -c 1 -W 2 twitter.com"
    )
    run = run_scenario("ip=6", LINE, "recordings=[]", command=["sh", "-c", program])
    assert run.manifest["certificate"]["command_status"] == 0, (run.path / "command.stderr").read_text()
    flows = {each["name"]: each for each in run.manifest["transfers"]}
    assert flows["twitter.com port 443"]["throttled"]
    assert not flows["example.com port 443"]["throttled"]
    connected = [each["remote"][0] for each in run.records.measurements() if each["event"] == "connected"]
    assert connected == [ORIGIN6, "198.51.100.6"]
    assert [each.get("ip") for each in run.manifest["transfers"]] == [6, None]
    assert ORIGIN6 in (run.path / "command.stdout").read_text()


def test_a_probe_counts_hop_limits(kernel: KernelInfo, tmp_path: Path) -> None:
    request = ProbeRequest.from_words("ttl", [], line="mobile", sni="twitter.com", names=None)
    plan = plan_probe(library.find("scenarios", "2021-03-10"), ["ip=6"], request, seed=1, engine="virtual")
    run_plan(plan, kernel, tmp_path / "run", silence_s=120.0, progress=lambda _: None)
    found: Any = read_findings(plan, tmp_path / "run")
    assert found["after_hop"] == 3
    assert all(each.startswith("2001:db8::") for each in found["routers"])
    assert json.loads((tmp_path / "run" / "plan.json").read_text())["phases"][0]["lines"][0]["transfers"][0]["ip"] == 6
