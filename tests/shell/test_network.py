"""A shell knows every node of a scenario by its name and by short ones, and the links between them."""

from __future__ import annotations

from functools import cache

import pytest

from testbed.scenario import library
from testbed.scenario.plan import make_plan
from testbed.shell.network import Network, network_of


@cache
def network(*settings: str) -> Network:
    plan = make_plan(
        library.find("scenarios", "2021-03-10"), list(settings), seed=None, engine="realtime", command=["shell"]
    )
    return network_of(plan)


@pytest.mark.parametrize(
    ("word", "name"),
    [("client", "mobile"), ("landline-client", "landline"), ("box", "mobile-tspu"), ("origin", "origin"),
     ("landline-r3", "landline-r3")],
)  # fmt: skip
def test_a_word_names_a_node(word: str, name: str) -> None:
    node = network().find(word)
    assert node is not None
    assert node.name == name


def test_a_word_that_names_none_finds_none() -> None:
    assert network().find("nobody") is None


def test_every_node_but_a_box_has_an_address() -> None:
    assert {node.role for node in network().nodes.values() if not node.address} == {"box"}


def test_the_table_of_nodes_tells_boxes_from_cables_and_what_servers_serve() -> None:
    table = network().node_table().splitlines()
    assert [" box " in line for line in table if line.startswith("mobile-tspu")] == [True]
    assert [" cable " in line for line in table if line.startswith("rostelecom-blocker")] == [True]
    assert any(line.startswith("state") and line.endswith("kremlin.ru") for line in table)


def test_without_censors_no_node_is_called_box() -> None:
    assert network("censors={}").boxes == ()
    assert network("censors={}").find("box") is None


def test_the_table_of_links_says_what_is_planned() -> None:
    table = network().link_table()
    assert all(words in table for words in ("mobile", "Mbit/s", "ms"))


def test_the_table_of_links_says_which_the_scenario_changes() -> None:
    changed = network("links=[{between: [gateway, state], loss: 1 %}]").link_table()
    [line] = [line for line in changed.splitlines() if line.startswith("gateway") and "state" in line]
    assert "loss 1 %" in line
    assert line.endswith("as the scenario says: burst")
