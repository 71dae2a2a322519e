"""What boxes did to a transfer, as their logs tell it."""

from __future__ import annotations

from typing import Any

import pytest

from testbed.records.box_flows import BoxFlows
from testbed.records.influence import Span
from testbed.records.measurements import client_events
from tests.records.build import (
    BOX,
    MEASUREMENTS,
    ORIGIN,
    PORT,
    SUBSCRIBER,
    TRUTH,
    box,
    client,
    dropped,
    opened,
    transfer,
)

PLANNED: Any = transfer()
SPENT = Span(1.0, 5.0)


def influences(
    truth: list[Any], *, rules: tuple[Any, ...] = (), measurements: list[Any] = MEASUREMENTS, kind: str = "fetch"
) -> list[Any]:
    profile = {"name": "p", "summary": "", "rules": list(rules)}
    boxes: Any = {BOX: {"line": "mobile", "profile": profile, "seed": 1}}
    planned: Any = {**PLANNED, "kind": kind}
    return BoxFlows(truth, boxes).influences(planned, client_events(measurements), SPENT, shares_line=False)


@pytest.mark.parametrize(
    ("rule", "on"),
    [
        ({"exact": ["x"]}, "name"), ({"suffix": ["x"]}, "name"), ({"substring": ["x"]}, "name"),
        ({"regex": ["x"]}, "name"), ({"address": ["10.0.0.0/8"]}, "address"), ({"protocol": ["quic"]}, "protocol"),
        ({"any": ["*"]}, "everything"),
    ],
)  # fmt: skip
def test_what_a_box_goes_by_is_its_rules_kind(rule: dict[str, Any], on: str) -> None:
    (found,) = influences(TRUTH, rules=({"id": "other", "any": ["*"]}, {"id": "twimg.com", **rule}))
    assert (found["on"], found["rule"], found["where"]) == (on, "twimg.com", BOX)


def test_an_influence_has_its_beginning_its_share_and_its_packets() -> None:
    (found,) = influences([*TRUTH, dropped(3.0, seq=9, ip_id=8), box("packet_delayed", 3.5)])
    assert (found["what"], found["effect"], found["packets"]) == ("token_bucket", "slows", 3)
    assert (found["from_s"], found["until_s"]) == (1.3, 5.0)
    assert found["time_share"] == pytest.approx(3.7 / 4.0)


def test_a_flow_that_only_passed_was_not_acted_on() -> None:
    assert influences([opened(1.1), box("rule_matched", 1.3, rule="twimg.com")]) == []


def test_what_two_boxes_did_is_told_of_both() -> None:
    other = [
        opened(1.1, box="landline-tspu", flow=4),
        box("blocking_started", 2.0, box="landline-tspu", flow=4, action="reset", effect="ends", residual_s=None),
        box("packet_injected", 2.0, box="landline-tspu", flow=4),
    ]
    found = influences([*TRUTH, *other])
    assert [(each["where"], each["what"], each["packets"]) for each in found] == [
        (BOX, "token_bucket", 1), ("landline-tspu", "reset", 1),
    ]  # fmt: skip


def test_a_meter_of_the_whole_line_counts_the_packets_of_the_transfers_time() -> None:
    line = [
        box("throttling_started", 0.5, flow=0, meter="token_bucket", effect="slows", up=None, down={"rate": 1.0}),
        *(box("packet_dropped", t, flow=0) for t in (0.7, 2.0, 4.9, 6.0)),
    ]
    (found,) = influences(line, rules=({"id": "all", "any": ["*"]},))
    assert (found["on"], found["rule"], found["packets"], found["time_share"]) == ("everything", "all", 2, 1.0)


@pytest.mark.parametrize(("delayed", "only"), [([1.4], True), ([1.4, 3.0], False), ([], False)])
def test_what_touches_the_handshake_alone_says_so(delayed: list[float], *, only: bool) -> None:
    truth = [opened(1.1), box("throttling_started", 1.2, meter="delay", effect="slows")]
    truth += [box("packet_delayed", t) for t in delayed]
    (found,) = influences(truth, measurements=[*MEASUREMENTS, client("handshake", 1.5)])
    assert found["only_handshake"] is only


@pytest.mark.parametrize(
    ("kind", "action", "only"),
    [
        ("fetch", "delay", True), ("upload", "delay", True), ("curl", "delay", True),
        ("replay", "delay", False),  # it makes no handshake of its own
        ("fetch", "token_bucket", False),  # its rate would have slowed what follows, too
    ],
)  # fmt: skip
def test_a_handshake_that_never_ended_under_a_delay_was_all_that_could_be_touched(
    kind: str, action: str, *, only: bool
) -> None:
    started = (
        box("blocking_started", 1.2, action="delay", effect="slows")
        if action == "delay"
        else box("throttling_started", 1.2, meter=action, effect="slows")
    )
    touched = "packet_delayed" if action == "delay" else "packet_dropped"
    (found,) = influences(
        [opened(1.1), started, *(box(touched, t) for t in (1.4, 4.0))], measurements=MEASUREMENTS, kind=kind
    )
    assert found["only_handshake"] is only


def quic(t: float, flow: int, **fields: Any) -> Any:
    return opened(t, protocol="udp", flow=flow) | fields


def throttled(t: float, flow: int) -> list[Any]:
    return [
        box("rule_matched", t, flow=flow, rule=f"of-{flow}"),
        box("throttling_started", t, flow=flow, meter="token_bucket", effect="slows"),
    ]


@pytest.mark.parametrize(
    ("truth", "rule"),
    [
        ([quic(1.25, 1), *throttled(1.25, 1)], "of-1"),
        # The same number is a port of TCP's, too, and of the flow before and of the one behind.
        ([opened(1.25), *throttled(1.25, 1)], None),
        ([quic(0.5, 1), *throttled(0.5, 1), quic(1.25, 2)], None),
        ([quic(1.25, 1), quic(4.0, 2), *throttled(4.0, 2)], None),
        ([opened(1.1), *throttled(1.3, 1), quic(1.25, 2), *throttled(1.3, 2)], "of-2"),
    ],
)
def test_a_quic_flow_is_the_first_of_its_port_after_the_client_began(truth: list[Any], rule: str | None) -> None:
    ends: Any = client("connected", 1.2, local=[SUBSCRIBER, PORT], remote=[ORIGIN, 443], protocol="udp")
    found = BoxFlows(truth, {}).find(ends, None, 9.0)
    assert (found.rule if found else None) == rule


def test_a_tcp_connection_is_no_quic_flow_of_the_same_port() -> None:
    ends: Any = client("connected", 1.2, local=[SUBSCRIBER, PORT], remote=[ORIGIN, 443])
    found = BoxFlows([opened(1.0), *throttled(1.1, 1), quic(1.15, 2)], {}).find(ends, None, 9.0)
    assert found is not None
    assert found.rule == "of-1"


def test_packets_of_a_shared_line_are_not_counted_as_the_transfers() -> None:
    line = [
        box("throttling_started", 0.5, flow=0, meter="token_bucket", effect="slows", up=None, down={"rate": 1.0}),
        box("packet_dropped", 2.0, flow=0),
    ]
    boxes: Any = {BOX: {"line": "mobile", "profile": {"name": "p", "summary": "", "rules": [{"id": "a"}]}, "seed": 1}}
    flows = BoxFlows(line, boxes)
    (shared,) = flows.influences(PLANNED, client_events(MEASUREMENTS), SPENT, shares_line=True)
    (alone,) = flows.influences(PLANNED, client_events(MEASUREMENTS), SPENT, shares_line=False)
    assert (shared["packets"], alone["packets"]) == (None, 1)


def test_a_rule_by_name_that_matched_without_one_went_by_a_tainted_address() -> None:
    truth = [
        opened(1.1),
        box("rule_matched", 1.3, rule="names", sni=None),
        box("throttling_started", 1.3, meter="token_bucket", effect="slows"),
    ]
    (found,) = influences(truth, rules=({"id": "names", "exact": ["x"]},))
    assert found["on"] == "address"
