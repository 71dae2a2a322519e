"""What a profile may say, key by key, and which combinations a box could not honour."""

from __future__ import annotations

import math
from typing import Any

import pytest

from testbed.scenario.censor import check_profile
from tests.middlebox.build import problems, profile_names, written_profile


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_that_comes_with_the_testbed_is_accepted(name: str) -> None:
    found, wrong = check_profile(written_profile(name))
    assert not wrong
    assert found is not None
    assert found.name == name


REPEATED = {"times": 4, "within": "1 s", "lasts": "60 s", "network": 24}

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"typo": 1}, "typo", "unknown key; remove it or correct its spelling (docs/reference/profile.md lists the keys)"),
    ({"flows__typo": 1}, "flows.typo", "unknown key"),
    ({"meter__token_bucket__typo": 1}, "meter.token_bucket.typo", "unknown key"),
    ({"meter__typo": 1}, "meter.typo", "unknown key"),
    ({"placement__lines__mobile": 1.5}, "placement.lines.mobile", "1.5 of a line cannot have a box; write 1 or 0"),
    ({"placement__lines__landline": 0.5}, "placement.lines.landline", "0.5 of a line cannot have a box; write 1 or 0"),
    ({"placement__lines__mobile": True}, "placement.lines.mobile", "expected 1 or 0, got True"),
    ({"placement__lines__mobil": 1}, "placement.lines.mobil", "unknown key"),
    ({"placement__lines": 5}, "placement.lines", "expected a mapping, got 5"),
    ({"placement__hop": 3}, "placement.hop", "where a box stands is said by the topology (box_after_hop); remove it"),
    ({"placement__sees": []}, "placement.sees", "expected some of up, down, got an empty list"),
    ({"exempt": [{"id": "a", "protocol": ["quic"]}]}, "exempt.0.protocol", "quic is not among trigger.recognisers"),
    ({"trigger__recognisers": ["tls", "quik"]}, "trigger.recognisers", "unknown value 'quik'; expected some of tls"),
    ({"trigger__names_from": ["quic"]}, "trigger.names_from", "quic is not among trigger.recognisers (tls, http_proxy"),
    ({"trigger__directions": ["left"]}, "trigger.directions", "unknown value 'left'; expected some of up, down"),
    ({"trigger__directions": "up"}, "trigger.directions", "expected a list, some of up, down, got 'up'"),
    ({"trigger__directions": ["up", "up"]}, "trigger.directions", "the same value twice: up"),
    ({"trigger__opened_from": "outside"}, "trigger.opened_from", "expected 'inside' or 'any', got 'outside'"),
    ({"trigger__share": 1.0}, "trigger.share", "expected a share such as '2 %', got 1.0: the unit is missing"),
    ({"trigger__share": "101 %"}, "trigger.share", "expected at most '100 %', got '101 %'"),
    ({"trigger__ports": [0]}, "trigger.ports", "expected whole numbers from 1 to 65535, got 0"),
    ({"trigger__ports": [True]}, "trigger.ports", "expected whole numbers from 1 to 65535, got True"),
    ({"trigger__ports": 443}, "trigger.ports", "expected a list, whole numbers from 1 to 65535, got 443"),
    ({"inspection__budget_packets": [15, 3]}, "inspection.budget_packets", "expected 0 <= least <= most <= "),
    ({"inspection__budget_packets": [3]}, "inspection.budget_packets", "expected [least, most], got [3]"),
    ({"inspection__budget_packets": [0.5, 2]}, "inspection.budget_packets", "expected [least, most], got [0.5, 2]"),
    ({"inspection__budget_packets": [-1, 2]}, "inspection.budget_packets", "expected 0 <= least <= most <= "),
    ({"inspection__give_up": "64 KiB"}, "inspection.give_up", "expected a size from 1 B to 65535 B, got '64 KiB'"),
    ({"flows__idle_timeout": 0}, "flows.idle_timeout", "expected a duration from '1 us' to '365 d', got 0"),
    ({"flows__idle_timeout": 600}, "flows.idle_timeout", "expected a duration such as '95 ms', got 600: the unit is"),
    ({"flows__idle_timeout": math.nan}, "flows.idle_timeout", "expected a duration such as '95 ms', got nan"),
    ({"flows__idle_timeout": math.inf}, "flows.idle_timeout", "expected a duration such as '95 ms', got inf"),
    ({"flows__idle_timeout": 10**5000}, "flows.idle_timeout", "expected a duration such as '95 ms', got an enormous"),
    ({"flows__idle_timeout": "366 d"}, "flows.idle_timeout", "expected a duration from '1 us' to '365 d', got '366 d'"),
    ({"flows__cleared_by": ["syn"]}, "flows.cleared_by", "unknown value 'syn'; expected some of fin, rst"),
    ({"flows__table_size": 1.0}, "flows.table_size", "expected a whole number from 1 to 10000000, got 1.0"),
    ({"flows__table_size": True}, "flows.table_size", "expected a whole number from 1 to 10000000, got True"),
    (
        {"flows__table_size": 10**5000},
        "flows.table_size",
        "expected a whole number from 1 to 10000000, got an enormous",
    ),
    ({"flows__table_size": 0}, "flows.table_size", "expected a whole number from 1 to 10000000, got 0"),
    ({"flows__idle_timeout_s": 600}, "flows.idle_timeout_s", "it is called idle_timeout now, and its value has a unit"),
    (
        {"meter__token_bucket__rate_bps": 8},
        "meter.token_bucket.rate_bps",
        "it is called rate now, and its value has a ",
    ),
    (
        {"meter__kind": "leaky_bucket"},
        "meter.kind",
        "expected 'byte_quota', 'coarse_refill', 'debt_bucket', 'packet_quota'",
    ),
    ({"meter__kind": "shaper"}, "meter.kind", "shaper is not described here; expected one of coarse_refill, token_"),
    ({"meter": {"kind": "shaper", "counts": "payload"}}, "meter.shaper", "missing: the meter that is used has to be"),
    ({"meter": 5}, "meter", "expected a mapping, got 5"),
    ({"rules": [{"id": "a", "regex": "(a+)+$"}]}, "rules.0.regex", "'(a+)+$' may be tried on a name for ever"),
    ({"rules": []}, "rules", "a box without a rule acts on nothing; add one"),
    (
        {"rules": [{"id": "a", "exact": "t.co"}, {"id": "a", "suffix": "t.me"}]},
        "rules.1.id",
        "another rule has the id 'a'",
    ),
    (
        {"rules": [{"id": "a", "exact": "t.co"}], "exempt": [{"id": "a", "suffix": "t.me"}]},
        "exempt.0.id",
        "another rule has the id 'a'",
    ),
    *(
        ({"rules": [{"id": "a", kind: ["t.co", "твиттер"]}]}, f"rules.0.{kind}", "hellos have names in ASCII alone")
        for kind in ("exact", "suffix", "substring", "regex")
    ),
    *(
        ({"rules": [{"id": "a", "exact": "t.co", "at": at, "not_at": not_at}]}, "rules.0.at", "all of it lies within")
        for at, not_at in (
            (["10.1.0.0/16"], ["10.0.0.0/8"]),
            (["10.0.0.1"], ["10.0.0.1"]),
            (["10.0.0.1", "2001:db8::1"], ["2001:db8::/32", "10.0.0.0/8"]),
        )
    ),
    ({"rules": [{"id": "a"}]}, "rules.0", "expected exactly one of exact, suffix, substring, regex, address"),
    ({"rules": [{"id": "a", "exact": "t.co"}, {"id": "b", "regex": "("}]}, "rules.1.regex", "regular expression '('"),
    ({"rules": [{"id": "a", "exact": "t.co", "typo": 1}]}, "rules.0.typo", "unknown key"),
    ({"rules": [{"exact": "t.co"}]}, "rules.0.id", "this key is missing"),
    ({"rules": [{"id": "a", "exact": "t.co", "at": ["moon"]}]}, "rules.0.at", "'moon' does not appear to be"),
    ({"rules": [{"id": "a", "exact": "t.co", "extensions": ["moon"]}]}, "rules.0.extensions", "unknown value 'moon'"),
    (
        {"rules": [{"id": "a", "exact": "t.co", "taints": {"what": "moon", "lasts": "1 h"}}]},
        "rules.0.taints.what",
        "expected 'address' or 'subscriber', got 'moon'",
    ),
    (
        {"rules": [{"id": "a", "exact": "t.co", "taints": {"what": "address"}}]},
        "rules.0.taints.lasts",
        "this key is mi",
    ),
    (
        {"rules": [{"id": "a", "exact": "t.co", "repeated": REPEATED | {"times": 1}}]},
        "rules.0.repeated.times",
        "expected a whole number from 2 to 1000, got 1",
    ),
    (
        {"rules": [{"id": "a", "exact": "t.co", "repeated": REPEATED | {"network": 64}}]},
        "rules.0.repeated.network",
        "expected a whole number from 1 to 32, got 64",
    ),
    (
        {"rules": [{"id": "a", "address": ["192.0.2.0/24"], "repeated": REPEATED}]},
        "rules.0.repeated",
        "it is looked for",
    ),
    (
        {"exempt": [{"id": "a", "exact": "t.co", "repeated": REPEATED}]},
        "exempt.0.repeated",
        "flows that are left alone",
    ),
    ({"rules": [5]}, "rules.0", "expected a mapping, got 5"),
    ({"rules": {"id": "a"}}, "rules", "expected a list, got {'id': 'a'}"),
    ({"name": ""}, "name", "expected text, got ''"),
    ({"summary": 3}, "summary", "expected text, got 3"),
    ({"valid_from": "2021-05-18T00:00:00Z"}, "valid_until", "2021-03-11T08:00:00Z is not after valid_from 2021-05-18"),
    ({"valid_from": "yesterday"}, "valid_from", "'yesterday' is no instant; expected one like 2021-03-10T07:00:00Z"),
    ({"valid_from": 2021}, "valid_from", "2021 is no instant; expected one like 2021-03-10T07:00:00Z"),
    ({"valid_from": "2021-03-10T07:00:00"}, "valid_from", "'2021-03-10T07:00:00' has no time zone; write Z for UTC"),
]


@pytest.mark.parametrize(("changes", "key", "expected"), REFUSED, ids=[f"{key} {text}" for _, key, text in REFUSED])
def test_what_cannot_be_honoured_is_refused_with_its_key(changes: dict[str, Any], key: str, expected: str) -> None:
    found = problems(**changes)
    assert list(found) == [key]
    assert found[key].startswith(expected)


SECTIONS = ["placement", "trigger", "rules", "inspection", "flows", "action", "meter", "name"]


@pytest.mark.parametrize("section", SECTIONS)
def test_a_missing_section_is_refused_by_name(section: str) -> None:
    written = written_profile()
    del written[section]
    found, wrong = check_profile(written)
    assert found is None
    assert [(key, problem.split(":")[0]) for key, problem in wrong] == [((section,), "this key is missing")]


IMPOSSIBLE: list[tuple[str, dict[str, Any], list[str]]] = [
    ("ru-2022-II", {"meter": written_profile()["meter"]}, ["meter"]),
    ("ru-tw-2021a", {"action__scope": "line"}, ["trigger", "inspection", "flows"]),
    ("tele2-3g-up", {"rules": [{"id": "a", "exact": ["t.co"]}]}, ["rules.0.exact", "action.scope"]),
    ("tele2-3g-up", {"rules": [{"id": "a", "address": ["10.0.0.0/8"]}]}, ["action.scope"]),
    ("tele2-3g-up", {"rules": [{"id": "a", "any": ["traffic"], "at": ["10.0.0.0/8"]}]}, ["rules.0.at"]),
    (
        "ru-quic-2022",
        {"rules": [{"id": "a", "protocol": ["quic_version1"], "extensions": ["padding"]}]},
        ["rules.0.extensions"],
    ),
    ("tele2-3g-up", {"trigger": written_profile()["trigger"]}, ["trigger"]),
    ("tele2-3g-up", {"inspection": written_profile()["inspection"]}, ["inspection"]),
    ("tele2-3g-up", {"flows": written_profile()["flows"]}, ["flows"]),
    ("tele2-3g-up", {"exempt": [{"id": "a", "any": ["traffic"]}]}, ["exempt"]),
    ("ru-quic-2022", {"trigger__directions": ["down"]}, ["trigger.directions"]),
    ("ru-tw-2021a", {"trigger__names_from": []}, ["rules.0.substring", "rules.1.suffix", "rules.2.suffix"]),
    ("ru-quic-2022", {"rules": [{"id": "a", "protocol": ["tls"]}]}, ["rules.0.protocol"]),
    (
        "ru-2022-II",
        {
            "trigger__recognisers": [],
            "trigger__names_from": [],
            "trigger__address_rules": "hello",
            "rules": [{"id": "a", "any": ["traffic"]}],
        },
        ["trigger.address_rules"],
    ),
    (
        "kz-2022",
        {
            "action": written_profile("tele2-3g-up")["action"] | {"scope": "flow"},
            "inspection__fragments": "reassemble",
            "meter": written_profile("tele2-3g-up")["meter"],
        },
        ["inspection.fragments"],
    ),
]


@pytest.mark.parametrize(
    ("name", "changes", "keys"), IMPOSSIBLE, ids=[f"{name} {keys}" for name, _, keys in IMPOSSIBLE]
)
def test_an_impossible_combination_is_refused_with_its_keys(
    name: str, changes: dict[str, Any], keys: list[str]
) -> None:
    assert list(problems(name, **changes)) == keys


def test_everything_that_is_wrong_is_told_at_once() -> None:
    found = problems(
        flows__table_size=0, trigger__share=1, meter__kind="leaky", rules=[5], action__scope="house", colour="red"
    )
    assert set(found) == {"flows.table_size", "trigger.share", "meter.kind", "rules.0", "action.scope", "colour"}


def test_no_value_of_any_type_is_taken_for_another() -> None:
    """Every key, with values of all types that YAML has in its place: accepted, or refused with that key."""
    strange: list[object] = [5, -1, 0.5, True, "x", "", [], ["x"], {}, {"x": 1}, [[]], math.nan, 10**400]
    for key in (
        "name", "valid_from", "placement", "placement__lines__mobile", "placement__sees", "trigger",
        "trigger__recognisers", "trigger__opened_from", "trigger__share", "trigger__ports", "rules", "exempt",
        "inspection__budget_packets", "inspection__give_up", "inspection__reassembly", "flows__idle_timeout",
        "flows__cleared_by", "flows__table_size", "action", "action__kind", "action__directions", "action__scope",
        "action__residual", "meter", "meter__kind", "meter__counts", "meter__token_bucket", "meter__token_bucket__rate",
    ):  # fmt: skip
        top = key.split("__")[0]
        for value in strange:
            wrong = problems(**{key: value})
            related = {"rules", "trigger", "action", "meter", top}
            assert {each.split(".")[0] for each in wrong} <= related, (key, value, wrong)
