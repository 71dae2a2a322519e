"""A machine that has neither nginx nor curl makes the same experiment, says what stood in, and makes it again alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Runner

SHORT = (
    "recordings=[]",
    "lines=[{name: mobile, kind: mobile, tspu: true}]",
    "measurements=[{fetch: example.com, role: control}, {fetch: t.co, role: target, client: curl, size: 60 kB}]",
)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Programs are looked for where there are none but what every machine has."""
    (tmp_path / "mount").touch(mode=0o755)
    monkeypatch.setattr("testbed.engine.prepare.programs.GUEST_PATH", str(tmp_path))


@pytest.mark.usefixtures("bare")
def test_what_stands_in_serves_and_fetches_and_is_told(run_scenario: Runner) -> None:
    run = run_scenario(*SHORT)
    manifest = run.manifest
    assert manifest["valid"], manifest["problems"]
    assert manifest["programs"] == {"origin": "builtin", "client": "builtin"}
    assert "the testbed's own server stood in for nginx at origin, state" in manifest["notes"]
    assert "the testbed's own client stood in for curl: t.co" in manifest["notes"]
    assert "nginx" not in manifest["fingerprint"]["programs"]
    control, target = (run.transfer("mobile", name) for name in ("example.com", "t.co"))
    assert (control["ok"], control["bytes"], control["throttled"]) == (True, 383_000, False)
    assert (target["ok"], target["bytes"], target["throttled"]) == (True, 60_000, True)
    again = run_scenario(*SHORT)
    for name in ("mobile-client", "origin-server"):
        captures = [(each.path / "captures" / f"{name}.pcapng").read_bytes() for each in (run, again)]
        assert captures[0] == captures[1]


@pytest.mark.usefixtures("nginx")
def test_with_both_programs_the_run_says_so_too(run_scenario: Runner) -> None:
    manifest = run_scenario(*SHORT).manifest
    assert manifest["programs"] == {"origin": "nginx", "client": "curl"}
    assert not [note for note in manifest["notes"] if "stood in" in note]
