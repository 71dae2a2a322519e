"""The section ``meter`` of a profile: the meters that it describes, which of them is used, and what that one counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from testbed.middlebox.described import Described
from testbed.middlebox.meters import METERS
from testbed.middlebox.meters.meter import MeterSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from testbed.middlebox.described import Problem, SchemaHandler
    from testbed.middlebox.packet import Packet

__all__ = ["LENGTHS", "MeterChoice"]

_ETHERNET_HEADER = 14

LENGTHS: dict[str, Callable[[Packet], int]] = {
    "ip_length": lambda packet: packet.length,
    "payload": lambda packet: packet.payload_length,
    "frame_length": lambda packet: packet.length + _ETHERNET_HEADER,
}
"""What a meter may count of a packet, in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterChoice(Described):
    """All meters that a profile describes, and the one that is used.

    Attributes:
        kind: Of the one that is used.
        counts: What it counts: a key of `LENGTHS`.
        described: By kind.
    """

    kind: str
    counts: str
    described: dict[str, MeterSpec]

    @property
    def spec(self) -> MeterSpec:
        """The meter that is used."""
        return self.described[self.kind]

    @property
    def length(self) -> Callable[[Packet], int]:
        """What it counts, as a function of the packet."""
        return LENGTHS[self.counts]

    def with_kind(self, kind: str) -> MeterChoice:
        """Another of the meters that are described.

        Raises:
            KeyError: It is not described.
        """
        if kind not in self.described:
            raise KeyError(kind)
        return replace(self, kind=kind)

    @classmethod
    def from_dict(cls, plain: Mapping[str, object]) -> Self:
        """From plain JSON, in which each meter stands under its kind."""
        described = {kind: METERS[kind].from_dict(keys) for kind, keys in plain.items() if isinstance(keys, dict)}
        return cls(kind=str(plain["kind"]), counts=str(plain["counts"]), described=described)

    def to_dict(self) -> dict[str, object]:
        """Plain JSON, in which each meter stands under its kind."""
        return {
            "kind": self.kind,
            "counts": self.counts,
            **{kind: spec.to_dict() for kind, spec in self.described.items()},
        }

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: SchemaHandler) -> dict[str, object]:
        """Tell pydantic the keys: ``kind``, ``counts``, and one for each meter that there is."""
        del source
        make = handler.generate_schema
        keys = {"kind": _one_of(METERS), "counts": _one_of(LENGTHS)}
        fields = {key: {"type": "typed-dict-field", "required": True, "schema": schema} for key, schema in keys.items()}
        for kind in METERS:
            fields[kind] = {"type": "typed-dict-field", "required": False, "schema": make(METERS[kind])}
        section = {"type": "typed-dict", "fields": fields, "extra_behavior": "forbid"}
        return {
            "type": "function-after", "function": {"type": "no-info", "function": cls._of_parts}, "schema": section,
        }  # fmt: skip

    @classmethod
    def _of_parts(cls, parts: dict[str, MeterSpec | str]) -> Self:
        described = {kind: spec for kind in METERS if isinstance(spec := parts.get(kind), MeterSpec)}
        return cls(kind=str(parts["kind"]), counts=str(parts["counts"]), described=described)

    def problems(self) -> Iterator[Problem]:
        """Yield what cannot be honoured. Keys count from the section ``meter``.

        The meters that are described but not used are checked too: a scenario may choose any of them.
        """
        # Checked here and not as they are read: one that is missing has no value of its own to point at.
        if not self.described:
            yield self.kind, "missing: the meter that is used has to be described"
        elif self.kind not in self.described:
            there = ", ".join(self.described)
            yield "kind", f"{self.kind} is not described here; expected one of {there}"
        for spec in self.described.values():
            yield from spec.problems(self)


def _one_of(names: Iterable[str]) -> dict[str, object]:
    return {"type": "literal", "expected": list(names)}
