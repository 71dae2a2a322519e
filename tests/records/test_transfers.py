"""What each transfer came to, from what its client saw and what the boxes logged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.records.transfers import summarise_transfers
from tests.records.build import BOX, MEASUREMENTS, ORIGIN, TRUTH, box, client, dropped, opened, transfer

if TYPE_CHECKING:
    from testbed.records.manifest import TransferSummary

PLANNED = {key: transfer()[key] for key in ("id", "name", "line", "sni", "direction", "role", "kind")}


def summarise(
    measurements: list[Any],
    truth: list[Any],
    *,
    boxes: dict[str, Any] | None = None,
    names: dict[str, str] | None = None,
    **planned: Any,
) -> TransferSummary:
    transfers = [PLANNED | planned, PLANNED | {"id": "r", "kind": "record"}]
    plan: Any = {"boxes": boxes or {}, "names": names or {}, "phases": [{"lines": [{"transfers": transfers}]}]}
    (summary,) = summarise_transfers(plan, measurements, truth)
    return summary


def test_a_throttled_download_is_summed_up() -> None:
    summary = summarise(MEASUREMENTS, TRUTH)
    assert summary == transfer()


def test_a_transfer_that_never_began_did_not_run() -> None:
    summary = summarise([], TRUTH)
    assert summary["error"] == "did not run"
    assert (summary["ok"], summary["bytes"], summary["duration_s"], summary["goodput_bps"]) == (False, 0, None, None)


def test_a_transfer_of_a_run_that_died_did_not_finish() -> None:
    summary = summarise(MEASUREMENTS[:3], TRUTH)
    assert (summary["error"], summary["ok"], summary["bytes"]) == ("did not finish", False, 2000)


def test_a_failure_keeps_the_clients_words() -> None:
    summary = summarise([*MEASUREMENTS[:2], client("finished", 9.0, ok=False, error="timed out")], TRUTH)
    assert (summary["error"], summary["ok"], summary["throttled"]) == ("timed out", False, True)


def test_an_upload_is_measured_where_its_bytes_arrive() -> None:
    server = client("bytes", 3.0, times=[3.0], totals=[900], side="server")
    summary = summarise([*MEASUREMENTS, server], TRUTH, direction="upload")
    assert (summary["bytes"], summary["duration_s"], summary["goodput_bps"]) == (900, 2.0, 3600.0)


def test_the_handshake_runs_from_the_connection_to_its_end() -> None:
    summary = summarise([*MEASUREMENTS, client("handshake", 1.5)], TRUTH)
    assert summary["handshake_s"] == pytest.approx(0.3)


def test_instants_that_curl_told_afterwards_go_before_those_of_the_log() -> None:
    records = [
        client("started", 1.0),
        client("connected", 6.0, t_connected=1.25, local=["100.64.0.1", 20_000]),
        client("handshake", 6.0, t_handshake=1.75),
    ]
    assert summarise(records, [])["handshake_s"] == 0.5


def test_what_no_box_saw_is_not_throttled() -> None:
    summary = summarise(MEASUREMENTS, [])
    assert (summary["throttled"], summary["rule"], summary["drops"]) == (False, None, 0)


@pytest.mark.parametrize(
    "truth",
    [
        [opened(1.1), box("rule_matched", 1.3, rule="twimg.com")],
        [
            opened(1.1, inside_port=1),
            box("rule_matched", 1.3, rule="twimg.com"),
            box("throttling_started", 1.3, meter="token_bucket", effect="slows"),
            dropped(1.4, seq=1, ip_id=1),
        ],
        [
            opened(1.1, inside="100.64.0.9"),
            box("throttling_started", 1.3, meter="token_bucket", effect="slows"),
            dropped(1.4, seq=1, ip_id=1),
        ],
        [
            opened(5.3),
            box("throttling_started", 5.3, meter="token_bucket", effect="slows"),
            dropped(5.4, seq=1, ip_id=1),
        ],
        [opened(1.1), box("throttling_started", 1.3, meter="token_bucket", effect="slows")],
        [
            opened(1.1),
            opened(1.1, flow=2, inside_port=2),
            box("throttling_started", 1.3, flow=2, meter="token_bucket", effect="slows"),
            dropped(1.4, seq=1, ip_id=1, flow=2),
        ],
        [
            opened(1.1),
            opened(1.1, box="b", inside_port=2),
            box("throttling_started", 1.3, box="b", meter="token_bucket", effect="slows"),
            dropped(1.4, seq=1, ip_id=1, box="b"),
        ],
    ],
    ids=[
        "matched only",
        "other port",
        "other address",
        "opened after its end",
        "touched nothing",
        "other flow",
        "same flow number, other box",
    ],
)
def test_only_throttling_of_its_own_flow_counts(truth: list[dict[str, Any]]) -> None:
    assert summarise(MEASUREMENTS, truth)["throttled"] is False


def test_of_two_flows_from_one_port_the_later_one_counts() -> None:
    truth = [
        opened(0.2),
        box("throttling_started", 0.3, meter="token_bucket", effect="slows"),
        opened(1.1, flow=2),
        dropped(1.3, seq=1, ip_id=1, flow=2),
    ]
    summary = summarise(MEASUREMENTS, truth)
    assert (summary["throttled"], summary["drops"]) == (False, 1)


@pytest.mark.parametrize(
    ("forgotten", "opened_again", "throttled"), [(None, None, True), (5.0, None, False), (5.0, 9.1, True)]
)
def test_of_a_download_that_begins_later_the_flow_that_the_box_then_remembers_counts(
    forgotten: float | None, opened_again: float | None, *, throttled: bool
) -> None:
    truth = [opened(1.1), box("throttling_started", 1.3, meter="token_bucket", effect="slows")]
    truth.append(dropped(1.4 if forgotten else 10.0, seq=1, ip_id=1))
    if forgotten is not None:
        truth.append(box("flow_forgotten", forgotten))
    if opened_again is not None:
        truth += [
            opened(opened_again, flow=2),
            box("throttling_started", opened_again, flow=2, meter="token_bucket", effect="slows"),
            dropped(10.0, seq=1, ip_id=1, flow=2),
        ]
    records = [*MEASUREMENTS[:2], client("download", 9.0), client("bytes", 11.0, times=[11.0], totals=[500])]
    summary = summarise(records, truth)
    assert summary["throttled"] is throttled
    assert summary["duration_s"] == 2.0


@pytest.mark.parametrize("action", ["block_page", "drop", "reset", "rewrite"])
def test_a_flow_that_was_ended_is_not_throttled(action: str) -> None:
    truth = [
        opened(1.1),
        box("rule_matched", 1.3, rule="names"),
        box("blocking_started", 1.3, action=action, effect="ends"),
    ]
    summary = summarise(MEASUREMENTS, truth)
    assert (summary["throttled"], summary["action"], summary["rule"]) == (False, action, "names")


@pytest.mark.parametrize("event", ["throttling_started", "blocking_started"])
@pytest.mark.parametrize(("effect", "throttled"), [("slows", True), ("ends", False), ("alters", False), (None, False)])
def test_an_action_unknown_here_is_what_it_says_it_is(event: str, effect: str | None, *, throttled: bool) -> None:
    names = {"meter": "brand_new", "action": "brand_new", "effect": effect}
    summary = summarise(MEASUREMENTS, [opened(1.1), box(event, 1.3, **names), dropped(1.4, seq=1, ip_id=1)])
    assert (summary["throttled"], summary["action"]) == (throttled, "brand_new")


def test_a_quota_ends_a_flow_and_does_not_slow_it() -> None:
    summary = summarise(MEASUREMENTS, [opened(1.1), box("throttling_started", 1.3, meter="byte_quota", effect="ends")])
    assert (summary["throttled"], summary["action"]) == (False, "byte_quota")


@pytest.mark.parametrize(
    ("line", "direction", "throttled", "drops"),
    [("mobile", "download", True, 1), ("mobile", "upload", True, 1), ("landline", "download", False, 0)],
)
def test_what_is_done_to_a_whole_line_is_done_to_its_transfers(
    line: str, direction: str, drops: int, *, throttled: bool
) -> None:
    truth = [
        box("throttling_started", 0.5, flow=0, meter="shaper", effect="slows", up=None, down={"rate_bps": 1}),
        *(dropped(t, seq=1, ip_id=1, flow=0) for t in (0.9, 1.3, 5.1)),
    ]
    boxes = {BOX: {"line": "mobile", "profile": {"rules": [{"id": "all-traffic"}]}}}
    served = client("bytes", 3.0, times=[3.0], totals=[900], side="server")
    summary = summarise([*MEASUREMENTS, served], truth, boxes=boxes, line=line, direction=direction)
    assert (summary["throttled"], summary["drops"]) == (throttled, drops)
    assert (summary["action"], summary["rule"]) == (("shaper", "all-traffic") if throttled else (None, None))


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_boxes_on_a_line_the_one_that_throttles_counts(order: int) -> None:
    """The ISP's blocker stands behind the TSPU and sees the same flow a moment later."""
    openings = [opened(1.1), opened(1.101, box="mobile-blocker", flow=9)][::order]
    truth = [*openings, *TRUTH[1:], box("rule_matched", 1.3, box="mobile-blocker", flow=9, rule="other")]
    summary = summarise(MEASUREMENTS, truth)
    assert (summary["throttled"], summary["rule"], summary["drops"]) == (True, "twimg.com", 1)


def test_an_outage_in_the_log_is_no_flow() -> None:
    outage = {"t": 0.0, "wall": "", "box": None, "flow": None, "event": "link_failed", "link": ["a", "b"], "about": ""}
    assert summarise(MEASUREMENTS, [outage, *TRUTH])["throttled"] is True


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"reason": "spans packets", "packets": 1, "bytes": 1448, "size": 1981}, "hello in 2 packets or more"),
        ({"reason": "spans packets", "packets": 1, "bytes": 115, "size": 517}, "hello in 2 packets or more"),
        ({"reason": "spans packets", "packets": 2, "bytes": 517, "size": 517}, "hello in 2 packets"),
        ({"reason": "spans packets", "packets": 2, "bytes": 300, "size": None}, "hello in 3 packets or more"),
        ({"reason": "no name", "packets": 1, "bytes": 517, "size": 517}, "hello without a name"),
        ({"reason": "not recognised", "packets": 1, "bytes": 9, "size": None}, None),
        ({"reason": "something new", "packets": 1, "bytes": 9, "size": None}, "hello: something new"),
    ],
)
def test_why_a_hello_was_not_found_is_said_in_words_that_hold(seen: dict[str, Any], words: str | None) -> None:
    summary = summarise(MEASUREMENTS, [opened(1.1), box("hello_unread", 1.3, protocol="tls", direction="up", **seen)])
    assert summary["hello"] == words
    assert summary["throttled"] is False


def test_a_box_that_begins_to_look_in_the_middle_of_a_transfer_is_told() -> None:
    truth = [
        opened(3.0),
        box("throttling_started", 3.0, meter="token_bucket", effect="slows"),
        dropped(3.5, seq=1, ip_id=1),
    ]
    summary = summarise(MEASUREMENTS, truth)
    (acted,) = summary["influences"]
    assert (summary["throttled"], summary["drops"]) == (True, 1)
    assert (acted["from_s"], acted["packets"]) == (3.0, 1)


def test_a_flow_that_a_box_forgot_and_met_again_counts_as_a_whole() -> None:
    truth = [
        opened(1.1),
        box("throttling_started", 1.3, meter="token_bucket", effect="slows"),
        dropped(1.4, seq=1, ip_id=1),
        box("flow_forgotten", 2.0, reason="residual time over"),
        opened(2.1, flow=2),
        box("throttling_started", 2.2, flow=2, meter="token_bucket", effect="slows"),
        *(dropped(t, seq=1, ip_id=1, flow=2) for t in (2.3, 4.0)),
    ]
    summary = summarise(MEASUREMENTS, truth)
    assert summary["drops"] == 3
    assert [each["packets"] for each in summary["influences"]] == [1, 2]


def test_each_of_two_meters_of_one_line_has_its_own_packets() -> None:
    def line(name: str, way: str, *times: float) -> list[Any]:
        ways = {"up": None, "down": None, way: {"rate_bps": 1}}
        began = box("throttling_started", 0.5, box=name, flow=0, meter="token_bucket", effect="slows", **ways)
        return [began, *(dropped(t, seq=1, ip_id=1, flow=0, box=name) for t in times)]

    truth = sorted([*line("a", "up", 2.0, 3.0), *line("b", "down")], key=lambda each: each["t"])
    boxes = {name: {"line": "mobile", "profile": {"rules": [{"id": name}]}} for name in ("a", "b")}
    summary = summarise(MEASUREMENTS, truth, boxes=boxes)
    assert {each["where"]: each["packets"] for each in summary["influences"]} == {"a": 2, "b": 0}
    assert (summary["rule"], summary["drops"], summary["throttled"]) == ("a", 2, True)


NEVER_CONNECTED = [client("started", 1.0), client("finished", 9.0, ok=False, error="timed out while connecting")]


@pytest.mark.parametrize(
    ("server", "opened_s", "action"),
    [(ORIGIN, 1.1, "drop"), ("203.0.113.9", 1.1, None), (ORIGIN, 0.5, None), (ORIGIN, 9.5, None)],
    ids=["its own", "to another server", "before it", "after it"],
)
def test_a_connection_that_a_box_let_nobody_open_is_the_transfers_by_server_and_time(
    server: str, opened_s: float, action: str | None
) -> None:
    truth = [
        opened(opened_s),
        box("rule_matched", opened_s, rule="address", sni=None),
        box("blocking_started", opened_s, action="drop", effect="ends"),
        *(box("packet_dropped", opened_s + wait_s) for wait_s in (0.0, 1.0)),
    ]
    profile = {"name": "p", "summary": "", "rules": [{"id": "address", "address": []}]}
    boxes = {BOX: {"line": PLANNED["line"], "profile": profile, "seed": 1}}
    summary = summarise(NEVER_CONNECTED, truth, boxes=boxes, names={PLANNED["sni"]: server})
    assert (summary["action"], summary["drops"]) == (action, 2 if action else 0)
    assert [each["on"] for each in summary["influences"]] == (["address"] if action else [])
