"""Files checked without a run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from testbed.engine.engine import DEFAULT_ENGINE
from testbed.errors import ScenarioError
from testbed.scenario import library
from testbed.scenario.check import check_file, kind_of_document
from testbed.scenario.document import Document

if TYPE_CHECKING:
    from pathlib import Path

TOPOLOGY = """
from testbed.guest.network.topology import RoutedTopo, count


class Mine(RoutedTopo):
    parameters = {"hops": count(2, "hops")}

    def construct(self, hops):
        BODY


topos = {"mine": Mine}
"""


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("based_on: ru-tw-2021a\n", "profile"),
        ("name: x\nsummary: y\n", "profile"),
        ("format: 1\ntitle: x\n", "scenario"),
        ("meter: token_bucket\nlines: []\n", "scenario"),
    ],
)
def test_its_keys_tell_what_a_file_is(text: str, kind: str) -> None:
    assert kind_of_document(Document.parse("a.yaml", text)) == kind


def test_a_file_with_keys_of_neither_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"a\.yaml:1: neither a scenario .* nor a profile of a censor"):
        kind_of_document(Document.parse("a.yaml", "colour: red\n"))


@pytest.mark.parametrize("name", ["ru-tw-2021a", "kz-2022", "2021-03-10", "russia2021"])
def test_what_is_packaged_is_right(name: str) -> None:
    assert check_file(name, DEFAULT_ENGINE).name == name


def test_every_packaged_profile_and_scenario_is_right_by_path() -> None:
    for kind, singular in (("profiles", "profile"), ("scenarios", "scenario"), ("topologies", "topology")):
        for name in library.names(kind):
            assert check_file(str(library.find(kind, name)), DEFAULT_ENGINE).kind == singular


def test_what_is_right_is_told_in_a_few_words(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("based_on: ru-tw-2021a\ngrade: assumption\nflows: {table_size: 7}\n")
    assert check_file(str(path), DEFAULT_ENGINE).summary == "family mine; 19 published, 13 assumption"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("raise KeyError(hops)", "with its own defaults: KeyError: 2"),
        ("self.add_node()", "with its own defaults: AttributeError: "),
    ],
)
def test_a_topology_that_cannot_be_built_is_refused(tmp_path: Path, body: str, problem: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(TOPOLOGY.replace("BODY", body))
    with pytest.raises(ScenarioError, match=re.escape(f"{path}: {problem}")):
        check_file(str(path), DEFAULT_ENGINE)


@pytest.mark.parametrize("name", ["nosuch", "nosuch.yaml", "x" * 5000, ""])
def test_what_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ScenarioError, match="no such file, and no scenario, profile or topology of that name"):
        check_file(name, DEFAULT_ENGINE)
