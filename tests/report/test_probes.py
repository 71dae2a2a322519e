"""A probe's answer as a table, from findings made by hand; tests/probing has those of real probes."""

from __future__ import annotations

from typing import Any

import pytest

from testbed.probing.check import ProbeResult
from testbed.report.probes import probe_table

MEASURED = {"conversations": 12, "control_bps": 5e6, "plain_bps": 140e3, "plain_held_back": True}


def table(probe: str, found: dict[str, Any], configured: dict[str, Any] | None, *, agrees: bool = True) -> list[str]:
    result = ProbeResult(probe, "mobile", ("ru-tw-2021a",), MEASURED | found, configured, agrees)
    return probe_table(result).splitlines()


TTL = {
    "tried": [{"ttl": 1, "router": "10.0.0.1", "held_back": False}, {"ttl": 2, "router": None, "held_back": True}],
    "routers": [], "after_hop": 1,
}  # fmt: skip
TIMEOUT = {"tried": [{"idle_s": 10.0, "held_back": True}], "remembers_s": 10.0, "forgets_s": 20.5}
BUDGET = {"steps": [{"before": 3, "flows": 20, "read": 10}], "always": 3, "at_most": 15}
FIELDS = {
    "bytes": 9, "matters": [0, 1, 2],
    "fields": [
        {"field": "type", "start": 0, "end": 1, "matters": [0]},
        {"field": "length", "start": 1, "end": 4, "matters": [1, 2]},
        {"field": "random", "start": 4, "end": 9, "matters": []},
    ],
}  # fmt: skip
CASES = {"cases": [{"opened_from": "inside", "hello_by": "client", "held_back": True}]}
NAMES = {"names": [{"name": "t.co", "held_back": True}, {"name": "example.com", "held_back": False}]}


@pytest.mark.parametrize(
    ("probe", "found", "configured", "rows", "answer"),
    [
        ("ttl", TTL, {"after_hop": 1}, [["1", "10.0.0.1", "free"], ["2", "?", "held", "back"]],
         "box between hops 1 and 2; configured: after hop 1"),
        ("ttl", TTL | {"after_hop": None}, None, [["1", "10.0.0.1", "free"]],
         "no box before the far end; configured: after hop –"),
        ("domains", NAMES, {"held_back": {"t.co": True}}, [["t.co", "held", "back", "held", "back"],
         ["example.com", "free", "–"]], "1 of 2 names are acted on"),
        ("fields", FIELDS, {"matters": [0, 1]}, [["type", "1-1", "free", "free"],
         ["length", "2-4", "free", "for", "2", "of", "3", "bytes", "free", "for", "1", "of", "3", "bytes"],
         ["random", "5-9", "held", "back", "held", "back"]], "3 of 9 bytes must be right"),
        ("timeout", TIMEOUT, {"idle_timeout_s": 15.0}, [["10.0", "s", "held", "back"]],
         "remembered for 10.0 s, forgotten after 20.5 s; configured: 15.0 s"),
        ("timeout", TIMEOUT | {"forgets_s": None}, None, [], "still remembered after 10.0 s; configured: – s"),
        ("budget", BUDGET, {"budget_packets": [3, 15]}, [["3", "10", "of", "20", "█" * 15]],
         "reads 3 to 15 packets after the first; configured: 3 to 15"),
        ("budget", BUDGET, None, [], "reads 3 to 15 packets after the first; configured: – to –"),
        ("symmetry", CASES, {"held_back": [True]}, [["inside", "client", "held", "back", "held", "back"]], None),
        ("symmetry", CASES, None, [["inside", "client", "held", "back", "–"]], None),
    ],
)  # fmt: skip
def test_each_probe_has_its_table_and_its_answer(
    probe: str, found: dict[str, Any], configured: dict[str, Any] | None, rows: list[list[str]], answer: str | None
) -> None:
    lines = table(probe, found, configured)
    assert [row for row in rows if row not in [line.split() for line in lines]] == []
    assert answer is None or answer in lines


@pytest.mark.parametrize(("agrees", "said"), [(True, "agrees with"), (False, "DOES NOT AGREE with")])
def test_whether_the_configuration_says_the_same_and_how_it_was_measured(said: str, *, agrees: bool) -> None:
    *_, verdict, measured = table("symmetry", CASES, None, agrees=agrees)
    assert verdict == f"{said} the configuration (ru-tw-2021a)"
    assert measured == "12 connections; control 5 Mbit/s, plain hello 140 kbit/s"


def test_where_a_plain_hello_is_free_there_is_nothing_to_probe() -> None:
    first, *_, measured = table("ttl", {"plain_held_back": False, "plain_bps": None}, None)
    assert first == "A plain hello is not held back on this line: there is nothing to probe."
    assert measured.endswith("plain hello failed")
