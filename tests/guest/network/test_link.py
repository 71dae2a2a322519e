"""Link options become disciplines, and an option that would have no effect is refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from testbed.errors import ScenarioError
from testbed.guest.network.link import NetlinkIntf, planned_netem
from testbed.netlink.netem import Netem


@pytest.mark.parametrize(
    ("options", "netem"),
    [
        ((None, None, None, None), None),
        (("5ms", None, None, None), Netem(delay_ns=5_000_000)),
        (("0.000000ms", None, None, None), Netem()),
        (("15.000001ms", "1ms", None, None), Netem(delay_ns=15_000_001, jitter_ns=1_000_000)),
        ((None, None, 2.5, None), Netem(loss=0.025)),
        ((None, None, 0.0, None), Netem()),
        ((None, None, None, 200), Netem(limit=200)),
        ((None, None, None, 0), Netem(limit=0)),
    ],
)
def test_netem_is_planned_where_an_option_asks_for_it(options: tuple[Any, ...], netem: Netem | None) -> None:
    assert planned_netem(*options) == netem


def test_a_delay_without_a_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="the unit is missing"):
        planned_netem("5", None, None, None)


@pytest.mark.parametrize("option", ["speedup", "use_tbf", "enable_ecn", "nonsense"])
def test_an_option_that_would_have_no_effect_is_refused_by_name(option: str) -> None:
    interface = NetlinkIntf.__new__(NetlinkIntf)
    interface.name = "eth0"
    interface.node = SimpleNamespace(name="mobile")
    given: dict[str, Any] = {option: 1}
    with pytest.raises(ScenarioError, match=f"mobile:eth0: link option '{option}' would have no effect; remove it"):
        interface.config(**given)
