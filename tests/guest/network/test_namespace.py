"""Network namespaces that an open file keeps alive."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("question", "answer"),
    [("differs", True), ("back", True), ("forwards", "1"), ("forwards_outside", "0")],
    ids=["is another one", "comes back after an error", "has parameters of its own", "leaves those of others alone"],
)
def test_a_namespace(guest_answers: dict[str, Any], question: str, answer: object) -> None:
    assert guest_answers["namespaces"][question] == answer


def test_a_parameter_that_is_not_there_is_named(guest_answers: dict[str, Any]) -> None:
    assert "/proc/sys/net/ipv4/nonsense" in guest_answers["namespaces"]["nonsense"]["message"]
