from __future__ import annotations

from typing import Any

from testbed.records.plan import planned_transfers


def line(name: str, *ids: str) -> dict[str, Any]:
    return {"name": name, "node": name, "transfers": [{"id": f"{name}/{each}"} for each in ids]}


def test_transfers_come_in_the_plans_order_phase_by_phase_and_line_by_line() -> None:
    plan: Any = {
        "phases": [
            {"lines": [line("b", "2", "1"), line("a")], "command": None},
            {"lines": [line("a", "0")], "command": None},
        ]
    }
    assert [each["id"] for each in planned_transfers(plan)] == ["b/2", "b/1", "a/0"]
    nothing: Any = {"phases": []}
    assert list(planned_transfers(nothing)) == []
