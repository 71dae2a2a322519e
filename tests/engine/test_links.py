"""Links in the guest do what was said of them: shares, bursts, spread, queues, and what an outage leaves of it.

A program sends numbered datagrams; captures at both ends of the way tell which of them came, and when.
"""

from __future__ import annotations

import math
import struct
import sys
from itertools import groupby, pairwise
from statistics import fmean
from typing import TYPE_CHECKING

import pytest
from scipy import stats

from testbed.records.capture_file import datagram, read_frames
from testbed.records.label import label

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FinishedRun, Runner

PORT = 4000
SENDER = """
import socket, struct, sys, time
count, gap, size = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(count):
    out.sendto(struct.pack("!I", number).ljust(size, b"x"), ("twitter.com", 4000))
    if gap:
        time.sleep(gap)
time.sleep(2)
"""
SIGMAS = 2.576  # 99 %
SETTINGS = ("recordings=[]", "lines=[{name: mobile, kind: mobile, tspu: false}]", "censors={}")


def sent(run_scenario: Runner, *settings: str, count: int, gap_s: float, size: int = 100, seed: int = 1) -> FinishedRun:
    command = [sys.executable, "-c", SENDER, str(count), str(gap_s), str(size)]
    run = run_scenario(*SETTINGS, *settings, seed=seed, command=command)
    assert run.manifest["valid"], run.manifest["problems"]
    assert run.manifest["certificate"]["command_status"] == 0
    return run


def arrivals(path: Path) -> dict[int, list[int]]:
    """When each datagram is in a capture, ns, by its number."""
    found: dict[int, list[int]] = {}
    with path.open("rb") as file:
        for frame in read_frames(file):
            data = datagram(frame)
            if data is not None and data[9] == 17 and struct.unpack_from("!H", data, 22)[0] == PORT:
                found.setdefault(struct.unpack_from("!I", data, 28)[0], []).append(frame.t_ns)
    return found


def ends(run: FinishedRun) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    return arrivals(run.path / "captures/mobile-client.pcapng"), arrivals(run.path / "captures/origin-server.pcapng")


def link(words: str) -> str:
    return f"links=[{{between: [transit, origin], toward: origin, {words}}}]"


def test_loss_in_bursts_has_its_share_and_its_length(run_scenario: Runner) -> None:
    count, share, burst = 20_000, 0.02, 4.0
    run = sent(run_scenario, link(f"loss: {{mean: {share * 100} %, burst: {burst}}}"), count=count, gap_s=0.001)
    came = ends(run)[1]
    lost = [number not in came for number in range(count)]
    lengths = [len(list(group)) for is_lost, group in groupby(lost) if is_lost]
    # A two-state chain, correlation rho between neighbours: the binomial's variance times (1 + rho)/(1 - rho).
    to_good = 1 / burst
    rho = 1 - to_good - share * to_good / (1 - share)
    deviation = math.sqrt(count * share * (1 - share) * (1 + rho) / (1 - rho))
    assert abs(sum(lost) - count * share) < SIGMAS * deviation
    of_a_length = math.sqrt((1 - to_good) / to_good**2 / len(lengths))
    assert abs(fmean(lengths) - burst) < SIGMAS * of_a_length


def test_jitter_spreads_the_delay_evenly(run_scenario: Runner) -> None:
    run = sent(run_scenario, link("delay: 30 ms, jitter: 10 ms"), count=1000, gap_s=0.05)
    left, came = ends(run)
    delays_s = [(came[number][0] - left[number][0]) / 1e9 for number in came]
    least = min(delays_s)
    assert max(delays_s) - least == pytest.approx(0.02, abs=0.0005)
    spread = [delay - least for delay in delays_s]
    assert stats.kstest(spread, stats.uniform(0, max(spread)).cdf).pvalue > 0.01


def test_duplicates_and_overtaking_have_their_shares(run_scenario: Runner) -> None:
    count = 4000
    run = sent(run_scenario, link("delay: 20 ms, duplicate: 5 %, reorder: 10 %"), count=count, gap_s=0.002)
    came = ends(run)[1]
    twice = sum(len(times) == 2 for times in came.values())
    assert abs(twice - count * 0.05) < SIGMAS * math.sqrt(count * 0.05 * 0.95)
    in_order = sorted(came, key=lambda number: came[number][0])
    overtaken = sum(later < earlier for earlier, later in pairwise(in_order))
    assert 0 < overtaken < count * 0.2


@pytest.mark.parametrize(
    ("words", "held"),
    [("queue: 20", 20), ("queue: 30 kB", 30_000 // 1042), ("queue: 240 ms", 30_000 // 1042)],
)
def test_a_queue_holds_exactly_its_limit(run_scenario: Runner, words: str, held: int) -> None:
    """A hundred datagrams at once, each a frame of 1042 bytes: what does not fit when they come is lost."""
    fast = "network.parameters.mobile_up=0"
    run = sent(run_scenario, link(f"rate: 1 Mbit/s, {words}"), fast, count=100, gap_s=0, size=1000)
    assert len(ends(run)[1]) == held


def test_codel_keeps_the_delay_low_where_a_queue_does_not(run_scenario: Runner) -> None:
    waits = {}
    for discipline in ("fifo", "codel"):
        words = f"rate: 1 Mbit/s, queue: 500, discipline: {discipline}"
        left, came = ends(sent(run_scenario, link(words), count=1500, gap_s=0.006, size=1000))  # 1.39 Mbit/s
        late = [(came[number][0] - left[number][0]) / 1e9 for number in came if number > 1000]
        waits[discipline] = fmean(late)
    assert waits["fifo"] > 2 * waits["codel"]


def test_an_impairment_survives_an_outage_of_its_link(run_scenario: Runner) -> None:
    outage = "outages=[{link: [transit, origin], from: 2 s, until: 4 s, about: a router hangs}]"
    run = sent(run_scenario, link("loss: {mean: 10 %, burst: 5}"), outage, count=10_000, gap_s=0.001)
    left, came = ends(run)
    began = min(times[0] for times in left.values())
    lost = [left[number][0] - began for number in left if number not in came]
    after = [t for t in lost if t > 5e9]
    assert len(after) > 200
    run_lengths = [
        len(list(group))
        for is_lost, group in groupby(number not in came for number in left if left[number][0] - began > 5e9)
        if is_lost
    ]
    assert fmean(run_lengths) > 3


def test_two_seeds_lose_other_packets_and_one_seed_the_same(run_scenario: Runner) -> None:
    lossy = link("loss: 5 %")
    first, again, other = (
        frozenset(ends(sent(run_scenario, lossy, count=1000, gap_s=0.001, seed=seed))[1]) for seed in (1, 1, 2)
    )
    assert first == again != other


FAST_LINE = "lines=[{name: mobile, kind: mobile, tspu: false, up: 50 Mbit/s}]"  # so that the link is what limits


def test_a_traced_link_carries_what_its_trace_says(run_scenario: Runner, tmp_path: Path) -> None:
    """Within 2 % over any 5 s, while more is sent than it carries, with a gap and a step of 300 kbit/s in it."""
    rows = {0: 4_000_000, 2: 0, 3: 8_000_000, 4: 1_000_000, 5: 300_000, 6.5: 6_000_000, 8: 2_000_000}
    trace = tmp_path / "trace.csv"
    trace.write_text("\n".join(["time_s,rate_bps", *(f"{t},{rate}" for t, rate in rows.items())]))
    run = sent(run_scenario, FAST_LINE, link(f"trace: {trace}, queue: 20"), count=18_000, gap_s=0.001, size=1400)
    start_ns: int = run.manifest["start_ns"]
    frame_bits = (1400 + 28 + 14) * 8
    came_s = sorted((t - start_ns) / 1e9 for times in ends(run)[1].values() for t in times)
    sent_s = sorted((t - start_ns) / 1e9 for times in ends(run)[0].values() for t in times)
    period_s, begins = 9.5, [*rows]
    spans = [*zip(begins, [*begins[1:], period_s], rows.values(), strict=True)]

    def carried(until_s: float) -> float:
        turns, rest_s = divmod(until_s, period_s)
        within = sum(rate * max(0.0, min(end, rest_s) - begin) for begin, end, rate in spans)
        return turns * sum(rate * (end - begin) for begin, end, rate in spans) + within

    window_s, at_s, worst = 5.0, sent_s[0] + 0.5, 0.0
    while at_s + window_s < sent_s[-1]:
        bits = frame_bits * sum(at_s <= t < at_s + window_s for t in came_s)
        meant = carried(at_s + window_s) - carried(at_s)
        worst = max(worst, abs(bits - meant) / meant)
        at_s += 0.25
    assert 0 < worst < 0.02


@pytest.mark.parametrize("discipline", ["fifo", "red"])
def test_red_drops_before_its_queue_is_full(run_scenario: Runner, discipline: str) -> None:
    run = sent(
        run_scenario,
        link(f"rate: 4 Mbit/s, queue: 60 kB, discipline: {discipline}"),
        count=4000,
        gap_s=0.0022,
        size=1400,
    )
    departures, came = ends(run)
    waited_ms = [(came[number][0] - times[0]) / 1e6 for number, times in departures.items() if number in came]
    lost = [number not in came for number in departures]
    assert 0.15 < fmean(lost) < 0.35  # 5.2 Mbit/s into 4
    queued_ms = max(waited_ms[-500:]) - min(waited_ms)
    assert (110 < queued_ms < 125) if discipline == "fifo" else (40 < queued_ms < 80)  # 60 kB are 120 ms, RED's most 60


def test_a_tariff_polices_all_that_a_link_carries(run_scenario: Runner) -> None:
    """A bucket of 50 kB that is filled at 2 Mbit/s, with frames of 1442 bytes at 5.8 Mbit/s."""
    frame, gap_s, rate, burst = 1442, 0.002, 250_000, 50_000
    run = sent(
        run_scenario, link("policer: {rate: 2 Mbit/s, burst: 50 kB}"), count=2000, gap_s=gap_s, size=1400,
    )  # fmt: skip
    departures, came = ends(run)
    span_s = (max(t[0] for t in departures.values()) - min(t[0] for t in departures.values())) / 1e9
    assert len(came) * frame == pytest.approx(burst + rate * span_s, abs=2 * frame)
    first_lost = next(number for number in range(2000) if number not in came)
    assert first_lost * frame == pytest.approx(burst + rate * gap_s * first_lost, abs=3 * frame)
    waited = [came[number][0] - times[0] for number, times in departures.items() if number in came]
    assert max(waited) - min(waited) < 1_000_000  # nothing waits: what is over the rate is gone


def test_a_tariff_is_no_censor(run_scenario: Runner) -> None:
    run = run_scenario(
        *SETTINGS, link("policer: {rate: 2 Mbit/s, burst: 50 kB}"), "outages=[]",
        "measurements=[{upload: twitter.com, role: target, size: 200 kB}]",
    )  # fmt: skip
    assert run.manifest["valid"], run.manifest["problems"]
    (transfer,) = run.manifest["transfers"]
    (acted,) = (each for each in transfer["influences"] if each["who"] == "plan")
    assert (acted["where"], acted["what"], transfer["throttled"]) == ("origin - transit", "policer", False)
    assert label(transfer) == "not throttled"


def test_a_rate_is_impaired_for_a_while(run_scenario: Runner) -> None:
    """4 Mbit/s is sent over 8 Mbit/s, which are 1 Mbit/s from 4 s to 8 s, with a short queue."""
    event = "{impairment: {link: [transit, origin], from: 4 s, until: 8 s, rate: 1 Mbit/s, about: a test}}"
    run = sent(
        run_scenario, FAST_LINE, "links=[{between: [transit, origin], rate: 8 Mbit/s, queue: 5}]", "outages=[]",
        f"events=[{event}]", count=4000, gap_s=0.00288, size=1400,
    )  # fmt: skip
    start_ns: int = run.manifest["start_ns"]

    def rate_bps(side: int, begin: float, end: float) -> float:
        times = [(t - start_ns) / 1e9 for found in ends(run)[side].values() for t in found]
        bits = 1442 * 8 * sum(begin <= t < end for t in times)
        return bits / (end - begin)

    assert rate_bps(1, 4.5, 8) == pytest.approx(1e6, rel=0.01)
    for begin, end in ((2.5, 4), (8.5, 11)):
        assert rate_bps(1, begin, end) == pytest.approx(rate_bps(0, begin, end), rel=0.01)
