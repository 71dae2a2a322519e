"""A netem discipline is read back as it was asked for, loss in bursts and all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.netlink.netem import Netem

SHARES = st.floats(0, 1)


@given(
    st.builds(
        Netem, delay_ns=st.integers(0, 2**62), jitter_ns=st.integers(0, 2**40), loss=SHARES, duplicate=SHARES,
        reorder=SHARES, limit=st.integers(0, 2**32 - 1), seed=st.integers(0, 2**64 - 1),
    )
)  # fmt: skip
def test_what_is_said_is_read_back(netem: Netem) -> None:
    read = Netem.from_options(netem.options())
    assert (read.delay_ns, read.jitter_ns, read.limit) == (netem.delay_ns, netem.jitter_ns, netem.limit)
    assert (read.seed, read.burst) == (netem.seed, 1.0)
    for name in ("loss", "duplicate", "reorder"):
        assert getattr(read, name) == pytest.approx(getattr(netem, name), abs=1e-9)


@given(loss=st.floats(0.001, 0.6), burst=st.floats(1.5, 50))
def test_loss_in_bursts_has_its_share_and_its_length(loss: float, burst: float) -> None:
    read = Netem.from_options(Netem(loss=loss, burst=burst).options())
    expected = loss if loss / burst / (1 - loss) <= 1 else burst / (burst + 1)
    assert read.loss == pytest.approx(expected, rel=1e-4)
    assert read.burst == pytest.approx(burst, rel=1e-6)


def test_a_plain_discipline_says_nothing_that_it_need_not() -> None:
    """What was said to the kernel before there were bursts is said in the same bytes."""
    assert len(Netem(delay_ns=5, loss=0.02).options()) == 24 + 12 + 12
