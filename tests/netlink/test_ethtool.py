"""Offloads: off, and read back as off."""

from __future__ import annotations

from typing import Any

from testbed.netlink.ethtool import SEGMENTING


def test_a_new_link_segments_in_one_go_and_then_no_more(guest_answers: dict[str, Any]) -> None:
    before = guest_answers["offloads"]["before"]
    assert {"tso", "gso"} <= set(before) <= set(SEGMENTING)
    assert guest_answers["offloads"]["after"] == []


def test_an_interface_that_is_not_there_is_an_error(guest_answers: dict[str, Any]) -> None:
    assert guest_answers["offloads"]["absent"] == {"kind": "OSError", "message": "[Errno 19] No such device"}
