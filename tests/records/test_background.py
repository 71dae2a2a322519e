"""What came of background traffic, from records."""

from __future__ import annotations

from typing import Any

from testbed.records.background import background_id, background_notes, summarise_background

ENTRY: Any = {
    "id": "background/01", "kind": "bulk", "name": "bulk s to a", "line": "a", "direction": "download", "flows": 2,
}  # fmt: skip
RECORDS: Any = [
    {"t": 1.0, "transfer": "background/01-1of2", "side": "client", "event": "started"},
    {"t": 1.1, "transfer": "background/01-1of2", "side": "client", "event": "bytes", "times": [2.0], "totals": [1000]},
    {"t": 2.0, "transfer": "background/01-1of2", "side": "client", "event": "finished", "ok": True, "error": None},
    {"t": 2.0, "transfer": "a/01-example.com", "side": "client", "event": "finished", "ok": True, "error": None},
]


def test_ids_count_flows_and_episodes() -> None:
    assert background_id(ENTRY, 2, 1) == "background/01-2of2"
    assert background_id(ENTRY | {"flows": 1, "beside": []}, 1, 3) == "background/01#3"


def test_a_flow_has_the_role_background_and_its_own_goodput() -> None:
    plan: Any = {"background": [ENTRY], "phases": []}
    (found,) = summarise_background(plan, RECORDS, [])
    assert (found["role"], found["kind"], found["bytes"], found["goodput_bps"]) == ("background", "bulk", 1000, 8000)
    assert not background_notes(plan, [found])


def test_datagrams_end_when_their_sender_stops_or_the_last_of_them_arrives() -> None:
    plan: Any = {"background": [ENTRY], "phases": []}
    finished = {"t": 9.0, "transfer": "background/01-1of2", "side": "client", "event": "finished", "ok": True}
    for stopped_s, ended_s in ((1.5, 2.0), (3.0, 3.0)):
        records: Any = [*RECORDS[:2], {**finished, "error": None, "t_finished": stopped_s}]
        (found,) = summarise_background(plan, records, [])
        assert found["end_s"] == ended_s


def test_what_went_on_for_less_than_was_planned_is_told() -> None:
    def notes(until_s: float) -> list[str]:
        plan: Any = {"background": [ENTRY | {"until_s": until_s}], "phases": []}
        return background_notes(plan, summarise_background(plan, RECORDS, []))

    assert notes(2.0) == []
    assert notes(59.0) == [
        "background/01 (bulk s to a) went on until the run's end at 2.0 s, not until 59 s",
    ]


def test_what_did_not_happen_or_failed_is_told() -> None:
    plan: Any = {"background": [ENTRY], "phases": []}
    assert "did not happen" in background_notes(plan, [])[0]
    failed: Any = {"id": "background/01-1of2", "ok": False, "error": "receiving failed: reset"}
    assert "1 of 1 flows" in background_notes(plan, [failed])[0]
