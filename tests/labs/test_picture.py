"""Drawings and tables of what was measured."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np

from testbed.detectors.observation import Observation
from testbed.detectors.sources.observation_json import observation_to_json
from testbed.labs.picture import draw_case, table_of
from tests.detectors.build import bottleneck_flow, flow_transfer
from tests.validation.cells import observation

if TYPE_CHECKING:
    from testbed.capture import Flow

DATA = observation_to_json(observation()).encode()


def test_the_table_has_a_row_for_each_transfer() -> None:
    head, target, control = table_of(DATA).splitlines()
    assert head.startswith("transfer,name,role,bytes,seconds,kbit/s")
    assert target == "1,,target,100000,8.000,100.0,complete"
    assert control.startswith("2,,control,100000,0.200,4000.0")


def test_a_drawing_is_an_svg_and_the_same_each_time() -> None:
    drawn = draw_case(DATA, "case A")
    assert ET.fromstring(drawn).tag.endswith("svg")
    assert draw_case(DATA, "case A") == drawn


def test_of_many_names_each_has_a_colour_of_its_own() -> None:
    whole = observation()
    many = tuple(replace(whole.transfers[0], id=f"line/{nth}", server_name=f"name{nth}.example") for nth in range(6))
    drawn = draw_case(observation_to_json(replace(whole, transfers=many)).encode(), "A").decode()
    assert len(set(re.findall(r"stroke: (#(?:0072b2|d55e00|009e73|cc79a7|56b4e9|e69f00))", drawn))) == 6
    assert "name5.example" in drawn  # as text, which browsers find and screen readers read


def test_a_transfer_in_which_nothing_came_is_drawn_and_told() -> None:
    whole = observation()
    empty = replace(whole.transfers[0], times_s=np.array([]), bytes=np.array([], dtype=np.int64))
    data = observation_to_json(replace(whole, transfers=(empty,))).encode()
    assert table_of(data).splitlines()[1].startswith("1,,target,0,0.000,,")
    assert draw_case(data, "$case$ A")


def test_of_a_connection_without_data_no_segments_are_drawn() -> None:
    whole, _ = bottleneck_flow(kind="shaper")

    def drawn(flow: Flow) -> bytes:
        target = replace(flow_transfer("t", whole), sender_flow=flow, receiver_flow=None)
        return draw_case(observation_to_json(Observation(source="x", transfers=(target,))).encode(), "A")

    assert b"segments of" in drawn(whole)
    assert b"segments of" not in drawn(whole.take(np.flatnonzero(whole.payload == 0)))
