"""Measurements become transfers, each with an id, its times and its object."""

from __future__ import annotations

import pytest

from testbed.errors import ScenarioError
from testbed.records.plan import asked_name
from tests.scenario.plans import first_day


def test_every_transfer_has_an_id_of_its_own() -> None:
    ids = [each["id"] for each in first_day().transfers]
    assert len(set(ids)) == len(ids)


def test_an_inverted_replay_shows_no_name() -> None:
    plan = first_day()
    names = {each["name"]: each["sni"] for each in plan.transfers if each["kind"] == "replay"}
    assert names["replay twimg-image, upload, original"] == "abs.twimg.com"
    assert names["replay twimg-image, upload, inverted"] is None


def test_a_measurement_runs_on_the_lines_it_names() -> None:
    plan = first_day("measurements=[{fetch: t.co, role: target, lines: [landline]}]")
    assert [each["line"] for each in plan.transfers if each["kind"] == "fetch"] == ["landline"]


def test_at_and_timeout_reach_the_transfer_in_seconds() -> None:
    (transfer,) = first_day(
        "measurements=[{fetch: t.co, role: target, lines: [landline], at: 1.5 min, timeout: 250 ms}]", "recordings=[]"
    ).transfers
    assert (transfer["at_s"], transfer["timeout_s"]) == (90.0, 0.25)


def test_an_origin_has_an_object_of_every_size_that_is_asked_for() -> None:
    plan = first_day("measurements=[{fetch: t.co, role: target, size: 1 kB}, {fetch: t.co, role: target, size: 2 kB}]")
    assert plan.data["origins"]["origin"]["objects"] == {"/1000.bin": 1000, "/2000.bin": 2000, "/383000.bin": 383_000}


def test_what_is_said_of_an_origin_is_planned_and_nothing_else() -> None:
    plain = first_day().data["origins"]["origin"]
    assert set(plain) == {"names", "objects"}
    slow = first_day(
        "origins.origin.rate=400 kbit/s", "origins.origin.think=80 ms", "origins.origin.send_buffer=16 kB"
    ).data["origins"]["origin"]
    assert (slow["rate_bps"], slow["think_s"], slow["send_buffer"]) == (400_000, 0.08, 16_000)


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("origins.origin.rate=0", r"origins\.origin\.rate: .*1000"),
        ("origins.origin.rate=400", "the unit is missing"),
        ("origins.origin.think=2 h", r"origins\.origin\.think: .*3600"),
        ("origins.origin.send_buffer=1 kB", r"origins\.origin\.send_buffer: .*4000"),
    ],
)
def test_an_end_that_there_cannot_be_is_refused(setting: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        first_day(setting)


def test_a_slow_reader_reaches_its_transfer_and_no_other() -> None:
    fetches = "{fetch: t.co, role: target, reading: 200 kbit/s, receive_buffer: 16 kB}, {fetch: t.co, role: target}"
    slow, plain = first_day(f"measurements=[{fetches}]", "recordings=[]").data["phases"][0]["lines"][0]["transfers"]
    assert slow["kind"] == plain["kind"] == "fetch"
    assert (slow["reading_bps"], slow["receive_buffer"]) == (200_000, 16_000)
    assert not {"reading_bps", "receive_buffer"} & set(plain)


@pytest.mark.parametrize("key", ["reading: 200 kbit/s", "receive_buffer: 16 kB", "objects: 3", "address_of: t.co"])
def test_what_curl_cannot_do_is_refused(key: str) -> None:
    name = key.partition(":")[0]
    with pytest.raises(ScenarioError, match=rf"measurements\.0\.{name}: curl cannot do this; remove it, or"):
        first_day(f"measurements=[{{fetch: t.co, role: target, client: curl, {key}}}]")


def test_a_name_may_be_asked_of_the_server_of_another() -> None:
    fetch = "{fetch: nobody.example, address_of: kremlin.ru, role: target, lines: [landline]}"
    plan = first_day(f"measurements=[{fetch}]", "recordings=[]")
    (transfer,) = plan.transfers
    assert (transfer["sni"], asked_name(transfer)) == ("nobody.example", "kremlin.ru")
    assert transfer["name"] == "nobody.example at kremlin.ru"
    assert plan.path_of(transfer)[-1] == "state"


@pytest.mark.parametrize(
    ("fetch", "problem"),
    [
        ("fetch: nobody.example", r"fetch: no origin serves nobody\.example; add it to an origin's 'serves'"),
        ("fetch: t.co, address_of: nobody.example", r"address_of: no origin serves nobody\.example"),
        ("fetch: t.co, address_of: 7", r"address_of: "),
        ("upload: t.co, address_of: kremlin.ru", r"address_of: unknown key"),
        ("fetch: t.co, address_of: kremlin.ru, protocol: http/2", r"protocol: the origin state, .* kremlin\.ru"),
    ],
)
def test_a_server_that_there_is_not_is_refused(fetch: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=rf"measurements\.0\.{problem}"):
        first_day(f"measurements=[{{{fetch}, role: target}}]")


def test_an_upload_is_expected_by_the_origin_of_its_name_alone() -> None:
    plan = first_day("measurements=[{upload: t.co, role: target, lines: [landline], size: 1 kB}]", "recordings=[]")
    (transfer,) = plan.transfers
    assert (transfer["kind"], transfer["direction"], transfer["name"]) == ("upload", "upload", "upload t.co")
    expecting = {name: origin.get("uploads") for name, origin in plan.data["origins"].items()}
    assert expecting.pop("origin") == {f"/upload/{transfer['id']}": transfer["id"]}
    assert set(expecting.values()) <= {None}
    assert plan.path_of(transfer)[-1] == "origin"


@pytest.mark.parametrize(
    ("upload", "problem"),
    [
        ("upload: nosuch.com", r"measurements\.0\.upload: no origin serves nosuch.com"),
        ("upload: t.co, size: 0", r"measurements\.0\.size: expected greater than 0"),
        ("upload: t.co, client: curl", r"measurements\.0\.client: unknown key"),
        ("upload: t.co, reading: 1 Mbit/s", r"measurements\.0\.reading: unknown key"),
        ("upload: t.co, fetch: t.co", "exactly one of the keys 'fetch', 'upload'"),
    ],
)
def test_an_upload_that_there_cannot_be_is_refused(upload: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        first_day(f"measurements=[{{{upload}, role: target}}]")


def test_several_objects_are_one_transfer_of_all_their_bytes() -> None:
    (transfer,) = first_day(
        "measurements=[{fetch: t.co, role: target, lines: [landline], size: 1 kB, objects: 3}]", "recordings=[]"
    ).transfers
    assert transfer["kind"] == "fetch"
    assert (transfer["path"], transfer["size"], transfer["objects"]) == ("/1000.bin", 3000, 3)


def test_connections_side_by_side_are_transfers_of_one_group() -> None:
    plan = first_day("measurements=[{fetch: t.co, role: target, lines: [landline], parallel: 3, size: 5 kB}]")
    together = [each for each in plan.transfers if each["kind"] == "fetch"]
    assert [each["id"] for each in together] == [f"landline/01-t.co-{number}of3" for number in (1, 2, 3)]
    assert {each.get("group") for each in together} == {"landline/01-t.co"}
    assert {each["size"] for each in together} == {5000}


def test_one_connection_is_no_group() -> None:
    plan = first_day("measurements=[{fetch: t.co, role: target, lines: [landline], parallel: 1}]")
    (alone,) = (each for each in plan.transfers if each["kind"] == "fetch")
    assert "group" not in alone
    assert alone["id"] == "landline/01-t.co"


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("parallel: 100, size: 1 MB", "100 connections at once need 591 MiB .* 512 MiB for them: at most 86 of"),
        ("parallel: 0", "parallel"),
        ("parallel: 4, client: curl", "curl cannot do this"),
    ],
)
def test_more_connections_than_can_be_are_refused(keys: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        first_day(f"measurements=[{{fetch: t.co, role: target, {keys}}}]")


def test_a_transfer_goes_over_the_ip_that_it_says_or_that_the_scenario_says() -> None:
    """And what goes over IPv6 says so in its name, as what goes over IPv4 does not."""
    two = (
        "measurements=[{fetch: t.co, role: target, lines: [mobile]}, {fetch: t.co, role: target, lines: [mobile], %s}]"
    )
    for settings, expected in (
        ((two % "ip: 6",), [None, 6]),
        ((two % "ip: 4", "ip=6"), [6, None]),
        ((two % "ip: 4",), [None, None]),
    ):
        plan = first_day(*settings, "recordings=[]")
        assert [each.get("ip") for each in plan.transfers] == expected
        assert ["IPv6" in each["name"] for each in plan.transfers] == [each == 6 for each in expected]
        assert ("names6" in plan.data) is (6 in expected)


def test_a_recording_goes_over_the_scenarios_ip() -> None:
    kinds = {each["kind"]: each.get("ip") for each in first_day("ip=6").transfers}
    assert kinds == dict.fromkeys(("record", "fetch", "curl", "replay"), 6)


def test_a_pair_and_its_repetitions_go_over_one_ip() -> None:
    pair = "measurements=[{pair: {target: t.co, control: example.com}, repeat: 2, ip: 6, lines: [mobile]}]"
    assert [each.get("ip") for each in first_day(pair, "recordings=[]").transfers] == [6] * 4


def test_a_name_has_both_addresses_where_anything_goes_over_ipv6() -> None:
    plan = first_day("measurements=[{fetch: t.co, role: target, ip: 6}]")
    assert (plan.data["names"]["t.co"], plan.data["names6"]["t.co"]) == ("198.51.100.6", "2001:db8::c633:6406")


@pytest.mark.parametrize("value", ["5", "46", "six", "'6'", "true"])
@pytest.mark.parametrize("place", ["ip=%s", "measurements=[{fetch: t.co, role: target, ip: %s}]"])
def test_there_are_two_ips(place: str, value: str) -> None:
    with pytest.raises(ScenarioError, match=r"ip: expected (one of )?4 (and|or) 6"):
        first_day(place % value)
