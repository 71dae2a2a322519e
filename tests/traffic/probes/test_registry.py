from __future__ import annotations

import dataclasses
import json

import pytest

from testbed.traffic.options import known_options, with_options
from testbed.traffic.probes import PROBES


@pytest.mark.parametrize("name", PROBES)
def test_options_survive_the_plan(name: str) -> None:
    made = PROBES[name]()
    plain = json.loads(json.dumps(known_options(made)))
    again = known_options(with_options(PROBES[name], plain))
    assert json.loads(json.dumps(again)) == plain


@pytest.mark.parametrize("name", PROBES)
def test_every_probe_says_what_it_does_and_what_its_options_are_for(name: str) -> None:
    assert PROBES[name].__doc__
    for field in dataclasses.fields(PROBES[name]):
        assert field.metadata["about"]
        assert field.default is not dataclasses.MISSING
