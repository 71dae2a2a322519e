"""What a scenario says of its links is resolved to what the kernel can do, or refused with its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from testbed.errors import ScenarioError
from tests.scenario.plans import first_day

if TYPE_CHECKING:
    from testbed.records.link_plan import LinkPlan


def planned(*links: str) -> list[LinkPlan]:
    return first_day(f"links=[{', '.join(links)}]").data["links"]


def test_what_is_said_of_a_link_is_planned_in_the_kernels_terms() -> None:
    link = "{between: [transit, origin], toward: transit, delay: 30 ms, jitter: 5 ms, loss: {mean: 2 %, burst: 4}, "
    [plan] = planned(link + "duplicate: 1 %, reorder: 3 %, rate: 8 Mbit/s, queue: 60 ms}")
    assert plan.pop("seed") > 0  # type: ignore[misc]
    assert plan == {
        "between": ["transit", "origin"], "toward": "transit", "delay_s": 0.03, "jitter_s": 0.005, "loss": 0.02,
        "burst": 4.0, "duplicate": 0.01, "reorder": 0.03, "rate_bps": 8_000_000,
        "queue": {"kind": "bfifo", "limit": 60_000},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "queue"),
    [
        ("rate: 8 Mbit/s, queue: 50", {"kind": "pfifo", "limit": 50}),
        ("rate: 8 Mbit/s, queue: 64 kB", {"kind": "bfifo", "limit": 64_000}),
        ("rate: 8 Mbit/s, queue: 100 ms", {"kind": "bfifo", "limit": 100_000}),
        ("rate: 8 Mbit/s, discipline: codel", {"kind": "codel", "limit": 100}),
        ("rate: 8 Mbit/s, discipline: fq_codel, queue: 1024", {"kind": "fq_codel", "limit": 1024}),
        ("rate: 8 Mbit/s, discipline: codel, queue: 151400 B", {"kind": "codel", "limit": 100}),
    ],
)
def test_a_queue_is_so_many_packets_bytes_or_milliseconds(words: str, queue: dict[str, object]) -> None:
    [plan] = planned(f"{{between: [transit, origin], {words}}}")
    assert plan["queue"] == queue


def test_a_queue_in_time_counts_at_the_topologys_own_rate() -> None:
    [plan] = planned("{between: [mobile, mobile-r1], queue: 80 ms}")
    assert plan["queue"] == {"kind": "bfifo", "limit": 50_000}  # of 5 Mbit/s, the slower direction


def test_a_delay_of_a_link_is_in_the_round_trip_time() -> None:
    before = first_day().data["rtt_s"]["mobile"]
    after = first_day("links=[{between: [transit, origin], toward: origin, delay: 100.5 ms}]").data["rtt_s"]["mobile"]
    assert after["origin"] - before["origin"] == pytest.approx(0.1)
    assert after["state"] == before["state"]


def test_each_link_draws_from_a_seed_of_its_own_that_follows_the_runs() -> None:
    links = "links=[{between: [transit, origin], loss: 2 %}, {between: [gateway, state], loss: 2 %}]"
    first, other = ([link["seed"] for link in first_day(links, seed=seed).data["links"]] for seed in (1, 2))
    assert len({*first, *other}) == 4


@pytest.mark.parametrize(
    ("links", "problem"),
    [
        ("{between: [transit, moon], delay: 1 ms}", "links.0.between: no link between transit and moon"),
        ("{between: [mobile-r3, mobile-tspu], delay: 1 ms}", "mobile-tspu is a middlebox, whose ports"),
        ("{between: [transit, origin], toward: moon, delay: 1 ms}", "links.0.toward: expected transit or origin"),
        ("{between: [transit, origin], loss: 2}", "links.0.loss.mean: expected a share such as '2 %', got 2"),
        ("{between: [transit, origin], loss: {mean: 2 %}}", "links.0.loss.burst: this key is missing"),
        ("{between: [transit, origin], loss: {mean: 2 %, burst: 0.5}}", "links.0.loss.burst: expected greater than"),
        ("{between: [transit, origin], loss: {mean: 2 %, burst: true}}", "links.0.loss.burst: expected a number"),
        ("{between: [transit, origin], loss: {mean: 100 %, burst: 4}}", "links.0.loss: bursts of 4 packets"),
        ("{between: [transit, origin], loss: {mean: 81 %, burst: 4}}", "lose 80 % on average, got a mean of 81 %"),
        ("{between: [transit, origin]}", "links.0: nothing is said of this link"),
        ("{between: [transit, origin], toward: origin}", "links.0: nothing is said of this link"),
        ("{between: [transit, origin], delay: null}", "links.0: nothing is said of this link"),
        ("{between: [transit, origin], rate: 0 bit/s}", "links.0.rate: a rate of 0 limits nothing; remove it"),
        ("{between: [transit, origin], rate: 0}", "links.0.rate: a rate of 0 limits nothing; remove it"),
        ("{between: [transit, origin], jitter: 0 ms, keeps_order: true}", "links.0: keeps_order says what jitter does"),
        ("{between: [transit, origin], delay: 0 ms, reorder: 2 %}", "links.0.reorder: a link without a delay has no"),
        ("{between: [transit, origin], jitter: 0 ms, delay: 0 ms, reorder: 2 %}", "links.0.reorder: a link without"),
        ("{between: [transit, origin], rate: 1 Mbit/s, queue: true}", "links.0.queue: expected packets such as 100, a"),
        ("{between: [transit, origin], rate: 1 Mbit/s, queue: 1.5}", "links.0.queue: expected packets such as 100, a"),
        ("{between: [transit, origin], rate: 1 Mbit/s, queue: 1513 B}", "links.0.queue: a full packet of 1514 bytes"),
        ("{between: [transit, origin], rate: 1 Mbit/s, queue: 12 ms}", "never fits into 1500, got '12 ms'"),
        ("{between: [transit, origin], rate: 1 Mbit/s, discipline: codel, queue: 1 kB}", "never fits into 1000"),
        ("{between: [transit, origin], jitter: 5}", "links.0.jitter: expected a duration such as"),
        ("{between: [transit, origin], queue: 50}", "links.0.queue: a link without a rate has no queue"),
        ("{between: [transit, origin], rate: 1 Mbit/s, queue: 0}", "links.0.queue: expected 1 to 1000000 packets"),
        ("{between: [transit, origin], rate: 1 Mbit/s, queue: many}", "links.0.queue: expected packets such as 100"),
        ("{between: [transit, origin], rate: 1 Mbit/s, discipline: pie}", "links.0.discipline: expected 'fifo'"),
        ("{between: [transit, origin], rate: 1 Mbit/s, discipline: red, queue: 5 kB}", "12000 to 4000000 bytes"),
        ("{between: [transit, origin], rate: 1 Mbit/s, trace: cellular-slow}", "links.0.trace: a link has a rate or"),
        ("{between: [transit, origin], trace: lte}", "links.0.trace: no trace 'lte'"),
        ("{between: [transit, origin], policer: {rate: 0, burst: 50 kB}}", "links.0.policer.rate"),
        ("{between: [transit, origin], policer: {rate: 1 Mbit/s, burst: 500 B}}", "links.0.policer.burst"),
        ("{between: [transit, origin], policer: {rate: 1 Mbit/s}}", "links.0.policer.burst"),
        ("{between: [transit, origin], loss: 1 %}, {between: [origin, transit], toward: transit, delay: 1 ms}",
         "links.1.between: the link of origin and transit stands twice, that way"),
    ],
)  # fmt: skip
def test_what_a_link_cannot_do_is_refused_with_its_place(links: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(problem)):
        planned(links)


def test_bursts_may_lose_as_much_as_leaves_a_packet_between_them() -> None:
    [plan] = planned("{between: [transit, origin], loss: {mean: 80 %, burst: 4}}")
    assert (plan["loss"], plan["burst"]) == (0.8, 4.0)
    [plan] = planned("{between: [transit, origin], loss: 100 %}")
    assert (plan["loss"], plan["burst"]) == (1.0, 1.0)


def test_a_delay_of_the_topologys_lets_packets_be_reordered() -> None:
    [plan] = planned("{between: [mobile, mobile-r1], reorder: 2 %}")
    assert plan["reorder"] == 0.02


def test_two_directions_of_a_link_may_be_said_one_by_one() -> None:
    ways = [f"{{between: [transit, origin], toward: {end}, loss: 1 %}}" for end in ("transit", "origin")]
    assert len(planned(*ways)) == 2


def test_mininets_own_links_cannot_do_this() -> None:
    with pytest.raises(ScenarioError, match="links: Mininet's own links cannot do this"):
        first_day("links=[{between: [transit, origin], loss: 1 %}]", "network.links=stock")
