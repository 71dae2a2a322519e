"""What probes find, as the guest writes it down and the host reads it."""

from __future__ import annotations

from typing import TypedDict

__all__ = [
    "BudgetFound", "BudgetStep", "Calibration", "DomainsFound", "FieldFound", "FieldsFound", "NameFound", "ProbeFound",
    "SymmetryCase", "SymmetryFound", "TimeoutFound", "TimeoutTried", "TtlFound", "TtlTried",
]  # fmt: skip


class Calibration(TypedDict):
    """What every conversation of a probe is compared with.

    Keys:
        control_bps: Goodput of a download without a server name, bit/s.
        plain_bps: The same with a plain hello; None: it failed.
        plain_held_back: Whether the box acts on the plain hello. If not, there is nothing to probe.
    """

    control_bps: float
    plain_bps: float | None
    plain_held_back: bool


class TtlTried(TypedDict):
    """A hello that died at hop ``ttl``, whose router has this address (None: it did not answer)."""

    ttl: int
    router: str | None
    held_back: bool


class TtlFound(TypedDict):
    """The routers of the path, and the hop behind which the box stands; None: no dying hello had an effect."""

    routers: list[str | None]
    tried: list[TtlTried]
    after_hop: int | None


class NameFound(TypedDict):
    """Whether a download was held back whose hello had this name."""

    name: str
    held_back: bool


class DomainsFound(TypedDict):
    """The names that were tried, in order."""

    names: list[NameFound]


class FieldFound(TypedDict):
    """A field of the hello, bytes [start, end), and those of them without which the hello has no effect."""

    field: str
    start: int
    end: int
    matters: list[int]


class FieldsFound(TypedDict):
    """Size of the hello in bytes, and the offsets that matter, in all and by field."""

    bytes: int
    matters: list[int]
    fields: list[FieldFound]


class TimeoutTried(TypedDict):
    """Whether the box still remembered the flow after so many idle seconds."""

    idle_s: float
    held_back: bool


class TimeoutFound(TypedDict):
    """The time lies in [remembers_s, forgets_s]; None: beyond the longest that was tried."""

    remembers_s: float
    forgets_s: float | None
    tried: list[TimeoutTried]


class BudgetStep(TypedDict):
    """Of so many flows with so many packets before the hello, the box read the hello in ``read``."""

    before: int
    flows: int
    read: int


class BudgetFound(TypedDict):
    """Packets that the box read in all flows, and in any."""

    steps: list[BudgetStep]
    always: int
    at_most: int


class SymmetryCase(TypedDict):
    """Whether a download was held back, by who opened the connection and who sent the hello."""

    opened_from: str
    hello_by: str
    held_back: bool


class SymmetryFound(TypedDict):
    """The four cases."""

    cases: list[SymmetryCase]


ProbeFound = TtlFound | DomainsFound | FieldsFound | TimeoutFound | BudgetFound | SymmetryFound
