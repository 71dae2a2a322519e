"""The log of a box in words: a line for an event, one for packets that shared a fate, and no name breaks any."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from testbed.middlebox import events
from testbed.shell.box_log import BoxLogReader, log_lines

if TYPE_CHECKING:
    from pathlib import Path

BOX = "mobile-tspu"
_KINDS = {
    "flow_opened": events.FlowOpened, "hello_seen": events.HelloSeen, "hello_unread": events.HelloUnread,
    "rule_matched": events.RuleMatched, "throttling_started": events.ThrottlingStarted,
    "blocking_started": events.BlockingStarted, "packet_dropped": events.PacketDropped,
    "packet_delayed": events.PacketDelayed, "packet_held": events.PacketHeld, "packet_injected": events.PacketInjected,
    "packet_rewritten": events.PacketRewritten, "inspection_ended": events.InspectionEnded,
    "flow_forgotten": events.FlowForgotten, "profile_changed": events.ProfileChanged,
}  # fmt: skip


def record(event: str, t: float = 1.0, **more: Any) -> dict[str, object]:
    return {"t": t, "wall": "", "box": BOX, "flow": 1, "community_id": None, "event": event, **more}


def dropped(t: float, **more: Any) -> dict[str, object]:
    return record("packet_dropped", t, **{"direction": "down", "reason": "token_bucket", "seq": int(t * 1000), **more})


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (record("flow_opened", protocol="tcp", inside="10.0.0.1", inside_port=5, outside="1.2.3.4", outside_port=443,
                opened_by="inside"), "flow opened: tcp 10.0.0.1:5 to 1.2.3.4:443"),
        (record("hello_seen", protocol="tls", sni=None, direction="up"), "hello seen: no name (tls, from the client)"),
        (record("rule_matched", rule="a", pattern="*t.co*", sni="a.co"), "rule matched: *t.co* (name a.co)"),
        (record("throttling_started", meter="token_bucket", effect="slows", up=None, down={"rate_bps": 140000.0}),
         "throttling begins: token_bucket, down 140 kbit/s"),
        (record("profile_changed", profile=None, forgets=True), "follows another profile: none, it is a cable"),
        (record("something_new", depth=3), "something new: depth 3"),
    ],
)  # fmt: skip
def test_an_event_in_words(event: dict[str, object], words: str) -> None:
    [line] = log_lines([event], [BOX], most=None)
    assert line.endswith(words)


def test_what_links_did_stands_between() -> None:
    failed = {"t": 0.0, "wall": "", "box": None, "flow": None, "event": "link_failed", "link": ["a", "b"], "about": "x"}
    assert log_lines([failed], [BOX], most=None)[0].endswith("a – b fails: x")


def test_packets_that_shared_a_fate_are_one_line() -> None:
    lines = log_lines([dropped(1.0), dropped(1.5), dropped(2.0), dropped(2.5, direction="up")], [BOX], most=None)
    assert len(lines) == 2
    assert lines[0].endswith("3 packets to the client dropped (token_bucket), until 2.000 s")
    assert lines[1].endswith("1 packet from the client dropped (token_bucket)")


def test_another_box_is_not_told_of() -> None:
    assert log_lines([dropped(1.0, box="landline-tspu")], [BOX], most=None) == []


def test_the_last_lines_are_told_and_that_there_were_more() -> None:
    lines = log_lines([record("flow_forgotten", t, reason="idle") for t in range(30)], [BOX], most=3)
    assert lines[0] == "… 27 more before (box log all)"
    assert len(lines) == 4


def test_a_name_cannot_write_over_the_screen() -> None:
    [line] = log_lines([record("hello_seen", protocol="tls", sni="a\x1b[2J\nb", direction="up")], [BOX], most=None)
    assert "\x1b" not in line
    assert "\n" not in line


@pytest.mark.parametrize("kind", sorted(_KINDS))
def test_every_event_of_a_box_has_words_of_its_own(kind: str) -> None:
    """One that has none would be told by the names of its fields: readable, but no sentence."""
    names = [each.name for each in fields(_KINDS[kind]) if each.name not in {"t_ns", "flow"}]
    made: dict[str, Any] = dict.fromkeys(names)
    [line] = log_lines([record(kind, **made)], [BOX], most=None)
    assert not [name for name in names if f" {name} None" in line]


def test_the_log_is_read_while_it_grows_and_what_is_no_record_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    reader = BoxLogReader(path)
    reader.read()
    assert reader.records == []
    whole = json.dumps(dropped(1.0)) + "\n"
    path.write_text(whole + "garbage\n[]\n{}\n" + whole[:10])
    reader.read()
    assert (len(reader.records), reader.unread) == (1, 3)
    with path.open("a") as file:
        file.write(whole[10:])
    reader.read()
    assert (len(reader.records), reader.unread) == (2, 3)
    reader.close()
