"""Natural variation: what is drawn, and that nothing else changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testbed.records.capture_file import read_frames
from tests.scenario.plans import first_day

if TYPE_CHECKING:
    from tests.conftest import FinishedRun, Runner

MEASUREMENTS = (
    "measurements=[{fetch: twitter.com, role: target, size: 30 kB}, {fetch: example.com, role: control, size: 30 kB},"
    " {fetch: example.com, role: control, size: 30 kB, at: 60 s, parallel: 2}]"
)
SMALL = ("lines=[{name: mobile, kind: mobile, tspu: true}]", "recordings=[]", "outages=[]", MEASUREMENTS)


def transfers(**plan: Any) -> list[Any]:
    return [each for phase in plan["phases"] for line in phase["lines"] for each in line["transfers"]]


def test_nothing_varies_unless_it_is_asked_for() -> None:
    one, other = (first_day(*SMALL, seed=seed).data for seed in (1, 2))
    assert transfers(**one) == transfers(**other)
    assert one["links"] == other["links"] == []


def test_every_start_is_later_by_a_draw_of_its_own() -> None:
    plain = transfers(**first_day(*SMALL).data)
    varied = transfers(**first_day(*SMALL, "variation=natural").data)
    later = [
        (each["at_s"] + each.get("pause_s", 0.0)) - (before["at_s"] + before.get("pause_s", 0.0))
        for before, each in zip(plain, varied, strict=True)
    ]
    assert all(0 < each < 3 for each in later)
    assert later[2] == later[3]  # connections at once begin together
    assert len(set(later)) == 3
    assert [each["at_s"] > 60 for each in varied] == [False, False, True, True]
    assert varied[0]["at_s"] > 0  # the first has nothing before it to pause after


def test_links_of_which_the_scenario_says_something_are_left_alone() -> None:
    said = "links=[{between: [transit, origin], loss: 1 %}]"
    found = {frozenset(each["between"]): each for each in first_day(*SMALL, "variation=natural", said).data["links"]}
    assert found[frozenset({"transit", "origin"})].get("jitter_s") is None
    others = [each for each in found.values() if each.get("natural")]
    assert others
    assert all(0 < each["jitter_s"] <= 0.0002 and each["keeps_order"] for each in others)


def test_an_origin_that_thinks_does_so_for_another_time_each_request() -> None:
    thinking = "origins.origin.think=80 ms"
    origins = first_day(*SMALL, "variation=natural", thinking).data["origins"]
    assert origins["origin"]["think_sigma"] == 0.2
    assert [node for node, origin in origins.items() if "think_sigma" in origin] == ["origin"]
    assert "think_sigma" not in first_day(*SMALL, thinking).data["origins"]["origin"]


def history(run: FinishedRun) -> tuple[Any, ...]:
    """Every packet of the client's capture: its length, and its time since the first."""
    with (run.path / "captures/mobile-client.pcapng").open("rb") as file:
        frames = [(frame.t_ns, len(frame.data)) for frame in read_frames(file)]
    return tuple((t_ns - frames[0][0], length) for t_ns, length in frames)


def test_no_two_of_twenty_seeds_have_equal_packet_histories(run_scenario: Runner) -> None:
    small = [
        *SMALL[:3], "variation=natural", "captures=[client]",
        "measurements=[{fetch: twitter.com, role: target, size: 20 kB}]",
    ]  # fmt: skip
    runs = [run_scenario(*small, seed=seed) for seed in range(1, 21)]
    assert all(run.manifest["valid"] for run in runs)
    # One transfer, from its first packet on: a later start alone would make no difference here.
    assert len({history(run) for run in runs}) == 20
    assert history(run_scenario(*small, seed=7)) == history(runs[6])
