"""Every probe by the name that a user calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from testbed.traffic.listed import Listed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from dataclasses import Field

    from testbed.records.probes import ProbeFound
    from testbed.traffic.probes.trials import Trials

__all__ = ["PROBES", "Probe"]


class Probe(Protocol):
    """One series of conversations: a dataclass whose fields are its options."""

    __dataclass_fields__: ClassVar[dict[str, Field[object]]]

    def run(self, trials: Trials) -> ProbeFound:
        """Hold the conversations and return what was found, plain JSON. Raises TransferError."""


PROBES: Mapping[str, type[Probe]] = Listed(
    "testbed.traffic.probes",
    {
        "ttl": "ttl:Ttl",
        "domains": "domains:Domains",
        "fields": "fields:Fields",
        "timeout": "timeout:Timeout",
        "budget": "budget:Budget",
        "symmetry": "symmetry:Symmetry",
    },
)
