from __future__ import annotations

from xml.etree import ElementTree as ET

from testbed.demo.network_drawing import DEFAULT_AFTER_HOP, DEFAULT_HOPS, draw_network
from testbed.demo.scene import CAUSES, Choice, settings
from testbed.scenario import library
from tests.demo.runs import demo_plan


def test_a_box_is_drawn_for_each_line_and_hidden_where_a_class_guesses() -> None:
    assert draw_network(demo_plan(), with_boxes=True).count("data-box=") == 2
    hidden = draw_network(demo_plan(), with_boxes=False)
    assert "box" not in hidden.replace("viewBox", "")


def test_while_a_class_guesses_the_drawing_is_the_same_whatever_is_wrong() -> None:
    drawn = {draw_network(demo_plan(*settings(Choice(cause=cause))), with_boxes=False) for cause in CAUSES}
    assert len(drawn) == 1


def test_a_hostile_name_of_a_line_stays_text() -> None:
    plan = demo_plan()
    plan["phases"][0]["lines"][0]["name"] = '<script>alert("x")</script>\u202e'
    drawn = ET.fromstring(draw_network(plan, with_boxes=True))
    assert "script" not in {each.tag for each in drawn.iter()}
    assert "\u202e" not in "".join(drawn.itertext())


def test_every_part_that_is_no_wire_has_a_title() -> None:
    drawn = ET.fromstring(draw_network(demo_plan(), with_boxes=True))
    assert all(group.find("title") is not None for group in drawn.iter("g"))


def test_the_numbers_of_hops_are_those_of_the_topology() -> None:
    text = library.find("topologies", "russia2021").read_text()
    assert f'"hops": count({DEFAULT_HOPS},' in text
    assert f'"box_after_hop": count({DEFAULT_AFTER_HOP},' in text
