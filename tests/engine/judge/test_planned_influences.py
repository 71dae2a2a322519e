"""What the plan says of a transfer's links and ends is told, and nothing of links that it does not cross."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.engine.judge.planned_influences import add_planned_influences
from testbed.records.run import RunDirectory
from tests.records.build import transfer
from tests.scenario.plans import first_day

if TYPE_CHECKING:
    from pathlib import Path

ONE_LINE = ("lines=[{name: mobile, kind: mobile, tspu: true}]", "recordings=[]")
FETCHES = (
    "measurements=[{fetch: twitter.com, role: target, receive_buffer: 16 kB}, {fetch: kremlin.ru, role: control}]",
)


def influences(folder: Path, settings: tuple[str, ...], truth: str = "") -> dict[str, list[tuple[Any, ...]]]:
    plan = first_day(*ONE_LINE, *FETCHES, *settings)
    run = RunDirectory.create(folder / "run")
    (run.path / "truth.jsonl").write_text(truth)
    found = [
        transfer(id=each["id"], sni=each["sni"], start_s=10.0, end_s=20.0, influences=[]) for each in plan.transfers
    ]
    add_planned_influences(plan, found, run)
    return {
        each["sni"]: [(one["who"], one["where"], one["what"], one["time_share"]) for one in each["influences"]]
        for each in found
    }


def test_of_a_network_as_the_topology_has_it_only_the_ends_are_told(tmp_path: Path) -> None:
    found = influences(tmp_path, ("outages=[]",))
    assert found == {"twitter.com": [("ends", "mobile", "receive buffer", 1.0)], "kremlin.ru": []}


def test_a_link_that_is_changed_is_told_of_those_that_cross_it(tmp_path: Path) -> None:
    found = influences(
        tmp_path, ("outages=[]", "links=[{between: [gateway, state], loss: 2 %, jitter: 1 ms, delay: 5 ms}]")
    )
    assert found["kremlin.ru"] == [("link", "gateway - state", "delay, jitter, loss", 1.0)]
    assert all(who != "link" for who, *_ in found["twitter.com"])


def test_loss_of_a_line_is_told(tmp_path: Path) -> None:
    found = influences(tmp_path, ("outages=[]", "lines.0.loss=1 %"))
    assert [what for _, _, what, _ in found["kremlin.ru"]] == ["loss"]


def test_an_origin_says_what_its_end_does(tmp_path: Path) -> None:
    origins = first_day(*ONE_LINE, *FETCHES).data["origins"]
    (server,) = [node for node, origin in origins.items() if "twitter.com" in origin["names"]]
    found = influences(tmp_path, ("outages=[]", f"origins.{server}.rate=1 Mbit/s", f"origins.{server}.think=80 ms"))
    assert found["twitter.com"][:2] == [("ends", server, "rate", 1.0), ("ends", server, "think", 1.0)]


@pytest.mark.parametrize(
    ("from_s", "until_s", "share"), [(0, 12, 0.2), (15, 90, 0.5), (15, None, 0.5), (1, 9, None), (21, 22, None)]
)
def test_an_outage_is_told_for_the_time_that_it_shares(
    tmp_path: Path, from_s: float, until_s: float | None, share: float | None
) -> None:
    link = '"box": null, "flow": null, "link": ["state", "gateway"], "about": "a test"'
    truth = f'{{"t": {from_s}, "event": "link_failed", {link}}}\n'
    truth += '{"t": 0.5, "event": "an_event_of_tomorrow", "box": null, "flow": null}\n'
    if until_s is not None:
        truth += f'{{"t": {until_s}, "event": "link_restored", {link}}}\n'
    outage = "outages=[{link: [gateway, state], from: 1 s, until: 9 s, about: a test}]"
    found = influences(tmp_path, (outage,), truth)
    assert found["kremlin.ru"] == ([] if share is None else [("link", "gateway - state", "outage", share)])


def test_two_that_overlap_without_a_reason_each_end_when_they_end(tmp_path: Path) -> None:
    link = '"box": null, "flow": null, "link": ["state", "gateway"], "about": ""'
    instants = [(1, "failed"), (11, "impaired"), (15, "restored"), (16, "restored")]
    truth = "".join(f'{{"t": {t}, "event": "link_{what}", {link}}}\n' for t, what in instants)
    for until, shares in (("15 s", (0.5, 0.5)), ("17 s", (0.6, 0.4))):
        outage = f"outages=[{{link: [gateway, state], from: 1 s, until: {until}}}]"
        events = "events=[{impairment: {link: [gateway, state], from: 11 s, until: 16 s, loss: 1 %}}]"
        found = {what: share for *_, what, share in influences(tmp_path / until, (outage, events), truth)["kremlin.ru"]}
        assert found == {"outage": shares[0], "impairment": shares[1]}


def test_what_did_not_run_was_not_acted_on(tmp_path: Path) -> None:
    plan = first_day(*ONE_LINE, *FETCHES)
    run = RunDirectory.create(tmp_path / "run")
    (run.path / "truth.jsonl").write_text("")
    found = [
        transfer(id=each["id"], sni=each["sni"], start_s=None, end_s=None, influences=[]) for each in plan.transfers
    ]
    add_planned_influences(plan, found, run)
    assert [each["influences"] for each in found] == [[], []]
