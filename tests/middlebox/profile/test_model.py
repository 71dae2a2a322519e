from __future__ import annotations

from typing import Any

import pytest

from testbed.middlebox.enforcement.meters import CoarseRefillSpec, TokenBucketSpec
from testbed.middlebox.packet import Direction
from testbed.middlebox.profile import Profile, ProfileError
from testbed.middlebox.profile.rules import Rule
from tests.middlebox.build import PROFILES, plain_profile, profile, profile_names


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_that_comes_with_the_testbed_is_accepted(name: str) -> None:
    assert profile(name).name == name


def test_a_profile_is_named_as_its_file() -> None:
    assert {path.stem for path in PROFILES.glob("*.yaml")} == {profile(name).name for name in profile_names()}


def test_the_profile_of_the_first_day_says_what_was_published() -> None:
    first_day = profile("ru-tw-2021a")
    assert first_day.rules == (
        Rule("t.co", "substring", ("t.co",)),
        Rule("twimg.com", "suffix", (".twimg.com",)),
        Rule("twitter.com", "suffix", ("twitter.com",)),
    )
    assert first_day.inspection.budget_packets == (3, 15)
    assert first_day.inspection.give_up_bytes == 101
    assert first_day.flows.idle_timeout_s == 600
    assert first_day.trigger.opened_from == "inside"
    assert first_day.action.directions == frozenset(Direction)
    assert first_day.meter == TokenBucketSpec(rate_bps=140_000, burst_bytes=16384)


def test_landlines_are_freed_in_may_and_mobile_lines_are_not() -> None:
    assert profile("ru-tw-2021c").placement.lines == {"mobile": True, "landline": True}
    assert profile("ru-tw-2021d").placement.lines == {"mobile": True, "landline": False}


def test_another_meter_can_be_chosen() -> None:
    chosen = profile(meter__kind="coarse_refill").meter
    assert chosen == CoarseRefillSpec(quantum_bytes=17875, period_s=1.28, cap_bytes=19500, phase_s=0.0)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"typo": 1}, "typo"),
    ({"flows__typo": 1}, "flows.typo"),
    ({"meter__token_bucket__typo": 1}, "meter.token_bucket.typo"),
    ({"placement__lines__mobile": 1.5}, "placement.lines.mobile"),
    ({"placement__lines__landline": 0.5}, "placement.lines.landline"),
    ({"placement__lines__mobil": 1}, "placement.lines.mobil"),
    ({"placement__hop": 3}, "placement.hop"),
    ({"action__trigger_packet": "dropped"}, "action.trigger_packet"),
    ({"exempt": [{"id": "a", "protocol": ["quic"]}]}, "exempt.0.protocol"),
    ({"trigger__recognisers": ["tls", "quik"]}, "trigger.recognisers"),
    ({"trigger__names_from": ["quic"]}, "trigger.names_from"),
    ({"trigger__directions": ["left"]}, "trigger.directions"),
    ({"trigger__opened_from": "outside"}, "trigger.opened_from"),
    ({"inspection__budget_packets": [15, 3]}, "inspection.budget_packets"),
    ({"flows__idle_timeout_s": 0}, "flows.idle_timeout_s"),
    ({"flows__cleared_by": ["syn"]}, "flows.cleared_by"),
    ({"meter__kind": "leaky_bucket"}, "meter.kind"),
    ({"meter__counts": "payload"}, "meter.counts"),
    ({"meter__token_bucket__rate_bps": 140_001}, "meter.token_bucket.rate_bps"),
    ({"meter__token_bucket__rate_bps": 140e3}, "meter.token_bucket.rate_bps"),
    ({"meter__coarse_refill__period_s": 0}, "meter.coarse_refill.period_s"),
    ({"rules": [{"id": "a"}]}, "rules.0"),
    ({"rules": [{"id": "a", "exact": "t.co", "suffix": "t.co"}]}, "rules.0"),
    ({"rules": [{"id": "a", "exact": "t.co"}, {"id": "b", "regex": "("}]}, "rules.1.regex"),
    ({"rules": [{"id": "a", "exact": "t.co", "typo": 1}]}, "rules.0.typo"),
    ({"valid_from": "2021-05-18T00:00:00Z"}, "valid_until"),
    ({"valid_from": "yesterday"}, "valid_from"),
    ({"valid_from": "2021-03-10T07:00:00"}, "valid_from"),
]


@pytest.mark.parametrize(("changes", "key"), REFUSED, ids=[next(iter(changes)) for changes, _ in REFUSED])
def test_what_cannot_be_honoured_is_refused_with_its_key(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(ProfileError) as caught:
        profile("ru-tw-2021a", **changes)
    assert caught.value.key == key
    assert key in str(caught.value)


@pytest.mark.parametrize("section", ["placement", "trigger", "rules", "inspection", "flows", "action", "meter", "name"])
def test_a_missing_section_is_refused_by_name(section: str) -> None:
    plain = plain_profile()
    del plain[section]
    with pytest.raises(ProfileError, match=f"profile key {section}: missing"):
        Profile.from_dict(plain)


def test_the_meter_can_be_changed_later() -> None:
    assert profile().with_meter("coarse_refill") == profile(meter__kind="coarse_refill")


def test_a_chosen_meter_must_be_described() -> None:
    plain = plain_profile(meter__kind="coarse_refill")
    del plain["meter"]["coarse_refill"]
    with pytest.raises(ProfileError, match=r"meter\.kind.*expected one of token_bucket"):
        Profile.from_dict(plain)


IMPOSSIBLE: list[tuple[str, dict[str, Any], str]] = [
    ("ru-2022-II", {"meter": {"kind": "token_bucket"}}, "meter"),
    ("upstream-only", {"action__directions": ["up", "down"]}, "action.directions"),
    ("ru-tw-2021a", {"action__scope": "line"}, "trigger"),
    ("tele2-3g-up", {"rules": [{"id": "a", "exact": ["t.co"]}]}, "rules.0.exact"),
    ("tele2-3g-up", {"rules": [{"id": "a", "address": ["10.0.0.0/8"]}]}, "action.scope"),
    ("tele2-3g-up", {"trigger": {}}, "trigger"),
    ("tele2-3g-up", {"inspection": {"fragments": "drop"}}, "inspection"),
    ("tele2-3g-up", {"flows": {"table_size": 5}}, "flows"),
    ("tele2-3g-up", {"exempt": [{"id": "a", "any": ["traffic"]}]}, "exempt"),
    ("tele2-3g-up", {"action__residual_s": 60}, "action.residual_s"),
    ("kz-2022", {"action__trigger_packet": "dropped"}, "action.trigger_packet"),
    ("ru-quic-2022", {"trigger__directions": ["down"]}, "trigger.directions"),
    ("ru-tw-2021a", {"trigger__names_from": []}, "rules.0.substring"),
    ("ru-quic-2022", {"rules": [{"id": "a", "protocol": ["tls"]}]}, "rules.0.protocol"),
    ("isp-block", {"trigger__recognisers": ["tls"], "trigger__names_from": ["tls"]}, "action.kind"),
    (
        "ru-2022-II",
        {
            "trigger__recognisers": [],
            "trigger__names_from": [],
            "trigger__address_rules": "hello",
            "rules": [{"id": "a", "any": ["traffic"]}],
        },
        "trigger.address_rules",
    ),
    ("ru-tw-2021a", {"trigger__ports": [0]}, "trigger.ports"),
    ("ru-tw-2021a", {"placement__sees": []}, "placement.sees"),
    ("kz-2022", {"inspection__fragments": "reassemble"}, "inspection.fragments"),
    (
        "kz-2022",
        {
            "action": plain_profile("tele2-3g-up")["action"] | {"scope": "flow"},
            "inspection__fragments": "reassemble",
            "meter": plain_profile("tele2-3g-up")["meter"],
        },
        "inspection.fragments",
    ),
]


@pytest.mark.parametrize(("name", "changes", "key"), IMPOSSIBLE, ids=str)
def test_an_impossible_combination_is_refused_with_its_key(name: str, changes: dict[str, Any], key: str) -> None:
    with pytest.raises(ProfileError) as caught:
        profile(name, **changes)
    assert caught.value.key == key


def test_where_a_box_stands_is_said_to_be_the_topologys_business() -> None:
    with pytest.raises(ProfileError, match=r"placement\.hop: .*topology \(box_after_hop\); remove it"):
        profile(placement__hop=3)


def test_half_a_line_cannot_have_a_box() -> None:
    with pytest.raises(ProfileError, match=r"placement\.lines\.landline: 0\.5 .* write 1 or 0, and tspu: false"):
        profile(placement__lines={"landline": 0.5})
