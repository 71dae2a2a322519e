"""A program behind a policer: the proof that it acted, and what is said where it did not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.errors import InputError
from testbed.pytest_plugin.throttled import Policed, ThrottledRun, run_policed

if TYPE_CHECKING:
    from pathlib import Path

VALUES: dict[str, Any] = {
    "rate": "200 kbit/s", "burst": "16 KiB", "target": "target.example", "control": "control.example", "size": "100 kB",
    "line_rate": "20 Mbit/s", "seed": 1,
}  # fmt: skip
CURL = ["curl", "-sS", "-o", "/dev/null", "-w", "%{{speed_download}} ", "{target_url}"]


def network(**changes: Any) -> Policed:
    return Policed(**(VALUES | changes))


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("curves", [[], ["--curves", "X25519"]])
def test_a_program_is_throttled_whatever_its_hello_looks_like(tmp_path: Path, curves: list[str]) -> None:
    found = run_policed(network(), [*CURL, *curves], tmp_path / "run")
    assert found.doubt() is None
    assert (found.status, found.drops > 0) == (0, True)
    assert float(found.stdout) * 8 < 220e3
    assert [flow.throttled for flow in found.flows] == [True]


@pytest.mark.usefixtures("kernel")
def test_without_a_policer_all_else_is_the_same(tmp_path: Path) -> None:
    found = run_policed(network(rate=None), CURL, tmp_path / "run")
    assert (found.doubt(), found.drops) == (None, 0)
    assert float(found.stdout) * 8 > 500e3


DOUBTS = {
    "the program made no connection": ["true"],
    "no hello of its 1 flows bears the name target.example (there: control.example)": [*CURL[:-1], "{control_url}"],
    "it moved at most": [*CURL[:-1], "https://{target}/"],
    "it ended with status 3: no luck": ["sh", "-c", "echo no luck >&2; exit 3"],
}


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("why", DOUBTS)
def test_a_policer_that_did_not_act_is_said_with_the_reason(tmp_path: Path, why: str) -> None:
    doubt = run_policed(network(), DOUBTS[why], tmp_path / "run").doubt()
    assert doubt is not None
    assert doubt.startswith("the policer of 200 kbit/s dropped no packet: ")
    assert why in doubt


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"rate": "20 Mbit/s"}, "this would limit nothing"),
        ({"rate": "fast"}, "throttled_network: expected"),
        ({"size": "many"}, "throttled_network: expected"),
        ({"target": "control.example"}, "control.example is served by another origin already"),
    ],
)
def test_values_that_make_no_sense_are_refused(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        run_policed(network(**changes), ["true"], tmp_path / "run")


@pytest.mark.usefixtures("kernel")
def test_what_a_program_leaves_behind_is_in_its_folder(tmp_path: Path) -> None:
    command = ["sh", "-c", "curl -sSo /run/output/got {target_url}; echo said; echo complained >&2"]
    found: ThrottledRun = run_policed(network(), command, tmp_path / "run")
    assert (found.output / "got").stat().st_size == 100_000
    assert (found.stdout, found.stderr) == ("said\n", "complained\n")
