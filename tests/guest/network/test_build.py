"""A network is what was planned, or the first difference stops the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.errors import ScenarioError
from testbed.guest.network.build import load_topology, topology_class
from testbed.scenario import library

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FinishedRun

Answers = dict[str, Any]


def test_everything_planned_is_read_back(guest_answers: Answers) -> None:
    """One line of two hops with two boxes: eleven links, of which a box's ports have no delay."""
    assert guest_answers["networks"]["counts"] == {"interfaces": 22, "netem": 18, "rates": 2, "congestion_control": 2}
    assert guest_answers["networks"]["nodes"] == 12


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("delay", "mobile:eth0: delay in ns: planned 15000000, the kernel has 15000128"),
        ("queue", "mobile:eth0: queue limit: planned 200, the kernel has 100"),
        ("control", "mobile: congestion control: planned bbr, the kernel has reno"),
        ("down", "mobile:eth0: up: planned True, the kernel has False"),
        ("loss", "gateway:eth1: loss in parts per billion: planned 0, the kernel has 1000000000"),
        ("loss at a box", "mobile-tspu:eth0 has no netem discipline, so its loss cannot change"),
    ],
)
def test_a_difference_is_found_with_the_planned_and_the_actual_value(
    guest_answers: Answers, what: str, message: str
) -> None:
    assert guest_answers["networks"]["found"][what] == {"kind": "CertificateError", "message": message}


def test_an_outage_that_is_over_leaves_the_network_as_it_was(guest_answers: Answers) -> None:
    assert guest_answers["networks"]["again"] == guest_answers["networks"]["counts"]


def test_a_link_whose_carrier_nobody_has_looked_at_yet_does_not_send(guest_answers: Answers) -> None:
    found = guest_answers["networks"]["sending"]
    assert found["settled"]["kind"] is None
    assert found["down"]["kind"] == "CertificateError"
    assert found["down"]["message"] == "mobile:eth0: the link was to send by t = 0, and does not yet"


def test_the_first_days_certificate_counts_its_network(first_day: FinishedRun) -> None:
    checked = first_day.manifest["certificate"]["network"]
    assert checked["interfaces"] > checked["netem"] > checked["rates"] == checked["congestion_control"] == 6


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("topos = {}", r"a\.py: no topology 'a' in its 'topos' \(there: none\)"),
        ("topos = {'b': 1}", r"a\.py: no topology 'a' in its 'topos' \(there: b\)"),
        ("topos = {'a': 1}", r"a\.py: topology 'a' is not a testbed\.guest\.network\.topology\.RoutedTopo"),
        ("x = 1", r"a\.py: no topology 'a'"),
        ("x = (", r"a\.py cannot be loaded: SyntaxError: '\(' was never closed"),
        ("raise KeyError('b')", r"a\.py cannot be loaded: KeyError: 'b'"),
    ],
)
def test_a_file_without_the_topology_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "a.py").write_text(text)
    with pytest.raises(ScenarioError, match=problem):
        topology_class(str(tmp_path / "a.py"), "a")


def test_a_file_that_is_not_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="is not a Python file"):
        topology_class(str(tmp_path / "a.txt"), "a")


@pytest.mark.parametrize("name", library.names("topologies"))
def test_every_packaged_topology_loads_with_its_defaults(name: str) -> None:
    topology = load_topology(str(library.find("topologies", name)), name, {})
    assert topology.with_role("client")
    assert topology.with_role("server")


@pytest.mark.parametrize(
    ("what", "values"),
    [
        ("both", [40_000_000, 0, 0.25, 200]),
        ("one", [15_000_000, 0, 0.25, 77]),  # a program had changed the limit, and keeps it
        ("none", [15_000_000, 0, 0.0, 77]),
        ("limit", [15_000_000, 0, 0.0, 200]),
    ],
)
def test_only_the_options_named_are_altered_or_put_back(
    guest_answers: dict[str, Any], what: str, values: list[float]
) -> None:
    assert guest_answers["networks"]["found"][f"altered {what}"]["message"] == pytest.approx(values, rel=1e-5)


def test_planned_loss_comes_back_after_an_outage(guest_answers: dict[str, Any]) -> None:
    loss = guest_answers["networks"]["found"]["loss after an outage"]["message"]
    assert loss == pytest.approx(0.02, abs=1e-6)
