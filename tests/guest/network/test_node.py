"""Nodes are a namespace first, and a shell when somebody asks for one."""

from __future__ import annotations

from typing import Any

import pytest

Answers = dict[str, Any]


@pytest.mark.parametrize(("body", "status"), [("zero", 0), ("seven", 7), ("exit", 5), ("raises", 1)])
def test_a_forked_body_ends_with_its_status(guest_answers: Answers, body: str, status: int) -> None:
    assert guest_answers["nodes"]["statuses"][body] == status


def test_a_program_is_started_in_the_node(guest_answers: Answers) -> None:
    assert guest_answers["nodes"]["spawned_there"] is True


def test_mininets_cmd_starts_a_shell_in_the_node_on_first_use(guest_answers: Answers) -> None:
    answers = guest_answers["nodes"]
    assert (answers["shell_before"], answers["cmd"], answers["shell_after"]) == (False, True, True)


def test_only_routers_forward(guest_answers: Answers) -> None:
    assert guest_answers["nodes"]["forwards"] == ["0", "1"]


def test_ipv6_is_off_and_the_loopback_up(guest_answers: Answers) -> None:
    assert (guest_answers["nodes"]["ipv6"], guest_answers["nodes"]["lo"]) == ("1", True)
