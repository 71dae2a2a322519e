"""A twin run says what each transfer would have been without boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from testbed import run
from testbed.engine.twin import add_twin, has_twin, require_a_twin
from testbed.errors import InputError, InvalidRunError
from testbed.records.label import treatment
from testbed.records.run import RunDirectory
from tests.records.build import transfer
from tests.scenario.plans import first_day

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.engine.kernel import KernelInfo

SMALL = (
    "lines=[{name: mobile, kind: mobile, tspu: true}]", "recordings=[]", "outages=[]",
    "measurements=[{fetch: twitter.com, role: target, size: 60 kB}, {fetch: example.com, role: control, size: 60 kB}]",
)  # fmt: skip


def test_a_twin_has_no_profile_and_no_change_of_one() -> None:
    plan = first_day(
        *SMALL,
        "events=[{censor: {at: 3 s, censor: none}}, "
        "{outage: {link: [gateway, state], from: 1 s, until: 2 s, about: x}}]",
    )
    twin = plan.without_boxes()
    assert [box["profile"] for box in twin.data["boxes"].values()] == [None] * len(plan.data["boxes"])
    assert not any(box.get("changes") for box in twin.data["boxes"].values())
    assert [event["kind"] for event in twin.data["events"]] == ["outage"]
    same = {"boxes", "events"}
    assert {key: value for key, value in twin.data.items() if key not in same} == {
        key: value for key, value in plan.data.items() if key not in same
    }
    assert any(box["profile"] for box in plan.data["boxes"].values())  # the plan itself stays


def run_in(folder: Path) -> RunDirectory:
    run = RunDirectory.create(folder)
    run.write_manifest(
        {"format": 1, "state": "complete", "valid": True, "notes": ["before"], "transfers": [transfer()]}
    )
    return run


def test_what_came_of_the_twin_stands_with_each_transfer(tmp_path: Path) -> None:
    recorded = run_in(tmp_path / "run")
    assert not has_twin(recorded.manifest())

    def make(plan: object, *, folder: Path) -> Any:
        del plan
        assert folder == tmp_path / "run" / "twin"
        return {"valid": True, "transfers": [transfer(goodput_bps=9.0, ok=True)]}

    add_twin(first_day(*SMALL), recorded, make)
    assert has_twin(recorded.manifest())
    assert recorded.manifest()["transfers"][0]["without_boxes"]["goodput_bps"] == 9.0


def test_a_twin_that_may_not_be_scored_leaves_the_run_as_it_is(tmp_path: Path) -> None:
    recorded = run_in(tmp_path / "run")

    def make(plan: object, *, folder: Path) -> Any:
        del plan
        return {"valid": False, "problems": [f"{folder.name}: a clock ran late"]}

    with pytest.raises(InvalidRunError, match="a clock ran late"):
        add_twin(first_day(*SMALL), recorded, make)
    found = recorded.manifest()
    assert found["valid"]
    assert "without_boxes" not in found["transfers"][0]
    assert found["notes"][0] == "before"
    assert "a clock ran late" in found["notes"][1]


def test_a_command_and_a_scenario_without_boxes_have_no_twin() -> None:
    with pytest.raises(InputError, match="--twin"):
        require_a_twin(first_day(*SMALL, command=["true"]))
    with pytest.raises(InputError, match="--twin"):
        require_a_twin(first_day(*SMALL, "lines=[{name: mobile, kind: mobile, tspu: false}]"))


def test_a_throttled_download_is_slower_than_its_twin(tmp_path: Path, kernel: KernelInfo) -> None:
    del kernel  # built, so that this test takes no minutes
    settings = {key: yaml.safe_load(value) for key, _, value in (each.partition("=") for each in SMALL)}
    result = run("2021-03-10", settings=settings, output=tmp_path / "run", twin=True)
    target, control = result.manifest["transfers"]
    was, would_be = [each["goodput_bps"] or 0.0 for each in (target, target["without_boxes"])]
    assert 0 < 3 * was < would_be
    assert control["without_boxes"]["goodput_bps"] == pytest.approx(control["goodput_bps"], rel=0.01)
    assert [treatment(each) for each in (target, control)] == ["slowed", "untouched"]
    assert (tmp_path / "run" / "twin" / "truth.jsonl").read_text() == ""
