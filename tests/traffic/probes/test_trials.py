from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.records.jsonl import read_lines
from testbed.traffic.connection import TransferError
from testbed.traffic.conversation import Take
from testbed.traffic.evasion.names import NoName, Plain
from testbed.traffic.probes.trials import in_packets
from tests.traffic.evasion.talk import played
from tests.traffic.probes.box import FREE_BPS, NAME, THROTTLED_BPS, calibrated, trials_on

if TYPE_CHECKING:
    from pathlib import Path


def test_a_plain_hello_is_compared_with_none(tmp_path: Path) -> None:
    assert trials_on(tmp_path).calibrate() == {
        "control_bps": FREE_BPS, "plain_bps": THROTTLED_BPS, "plain_held_back": True,
    }  # fmt: skip
    assert not trials_on(tmp_path, lambda *_: False).calibrate()["plain_held_back"]


def test_without_a_working_path_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    trials = trials_on(tmp_path)
    trials._download_s = 1.0  # so that what is held back fails
    object.__setattr__(trials.near, "acts", lambda *_: True)
    with pytest.raises(TransferError, match="the control download failed"):
        trials.calibrate()


def test_each_conversation_is_logged_with_its_outcome(tmp_path: Path) -> None:
    trials = calibrated(tmp_path)
    assert trials.held_back(Plain().passage(NAME))
    assert not trials.held_back(NoName().passage(NAME))
    finished = [(each["transfer"], each["ok"]) for each in read_lines(tmp_path / "measurements.jsonl")]
    assert finished == [("t#0", True), ("t#1", True), ("t#2", False), ("t#3", True)]


def test_many_packets_wait_now_and_then_for_their_acknowledgements() -> None:
    passage = in_packets(*[b"x"] * 20)
    assert passage.steps == (Take(20),)
    verbs = [verb for verb, _ in played(passage).done]
    assert verbs == [*["send"] * 8, "settle", *["send"] * 8, "settle", *["send"] * 4]
