from __future__ import annotations

from typing import Any

import pytest

from testbed.middlebox.offload import arrival_step_ns, kernel_policer
from tests.middlebox.build import profile

BUCKET = {"rate_bps": 140_000, "burst_bytes": 16384}


@pytest.mark.parametrize(
    ("name", "changes", "is_left"),
    [
        ("ru-tw-2021a", {}, True),
        ("ru-tw-2021a", {"meter__token_bucket": BUCKET | {"start_bytes": 0}}, False),  # tc's starts full
        ("ru-tw-2021a", {"meter__kind": "coarse_refill"}, False),
        ("ru-tw-2021a", {"action__scope": "subscriber"}, False),
        ("ru-tw-2021a", {"flows__cleared_by": ["rst"]}, False),
        ("ru-yt-2024-tcp", {}, False),  # its timeouts follow the handshake
        ("ru-tw-2021a", {"action__after_amount_bytes": 1}, False),  # tc's acts on every packet
        ("ru-tw-2021a", {"action__after_time_s": 1.0}, False),
        ("ru-tw-2021a", {"action__lasts_s": 1.0}, False),
        ("tele2-3g-up", {}, False),
        ("ru-2022-II", {}, False),
    ],
)
def test_what_tc_can_be_is_left_to_the_kernel(name: str, changes: dict[str, Any], *, is_left: bool) -> None:
    """The arrival of what user space meters is known in whole microseconds."""
    used = profile(name, **changes)
    assert (kernel_policer(used) is not None) is is_left
    assert arrival_step_ns(used) == (1 if is_left else 1000)
