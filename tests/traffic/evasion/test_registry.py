from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest

from testbed.traffic.conversation import DatagramPassage, Give, Passage, Take, steps_from_json
from testbed.traffic.evasion import EVASIONS
from testbed.traffic.options import known_options, with_options
from tests.traffic.evasion.talk import played

NAME = "twitter.com"


@pytest.mark.parametrize("name", EVASIONS)
def test_what_the_client_sends_is_what_the_far_end_waits_for(name: str) -> None:
    passage = EVASIONS[name]().passage(NAME)
    if isinstance(passage, DatagramPassage):
        return
    talk = played(passage)
    taken = sum(step.count for step in passage.steps if isinstance(step, Take))
    given = sum(len(step.payload) for step in passage.steps if isinstance(step, Give))
    assert sum(map(len, talk.sent())) == taken
    assert sum(what for verb, what in talk.done if verb == "receive" and isinstance(what, int)) == given


@pytest.mark.parametrize("name", EVASIONS)
def test_the_order_to_the_far_end_is_plain_json(name: str) -> None:
    passage = EVASIONS[name]().passage(NAME)
    order = passage.order(transfer="mobile/1", size=100_000, timeout_s=10)
    plain = json.loads(json.dumps(order))
    assert plain == order
    steps = steps_from_json(plain["steps"])
    assert steps[-1].count == 100_000  # type: ignore[union-attr]
    if isinstance(passage, Passage):
        assert steps[:-1] == list(passage.steps)


@pytest.mark.parametrize("name", EVASIONS)
def test_options_survive_the_plan(name: str) -> None:
    made = EVASIONS[name]()
    options: dict[str, Any] = json.loads(json.dumps(known_options(made)))
    assert with_options(EVASIONS[name], options) == made


@pytest.mark.parametrize("name", EVASIONS)
def test_every_option_says_what_it_is_for(name: str) -> None:
    assert re.fullmatch(r"[a-z]+[0-9]*(-[a-z]+)*", name)
    assert EVASIONS[name].__doc__
    for field in dataclasses.fields(EVASIONS[name]):
        assert field.metadata["about"]
        assert field.default is not dataclasses.MISSING
