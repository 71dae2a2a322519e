"""Whether it matters who opens a connection and who sends the hello (Xue et al., IMC 2021, sections 6.2 and 6.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.traffic.evasion.from_outside import FromOutside
from testbed.traffic.evasion.names import Plain
from testbed.traffic.evasion.server_hello import ServerHello

if TYPE_CHECKING:
    from testbed.records.probes import SymmetryFound
    from testbed.traffic.probes.trials import Trials

__all__ = ["Symmetry"]


@dataclass(frozen=True, slots=True)
class Symmetry:
    """Opened from inside and from outside, hello from the client and from the server."""

    def run(self, trials: Trials) -> SymmetryFound:
        """Try the four cases."""
        cases = (
            ("inside", "client", Plain()),
            ("inside", "server", ServerHello()),
            ("outside", "client", FromOutside(hello_by="client")),
            ("outside", "server", FromOutside(hello_by="server")),
        )
        return {
            "cases": [
                {"opened_from": side, "hello_by": sender, "held_back": trials.held_back(case.passage(trials.name))}
                for side, sender, case in cases
            ]
        }
