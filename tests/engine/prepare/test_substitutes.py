"""What stands in for nginx and curl: where they are missing or are not wanted, and the run says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.engine.judge.fingerprint import plan_digest
from testbed.engine.prepare import programs
from testbed.engine.prepare.programs import require_programs
from testbed.engine.prepare.substitutes import describe_substitutes, programs_used, settle_programs
from testbed.errors import MissingError
from tests.scenario.plans import first_day

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of a machine's programs; with what every machine has."""
    (tmp_path / "mount").touch(mode=0o755)
    monkeypatch.setattr(programs, "GUEST_PATH", str(tmp_path))
    return tmp_path


def install(machine: Path, *names: str) -> None:
    for name in names:
        (machine / name).touch(mode=0o755)


def test_where_all_is_there_the_plan_stays_as_it_is(machine: Path) -> None:
    install(machine, "nginx", "curl")
    plan = first_day()
    assert settle_programs(plan) is plan
    assert programs_used(plan) == {"origin": "nginx", "client": "curl"}
    assert describe_substitutes(plan) == []


@pytest.mark.parametrize(
    ("there", "used"),
    [
        ((), {"origin": "builtin", "client": "builtin"}),
        (("nginx",), {"origin": "nginx", "client": "builtin"}),
        (("curl",), {"origin": "builtin", "client": "curl"}),
    ],
)
def test_what_is_missing_is_stood_in_for_and_the_plan_says_so(
    machine: Path, there: tuple[str, ...], used: dict[str, str]
) -> None:
    install(machine, *there)
    plan = first_day()
    settled = settle_programs(plan)
    require_programs(settled)
    assert programs_used(settled) == used
    assert settled.data["programs"] == {name: what for name, what in used.items() if what == "builtin"}
    assert len(describe_substitutes(settled)) == list(used.values()).count("builtin")
    assert plan_digest(settled) != plan_digest(plan)
    assert [each["id"] for each in settled.transfers] == [each["id"] for each in plan.transfers]


def test_what_a_scenario_asks_for_is_done_though_the_machine_has_the_other(machine: Path) -> None:
    install(machine, "nginx", "curl")
    settled = settle_programs(first_day("programs.origin=builtin", "programs.client=builtin"))
    assert programs_used(settled) == {"origin": "builtin", "client": "builtin"}
    first, second = describe_substitutes(settled)
    assert first == "the testbed's own server stood in for nginx at origin, state"
    assert second == "the testbed's own client stood in for curl: t.co"


@pytest.mark.parametrize(("setting", "missing"), [("programs.origin=nginx", "nginx"), ("programs.client=curl", "curl")])
def test_nothing_stands_in_for_what_a_scenario_asks_for(machine: Path, setting: str, missing: str) -> None:
    assert [each.name for each in machine.iterdir()] == ["mount"]
    with pytest.raises(MissingError, match=f"not on this machine: {missing};"):
        require_programs(settle_programs(first_day(setting)))


def test_our_own_server_stands_in_for_http2_too(machine: Path) -> None:
    install(machine, "curl")
    plan = settle_programs(first_day("origins.origin.protocols=[http/1.1, http/2]"))
    assert programs_used(plan)["origin"] == "builtin"
    assert plan.data["origins"]["origin"]["protocols"] == ["http/2"]
    require_programs(plan)


def test_an_origin_with_a_server_of_its_own_needs_no_other(machine: Path) -> None:
    install(machine, "curl")
    plan = first_day("origins.origin.think=50 ms", "origins.state.think=50 ms")
    assert settle_programs(plan) is plan
    assert programs_used(plan) == {"client": "curl"}
    require_programs(plan)
