"""The fate of each packet in Fig. 5 of X21 (Xue et al., IMC 2021, https://doi.org/10.1145/3487552.3487858).

Digitised by eye from the figure, about 5 % in time and one packet in count. Times are seconds; a segment carries 1460
bytes, counted as 1500 on the wire (12 kbit). The round trip is about 0.19 s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from testbed.middlebox.meters.meter import Policer

__all__ = ["EVENTS", "PACKETS", "ROUND_TRIP_S", "mispredicted"]

ROUND_TRIP_S: Final = 0.19
_SEGMENT_BYTES = 1500
_NS_PER_S = 1_000_000_000

EVENTS: Final = (
    (0.19, 3, 0),
    (0.28, 4, 0),
    (0.38, 4, 0),
    (0.565, 2, 16),
    (0.60, 0, 2),
    (0.75, 0, 4),
    (1.07, 0, 1),
    (1.585, 1, 0),
    (1.96, 2, 0),
    (2.15, 4, 0),
    (2.34, 3, 5),
    (2.53, 0, 6),
    (3.03, 1, 0),
    (3.22, 2, 0),
    (3.41, 4, 0),
    (3.60, 5, 4),
    (3.79, 0, 5),
    (4.26, 3, 0),
    (4.45, 2, 0),
    (4.64, 4, 0),
    (4.84, 4, 0),
    (5.03, 0, 4),
    (5.21, 1, 0),
)
"""Send time, how many were delivered, how many were dropped. The first 120 to 130 kbit all arrive: 11 packets."""

PACKETS: Final = sum(delivered + dropped for _, delivered, dropped in EVENTS)


def mispredicted(meter: Policer) -> int:
    """Return how many packets a meter gives another fate. Within one send time the order of fates is not known."""
    wrong = 0
    for t, delivered, dropped in EVENTS:
        passed = sum(meter.conforms(_SEGMENT_BYTES, round(t * _NS_PER_S)) for _ in range(delivered + dropped))
        wrong += abs(passed - delivered)
    return wrong
