"""Which bytes of a hello the box reads: invert a part; if that frees the flow, each half (IMC 2021, section 6.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.middlebox.craft import inverted
from testbed.traffic.evasion.names import in_one_packet
from testbed.traffic.hello import client_hello, hello_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.records.probes import FieldFound, FieldsFound
    from testbed.traffic.probes.trials import Trials

__all__ = ["Fields", "bytes_that_matter"]


@dataclass(frozen=True, slots=True)
class Fields:
    """Masking by bit inversion, recursively halving."""

    def run(self, trials: Trials) -> FieldsFound:
        """Invert parts of the hello. ``matters``: offsets, from 0, of the bytes without which it has no effect."""
        hello = client_hello(trials.name, size=None)

        def acts(start: int, end: int) -> bool:
            return trials.held_back(in_one_packet(inverted(hello, start, end)))

        matters = bytes_that_matter(len(hello), acts)
        fields: list[FieldFound] = [
            {
                "field": each.name,
                "start": each.start,
                "end": each.end,
                "matters": [at for at in matters if each.start <= at < each.end],
            }
            for each in hello_fields(trials.name, size=None)
        ]
        return {"bytes": len(hello), "matters": matters, "fields": fields}


def bytes_that_matter(size: int, acts: Callable[[int, int], bool]) -> list[int]:
    """The bytes of [0, size) that cannot be masked; ``acts``: does the box still act with [start, end) masked?"""

    def search(start: int, end: int) -> list[int]:
        # A whole part that may be masked needs no further trial: most of a hello is such a part (some 110 trials
        # in place of 233).
        if acts(start, end):
            return []
        if end - start == 1:
            return [start]
        middle = (start + end) // 2
        return search(start, middle) + search(middle, end)

    return search(0, size)
