"""What a scenario says of lines, links, origins, background and captures is told in a line each, and no more is."""

from __future__ import annotations

import pytest

from testbed.report.conditions import conditions
from tests.scenario.plans import first_day

PLAIN = ("outages=[]", "recordings=[]", "measurements=[{fetch: example.com, role: control, size: 1 kB}]")


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("lines.0={name: m, kind: mobile, tspu: false, down: 3 Mbit/s}", "line m: down 3 Mbit/s"),
        (
            "links=[{between: [gateway, state], toward: state, delay: 5 ms, loss: {mean: 2 %, burst: 3}}]",
            "link gateway - state toward state: delay 5 ms, loss 2 % in bursts of 3",
        ),
        (
            "links=[{between: [gateway, state], jitter: 1 ms, rate: 5 Mbit/s, queue: 9, duplicate: 1 %}]",
            "link gateway - state: rate 5 Mbit/s, jitter 1 ms, duplicates 1 %, queue pfifo of 9 packets",
        ),
        (
            "links=[{between: [gateway, state], policer: {rate: 2 Mbit/s, burst: 15 kB}}]",
            "link gateway - state: policer 2 Mbit/s",
        ),
        (
            "origins.origin={serves: [example.com], think: 80 ms, protocols: [http/1.1, http/3]}",
            "origin origin: think 80 ms, speaks http/1.1, http/3",
        ),
        ("origins.origin.rate=1 Mbit/s", "origin origin: rate 1 Mbit/s"),
        (
            "background=[{udp: [origin, mobile], rate: 1 Mbit/s, until: 9 s}]",
            "background/01: udp origin to mobile, constant 1 Mbit/s, from the beginning until 9 s",
        ),
        (
            "background=[{bulk: [origin, mobile], flows: 2, beside: control}]",
            "background/01: bulk origin to mobile, 2 flows, beside 1 measurement",
        ),
        ("captures={client: headers, box: compared}", "captures: client (headers), box (compared, then dropped)"),
        ("captures={}", "captures: none"),
    ],
)
def test_what_a_scenario_says_is_told_in_one_line(setting: str, told: str) -> None:
    before, after = (conditions(first_day(*PLAIN, *more).data) for more in ((), (setting,)))
    assert before == ["captures: client (whole), server (whole), box (whole)"]
    assert [each for each in after if each not in before] == [told]


def test_natural_variation_is_told_once() -> None:
    found = conditions(first_day(*PLAIN, "variation=natural").data)
    assert [each.rpartition("of ")[0] for each in found if "natural" in each] == ["natural variation: "]
    assert not any(each.startswith("link ") for each in found)
