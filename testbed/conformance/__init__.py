"""What was published about the real boxes, tried on ours: every fact that a box alone can show.

`ROWS` are the facts as data, `run` tries them, `as_markdown` and `as_json` tell. `ELSEWHERE` lists the facts that take
a network to show. Host side only: hellos come from OpenSSL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.conformance import across_flows, censors, domains, evasion, freezes, layers, policing, state, trigger
from testbed.conformance.report import ELSEWHERE, as_json, as_markdown
from testbed.conformance.row import Finding, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from testbed.middlebox.profile import Profile

__all__ = ["ELSEWHERE", "ROWS", "Finding", "Row", "as_json", "as_markdown", "run"]

ROWS: list[Row] = [
    *policing.ROWS,
    *trigger.ROWS,
    *domains.ROWS,
    *state.ROWS,
    *evasion.ROWS,
    *censors.ROWS,
    *freezes.ROWS,
    *across_flows.ROWS,
    *layers.ROWS,
]


def run(load: Callable[[str], Profile], rows: Iterable[Row] = ROWS) -> list[Finding]:
    """Try every row; ``load`` gives the profile of a name."""
    return [row.find(load) for row in rows]
