"""The live box does over IPv6 what the model says: on generated packets in the bench, on real TCP in runs."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt

from testbed.conformance.traces import draw_recipe, interleaved, names_for
from testbed.middlebox.craft import fragments
from testbed.middlebox.packet import Packet
from testbed.middlebox.profile import Profile
from tests.engine.test_live_box import LONGEST_MEMORY_S, SEED, UP, fates, fates_by_model, run_trials, run_with
from tests.middlebox.build import Connection, client_hello, plain_profile

if TYPE_CHECKING:
    from testbed.conformance.three_way import ThreeWay
    from tests.conftest import Runner

INSIDE, OUTSIDE = "2001:db8::a00:1", "2001:db8::c000:201"
HELLOS = 24
PROFILES = (  # one for each thing that is done to packets or kept of flows; all of them go over IPv4
    "ru-tw-2021a", "eco-degrade", "ru-2022-IV", "tele2-3g-up", "kz-2022", "tr-handshake-2025", "ru-2022-I", "isp-block",
    "isp-block-rst", "cn-line-2025", "ir-freeze-2023", "upstream-only",
)  # fmt: skip


def hellos_for(plain: dict[str, Any]) -> list[Packet]:
    """Hellos sent in every way, between two addresses of IPv6."""
    used = Profile.from_dict(plain)
    random = Random(SEED)  # noqa: S311 - reproducible, not secret
    http_share = 0.5 if "http" in used.trigger.names_from else 0.0
    recipes = [draw_recipe(random, names_for(used), http_share=http_share) for _ in range(HELLOS)]
    return list(interleaved(recipes, random, inside=INSIDE, outside=OUTSIDE))


def in_fragments(packet: Packet, size: int, ip_id: int) -> list[Packet]:
    return [Packet.parse(each, packet.direction) for each in fragments(packet.data, size, ip_id=ip_id)]


def fragments_in_any_order() -> list[Packet]:
    """A hello in fragments, last one first; one that is never completed; one of more fragments than a box takes."""
    connection = Connection(INSIDE, OUTSIDE)
    trace = connection.handshake()
    trace += in_fragments(connection.up(client_hello("twitter.com")), 160, 1)[::-1]
    trace += in_fragments(connection.up(bytes(1000)), 480, 2)[:-1]
    trace += in_fragments(connection.up(bytes(1300)), 24, 3)
    return trace + [connection.down(bytes(1300)) for _ in range(30)]


def fragments_of_a_datagram_with_options() -> list[Packet]:
    """Options of the destination stand before the TCP header, so that no fragment says that it is of TCP."""
    connection = Connection(INSIDE, OUTSIDE)
    trace = connection.handshake()
    layers = IPv6(connection.up(client_hello("twitter.com")).data)
    del layers.plen, layers.nh
    layers.payload = IPv6ExtHdrDestOpt() / layers.payload
    trace += in_fragments(Packet.parse(bytes(layers), UP), 160, 4)
    return trace + [connection.down(bytes(1300)) for _ in range(30)]


CASES = {
    "held": (plain_profile("ru-2022-I"), fragments_in_any_order, "packet_held"),
    "pass": (plain_profile("ru-tw-2021a"), fragments_in_any_order, "flow_opened"),
    "reassembled": (
        plain_profile("ru-2022-IV", inspection__fragments="reassemble"), fragments_in_any_order, "packet_dropped",
    ),
    "held-with-options": (plain_profile("ru-2022-I"), fragments_of_a_datagram_with_options, "packet_held"),
    "dropped-with-options": (
        plain_profile("ru-2022-IV", inspection__fragments="reassemble"), fragments_of_a_datagram_with_options,
        "packet_dropped",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def found(run_scenario: Runner, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ThreeWay]:
    trials = [(name, plain := plain_profile(name), hellos_for(plain)) for name in PROFILES]
    trials += [(name, plain, trace()) for name, (plain, trace, _) in CASES.items()]
    folder = tmp_path_factory.mktemp("ipv6")
    return run_trials(run_scenario, folder, trials, settle_s=LONGEST_MEMORY_S, inside=INSIDE)


@pytest.mark.parametrize("name", [*PROFILES, *CASES])
def test_model_adapter_and_live_box_agree_on_every_packet(found: dict[str, ThreeWay], name: str) -> None:
    each = found[name]
    assert each.packets > 30
    assert (each.missing, each.adapter, each.live, each.timers) == (0, [], [], [])
    assert each.wire.agrees, each.wire


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("ru-tw-2021a", "packet_dropped"),  # by the kernel's policer
        ("eco-degrade", "packet_dropped"),
        ("ru-2022-IV", "packet_dropped"),
        ("tele2-3g-up", "packet_delayed"),
        ("ru-2022-I", "packet_rewritten"),
        ("isp-block-rst", "packet_injected"),
        *((name, event) for name, (_, _, event) in CASES.items()),
    ],
)
def test_it_is_done_to_packets_of_ipv6(found: dict[str, ThreeWay], name: str, event: str) -> None:
    assert found[name].events[event] > 0


@pytest.mark.parametrize(
    ("censor", "measurement", "event", "error"),
    [
        ("ru-2022-I", "fetch: twitter.com", "packet_rewritten", "receiving failed: Connection reset by peer"),
        ("ru-2022-II", "fetch: twitter.com, timeout: 20 s", "packet_dropped", "timed out while waiting for data"),
        ("isp-block-rst", "fetch: linkedin.com", "packet_injected", "receiving failed: Connection reset by peer"),
        ("kz-2022", "fetch: www.azattyq.org, size: 30 kB", "packet_delayed", None),
        ("tele2-3g-up", "upload: twitter.com, size: 90 kB", "packet_delayed", None),
    ],
)
def test_real_connections_meet_the_fate_that_the_model_foretells(
    run_scenario: Runner, censor: str, measurement: str, event: str, error: str | None
) -> None:
    run = run_with(run_scenario, censor, "ip=6", "recordings=[]", f"measurements=[{{{measurement}, role: target}}]")
    assert run.manifest["problems"] == []
    assert [each["error"] for each in run.manifest["transfers"]] == [error]
    by_box = fates(run.records.truth("mobile-tspu"))
    assert by_box == fates_by_model(run, "mobile-tspu", "2001:db8::6440:0/106")
    assert event in {fate[0] for fate in by_box}


def test_a_block_page_is_served_in_the_servers_place(run_scenario: Runner) -> None:
    argv = ["curl", "-6", "-sS", "-m", "20", "http://linkedin.com:443/"]
    run = run_with(run_scenario, "isp-block", "ip=6", "recordings=[]", argv=argv)
    assert run.manifest["problems"] == []
    assert run.manifest["certificate"]["command_status"] == 0
    assert "Access to this site is restricted." in (run.path / "command.stdout").read_text()
