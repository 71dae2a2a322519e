"""Every probe by the name that a user calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from testbed.traffic.options import from_options
from testbed.traffic.probes.budget import Budget
from testbed.traffic.probes.domains import Domains
from testbed.traffic.probes.fields import Fields
from testbed.traffic.probes.symmetry import Symmetry
from testbed.traffic.probes.timeout import Timeout
from testbed.traffic.probes.ttl import Ttl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.traffic.probes.trials import Trials

__all__ = ["PROBES", "Probe", "make_probe", "probe_of"]


class Probe(Protocol):
    """One series of conversations: a dataclass whose fields are its options."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def run(self, trials: Trials) -> dict[str, Any]:
        """Hold the conversations and return what was found, plain JSON. Raises TransferError."""


PROBES: dict[str, type[Probe]] = {
    "ttl": Ttl,
    "domains": Domains,
    "fields": Fields,
    "timeout": Timeout,
    "budget": Budget,
    "symmetry": Symmetry,
}


def make_probe(name: str, options: Mapping[str, object]) -> Probe:
    """The probe of a name with options written as a user would.

    Raises:
        KeyError: there is none of that name.
        OptionError: an option that it has not, or a value that does not fit.
    """
    return from_options(PROBES[name], options)


def probe_of(name: str, options: Mapping[str, Any]) -> Probe:
    """The probe of a name with options as a plan has them: checked, in plain values."""
    cls: Any = PROBES[name]
    made: Probe = cls(**options)
    return made
