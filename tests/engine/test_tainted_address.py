"""A server that was asked for a slowed name, which it has no certificate for, is slow afterwards: Türkiye, 2022."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import FinishedRun, Runner


@pytest.fixture(scope="module")
def turkiye(run_scenario: Runner) -> FinishedRun:
    return run_scenario(scenario="2022-turkiye")


def test_a_name_asked_of_the_server_of_another_ends_in_the_handshake(turkiye: FinishedRun) -> None:
    for number in (1, 5):  # with a box in the way, and without
        named = turkiye.manifest["transfers"][number]
        assert (named["sni"], named["name"]) == ("facebook.com", "facebook.com at one.example")
        assert (named["ok"], named["bytes"], named["handshake_s"]) == (False, 0, None)
        assert "CERTIFICATE_VERIFY_FAILED" in str(named["error"])


def test_the_address_keeps_what_was_asked_of_it(turkiye: FinishedRun) -> None:
    before, _, after, elsewhere = turkiye.manifest["transfers"][:4]
    assert [each["throttled"] for each in (before, after, elsewhere)] == [False, True, False]
    assert (before["sni"], after["sni"], after["rule"]) == ("one.example", "one.example", "facebook")


def test_a_line_without_a_box_keeps_nothing(turkiye: FinishedRun) -> None:
    before, _, after, elsewhere = turkiye.manifest["transfers"][4:]
    assert not any(each["throttled"] for each in (before, after, elsewhere))
    assert after["duration_s"] == pytest.approx(before["duration_s"], rel=0.1)
