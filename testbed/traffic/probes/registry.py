"""Every probe by the name that a user calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from testbed.traffic.probes.budget import Budget
from testbed.traffic.probes.domains import Domains
from testbed.traffic.probes.fields import Fields
from testbed.traffic.probes.symmetry import Symmetry
from testbed.traffic.probes.timeout import Timeout
from testbed.traffic.probes.ttl import Ttl

if TYPE_CHECKING:
    from dataclasses import Field

    from testbed.records.probes import ProbeFound
    from testbed.traffic.probes.trials import Trials

__all__ = ["PROBES", "Probe"]


class Probe(Protocol):
    """One series of conversations: a dataclass whose fields are its options."""

    __dataclass_fields__: ClassVar[dict[str, Field[object]]]

    def run(self, trials: Trials) -> ProbeFound:
        """Hold the conversations and return what was found, plain JSON. Raises TransferError."""


PROBES: dict[str, type[Probe]] = {
    "ttl": Ttl,
    "domains": Domains,
    "fields": Fields,
    "timeout": Timeout,
    "budget": Budget,
    "symmetry": Symmetry,
}
