"""The live box does what the model says, profile by profile: on generated packets in the bench, on real TCP in runs.

benchmarks/three_way_agreement.py does the first with twenty times as many hellos.
"""

from __future__ import annotations

import json
from ipaddress import ip_network
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from testbed.conformance.live_bench import command
from testbed.conformance.three_way import ThreeWay, compare_three_ways
from testbed.conformance.traces import draw_recipe, interleaved, names_for, write_trace
from testbed.middlebox.adapters.pcap import inspect_box
from testbed.middlebox.craft import udp_datagram
from testbed.middlebox.events import event_to_json
from testbed.middlebox.packet import ACK, SYN, Direction, Packet
from testbed.middlebox.profile import Profile
from testbed.records.box_plan import profiles_of
from tests.middlebox.build import Connection, client_hello, plain_profile, profile_names
from tests.middlebox.recognise.test_quic import initials
from tests.middlebox.test_fragments import pieces_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.conftest import FinishedRun, Runner

INSIDE, OUTSIDE = "10.0.0.1", "192.0.2.1"
UP, DOWN = Direction.UP, Direction.DOWN
GAP_NS = 100_000
SEED = 5
HELLOS = 24
LONGEST_MEMORY_S = 650
ONE_LINE = "lines=[{name: mobile, kind: mobile, tspu: true}]"

Trial = tuple[str, dict[str, Any], list[Packet]]  # name, plain profile, trace


def run_trials(
    run_scenario: Runner, folder: Path, trials: Iterable[Trial], *, settle_s: float, inside: str = INSIDE
) -> dict[str, ThreeWay]:
    """All trials in one guest."""
    trials = list(trials)
    scripts = []
    for name, plain, trace in trials:
        (folder / f"{name}.json").write_text(json.dumps(plain))
        write_trace(folder / f"{name}.pcap", ((index * GAP_NS, packet) for index, packet in enumerate(trace)))
        scripts.append(
            command(folder / f"{name}.json", folder / f"{name}.pcap", name, seed=SEED, inside=inside, settle_s=settle_s)
        )
    run = run_scenario(
        "recordings=[]", "censors={}", "captures=[]", command=["sh", "-c", " && ".join(scripts)], privileged=True
    )
    assert run.manifest["certificate"]["command_status"] == 0, (run.path / "command.stderr").read_text()
    return {
        name: compare_three_ways(trace, run.path / "output" / name, Profile.from_dict(plain), seed=SEED, inside=inside)
        for name, plain, trace in trials
    }


# Every profile, on hellos sent in every way.


def hellos_for(plain: dict[str, Any]) -> list[Packet]:
    used = Profile.from_dict(plain)
    random = Random(SEED)  # noqa: S311 - reproducible, not secret
    prefixes = [pattern for rule in used.rules if rule.kind == "address" for pattern in rule.patterns]
    outside = str(ip_network(prefixes[0])[1]) if prefixes else OUTSIDE
    http_share = 0.5 if "http" in used.trigger.names_from else 0.0
    recipes = [draw_recipe(random, names_for(used), http_share=http_share) for _ in range(HELLOS)]
    return list(interleaved(recipes, random, inside=INSIDE, outside=outside))


@pytest.fixture(scope="module")
def all_profiles(run_scenario: Runner, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ThreeWay]:
    trials = [(name, plain := plain_profile(name), hellos_for(plain)) for name in profile_names()]
    return run_trials(run_scenario, tmp_path_factory.mktemp("hellos"), trials, settle_s=LONGEST_MEMORY_S)


@pytest.mark.parametrize("name", profile_names())
def test_model_adapter_and_live_box_agree_on_every_packet(all_profiles: dict[str, ThreeWay], name: str) -> None:
    found = all_profiles[name]
    assert found.packets > 60 * HELLOS
    assert (found.missing, found.adapter, found.live, found.timers) == (0, [], [], [])
    assert found.wire.agrees, found.wire


def test_each_thing_that_a_box_can_do_to_a_packet_was_done(all_profiles: dict[str, ThreeWay]) -> None:
    for event, name in (
        ("packet_dropped", "ru-tw-2021a"),
        ("packet_dropped", "eco-degrade"),
        ("packet_dropped", "ru-16k-2025"),
        ("packet_dropped", "ru-l4-25"),
        ("packet_dropped", "ru-2022-IV"),
        ("packet_delayed", "tele2-3g-up"),
        ("packet_delayed", "kz-2022"),
        ("packet_delayed", "tr-handshake-2025"),
        ("packet_rewritten", "ru-2022-I"),
        ("packet_injected", "isp-block"),
        ("packet_injected", "isp-block-rst"),
    ):
        assert all_profiles[name].events[event] > 0, (event, name)


# Evasive cases that the generator does not have.


def fragments_of(packet: Packet, size: int) -> list[Packet]:
    """A packet as fragments of ``size`` bytes, all but the first with another TTL."""
    first, *others = pieces_of(packet, size)
    return [first, *(Packet.parse(each.data[:8] + b"\x20" + each.data[9:], each.direction) for each in others)]


def fragments_in_any_order() -> list[Packet]:
    """A hello in fragments, last one first; one that is never completed; one of more fragments than a box takes."""
    connection = Connection(INSIDE, OUTSIDE)
    trace = connection.handshake()
    trace += fragments_of(connection.up(client_hello("twitter.com")), 160)[::-1]
    trace += fragments_of(connection.up(bytes(1000)), 480)[:-1]
    trace += fragments_of(connection.up(bytes(1400)), 24)
    return trace + [connection.down(bytes(1400)) for _ in range(30)]


def fragments_before_anything_else() -> list[Packet]:
    """The box has to send fragments on before the other side has said a word."""
    connection = Connection(INSIDE, OUTSIDE)
    return fragments_of(connection.packet(UP, SYN, bytes(400)), 160)


def split_handshake() -> list[Packet]:
    """The server answers a SYN with a SYN of its own."""
    connection = Connection(INSIDE, OUTSIDE)
    trace = [connection.packet(UP, SYN), connection.packet(DOWN, SYN), connection.packet(UP, SYN | ACK)]
    trace += [connection.packet(DOWN, ACK), connection.up(client_hello("twitter.com"))]
    return trace + [connection.down(bytes(1400)) for _ in range(30)]


def reopened_after_fin() -> list[Packet]:
    """A decided flow is closed, and its ports are used again: by a listed name."""
    connection = Connection(INSIDE, OUTSIDE)
    trace = [*connection.handshake(), connection.up(b"\xaa" * 200), *(connection.down(bytes(1400)) for _ in range(5))]
    trace += [connection.fin(UP), connection.fin(DOWN), *connection.handshake()]
    trace.append(connection.up(client_hello("linkedin.com")))
    return trace + [connection.down(bytes(1400)) for _ in range(5)]


def opened_from_outside() -> list[Packet]:
    """A decided flow whose handshake goes on after the decision."""
    connection = Connection(INSIDE, OUTSIDE)
    return [*connection.handshake(DOWN), *(connection.down(bytes(1400)) for _ in range(30))]


def quic_initials() -> list[Packet]:
    """An Initial with a listed name, and what follows."""
    inside, outside = bytes([10, 0, 0, 1]), bytes([192, 0, 2, 1])
    trace = [
        udp_datagram(src=inside, dst=outside, sport=40000, dport=443, payload=each)
        for each in initials("r1.googlevideo.com")
    ]
    answers = [
        udp_datagram(src=outside, dst=inside, sport=443, dport=40000, payload=bytes(1200), ip_id=number)
        for number in range(30)
    ]
    return [*(Packet.parse(each, UP) for each in trace), *(Packet.parse(each, DOWN) for each in answers)]


CASES: dict[str, tuple[dict[str, Any], Callable[[], list[Packet]], dict[str, int]]] = {
    "fragments-held": (plain_profile("ru-2022-I"), fragments_in_any_order, {"packet_held": 51, "packet_injected": 4}),
    "fragments-first": (
        plain_profile("ru-2022-I"),
        fragments_before_anything_else,
        {"packet_held": 3, "packet_injected": 3},
    ),
    "fragments-pass": (plain_profile("ru-tw-2021a"), fragments_in_any_order, {"packet_held": 0}),
    "reassembled": (
        plain_profile("ru-2022-IV", inspection__fragments="reassemble"),
        fragments_in_any_order,
        {"packet_dropped": 46},
    ),
    "reassembled-and-rewritten": (
        plain_profile("ru-2022-I", inspection__fragments="reassemble"),
        fragments_in_any_order,
        {"packet_rewritten": 30},
    ),
    "split-handshake": (plain_profile("ru-2022-I"), split_handshake, {"rule_matched": 0}),
    "split-handshake-2021": (plain_profile("ru-tw-2021a"), split_handshake, {"rule_matched": 1}),
    "reopened": (plain_profile("isp-block-rst"), reopened_after_fin, {"flow_opened": 3, "packet_injected": 12}),
    "opened-outside": (plain_profile("ru-2022-I"), opened_from_outside, {"inspection_ended": 1}),
    "quic": (plain_profile("ru-yt-2024-quic"), quic_initials, {"rule_matched": 1}),
    "quic-frozen": (
        plain_profile("ru-l4-25", trigger__share=1.0, rules=[{"id": "all", "address": ["192.0.2.0/24"]}]),
        quic_initials,
        {"rule_matched": 1, "packet_dropped": 6},
    ),
    # Ten packets of 1440 bytes pass before it begins, the bucket lets eleven pass, and it ends behind four more.
    "begins-late-and-ends": (
        plain_profile("ru-tw-2021a", action__after_amount_bytes=14_400, action__lasts_s=1.45e-3),
        split_handshake,
        {"packet_dropped": 4},
    ),
    "quic-blocked": (plain_profile("ru-quic-2022"), quic_initials, {"packet_dropped": 31}),
}


@pytest.fixture(scope="module")
def all_cases(run_scenario: Runner, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ThreeWay]:
    trials = [(name, plain, trace()) for name, (plain, trace, _) in CASES.items()]
    return run_trials(run_scenario, tmp_path_factory.mktemp("cases"), trials, settle_s=LONGEST_MEMORY_S)


@pytest.mark.parametrize("name", CASES)
def test_evasive_cases_meet_the_same_fate(all_cases: dict[str, ThreeWay], name: str) -> None:
    found, expected = all_cases[name], CASES[name][2]
    assert (found.missing, found.adapter, found.live, found.timers) == (0, [], [], [])
    assert found.wire.agrees, found.wire
    assert {event: found.events[event] for event in expected} == expected


# Real TCP through the box.


def fates(records: Iterable[Any]) -> list[tuple[Any, ...]]:
    """What was done to packets, but for the instant."""
    keys = ("event", "flow", "direction", "seq", "ack", "ip_id", "length", "data", "reason")
    return [tuple(record.get(key) for key in keys) for record in records if record["event"].startswith("packet_")]


def fates_by_model(run: FinishedRun, name: str, inside: str = "100.64.0.0/10") -> list[tuple[Any, ...]]:
    box = run.records.plan["boxes"][name]
    rows = inspect_box(
        run.path / "captures" / f"{name}-inside.pcapng",
        run.path / "captures" / f"{name}-outside.pcapng",
        Profile.from_dict(profiles_of(box)[0]),
        seed=box["seed"],
        inside=[inside],
    )
    stopped_ns = run.manifest["certificate"]["boxes"][name]["stopped_ns"]
    return fates(event_to_json(event) for row in rows for event in row.events if event.t_ns < stopped_ns)


def run_with(run_scenario: Runner, censor: str, *settings: str, argv: list[str] | None = None) -> FinishedRun:
    names = "twitter.com, abs.twimg.com, linkedin.com, www.azattyq.org"
    return run_scenario(
        f"censors={{tspu: {censor}}}", ONE_LINE, "outages=[]", f"origins={{origin: {{serves: [{names}]}}}}",
        *(settings or ["recordings=[]"]), command=argv,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("censor", "settings", "event", "error"),
    [
        ("ru-2022-I", ["recordings=[]", "measurements=[{fetch: twitter.com, role: target}]"],
         "packet_rewritten", "receiving failed: Connection reset by peer"),
        ("ru-2022-II", ["recordings=[]", "measurements=[{fetch: twitter.com, role: target, timeout: 20 s}]"],
         "packet_dropped", "timed out while waiting for data"),
        ("isp-block-rst", ["recordings=[]", "measurements=[{fetch: linkedin.com, role: target}]"],
         "packet_injected", "receiving failed: Connection reset by peer"),
        ("kz-2022", ["recordings=[]", "measurements=[{fetch: www.azattyq.org, role: target, size: 30 kB}]"],
         "packet_delayed", None),
        ("ir-2011",
         ["date=2012-01-10", "recordings=[]", "measurements=[{fetch: twitter.com, role: target, size: 90 kB}]"],
         "packet_delayed", None),
        ("tele2-3g-up",
         ["recordings=[{name: image, line: mobile, sni: abs.twimg.com, size: 90 kB}]",
          "measurements=[{replay: image, direction: upload, role: target}]"], "packet_delayed", None),
    ],
)  # fmt: skip
def test_real_connections_meet_the_fate_that_the_model_foretells(
    run_scenario: Runner, censor: str, settings: list[str], event: str | None, error: str | None
) -> None:
    run = run_with(run_scenario, censor, *settings)
    assert run.manifest["problems"] == []
    assert [each["error"] for each in run.manifest["transfers"]] == [error]
    by_box = fates(run.records.truth("mobile-tspu"))
    assert by_box == fates_by_model(run, "mobile-tspu")
    assert (event is None) == (not by_box)
    assert event in {None, *(fate[0] for fate in by_box)}


def test_a_block_page_is_served_in_the_servers_place(run_scenario: Runner) -> None:
    run = run_with(run_scenario, "isp-block", argv=["curl", "-sS", "-m", "20", "http://linkedin.com:443/"])
    assert run.manifest["problems"] == []
    assert run.manifest["certificate"]["command_status"] == 0
    assert "Access to this site is restricted." in (run.path / "command.stdout").read_text()
    assert fates(run.records.truth("mobile-tspu")) == fates_by_model(run, "mobile-tspu")


def test_news_sites_take_four_seconds_more_for_each_round_trip(run_scenario: Runner) -> None:
    run = run_with(
        run_scenario, "kz-2022", "recordings=[]",
        "measurements=[{fetch: www.azattyq.org, role: target, size: 30 kB},"
        " {fetch: twitter.com, role: control, size: 30 kB}]",
    )  # fmt: skip
    slow, quick = run.manifest["transfers"]
    assert slow["handshake_s"] - quick["handshake_s"] == pytest.approx(4, abs=0.5)
