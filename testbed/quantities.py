"""Quantities with their units, as people write them in scenarios: ``140 kbit/s``, ``383 kB``, ``95 ms``.

A number without a unit is refused, except zero: most wrong scenarios are right numbers in the wrong unit.
Decimal prefixes only (1 kbit/s = 1000 bit/s, 1 kB = 1000 bytes); 1 KiB = 1024 bytes.

`Duration`, `Rate`, `Size`, `Share` annotate the fields of dataclasses that stand for what people write. The host reads
documents with pydantic, which finds in the annotation how the value is written; the guest gets plain numbers and needs
no reader.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "Duration", "Rate", "Share", "Size", "Written", "format_rate", "nearest_possible", "parse_duration", "parse_rate",
    "parse_share", "parse_size", "shown", "split_quantity",
]  # fmt: skip

_RATE_BPS = {"bit/s": 1, "kbit/s": 1_000, "Mbit/s": 1_000_000, "Gbit/s": 1_000_000_000, "B/s": 8, "kB/s": 8_000}
_SIZE_BYTES = {"B": 1, "kB": 1_000, "MB": 1_000_000, "GB": 10**9, "KiB": 1_024, "MiB": 1_048_576}
_DURATION_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_BYTE_BITS = 8  # tc counts whole bytes a second
_SHARE = {"%": Decimal("0.01")}
_LONGEST_SHOWN = 60
_PATTERN = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([A-Za-z/%]*)\s*")


def shown(value: object) -> str:
    """Return a value for a message, cut where it is long. Python refuses to write integers of thousands of digits."""
    if isinstance(value, int) and abs(value) >= 10**_LONGEST_SHOWN:
        return "an enormous number"
    try:
        text = repr(value)
    except ValueError:
        return "enormous numbers"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _parse(text: object, units: Mapping[str, int | Decimal], what: str) -> Decimal:
    if text in (0, "0") and not isinstance(text, bool):
        return Decimal(0)
    wanted = f"a {what} such as {_example(units)}"
    if isinstance(text, bool) or not isinstance(text, int | float | str):
        raise ValueError(f"expected {wanted}, got {shown(text)}")  # noqa: TRY004 - one error for one kind of bad input
    match = _PATTERN.fullmatch(text if isinstance(text, str) else shown(text))
    if match is None:
        raise ValueError(f"expected {wanted}, got {shown(text)}")
    number, unit = match.groups()
    if unit not in units:
        given = f"the unit {shown(unit)} is unknown" if unit else "the unit is missing"
        raise ValueError(f"expected {wanted}, got {shown(text)}: {given} (units: {', '.join(units)})")
    return Decimal(number) * units[unit]


def _whole(text: object, units: dict[str, int], what: str) -> int:
    amount = _parse(text, units, what)
    if amount != int(amount):
        raise ValueError(f"expected a {what} of whole {next(iter(units))}, got {shown(text)}")
    return int(amount)


def split_quantity(text: str) -> tuple[Decimal, str]:
    """Return a number and what it counts: the amount in ``bit/s``, ``B``, ``ns`` or ``%``, or in nothing (``""``).

    Raises:
        ValueError: It is no number, or its unit is unknown.
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a number with or without a unit, got {text!r}")
    number, unit = match.groups()
    for base, units in (("bit/s", _RATE_BPS), ("B", _SIZE_BYTES), ("ns", _DURATION_NS), ("%", {"%": 1}), ("", {"": 1})):
        if unit in units:
            return Decimal(number) * units[unit], base
    known = ", ".join([*_RATE_BPS, *_SIZE_BYTES, *_DURATION_NS, *_SHARE])
    raise ValueError(f"the unit {unit!r} in {text!r} is unknown (units: {known})")


def nearest_possible(number: Decimal, unit: str) -> Decimal:
    """Return the nearest number that may stand before a unit: whole bytes, bytes a second, nanoseconds."""
    for units, grain in ((_RATE_BPS, _BYTE_BITS), (_SIZE_BYTES, 1), (_DURATION_NS, 1)):
        if unit in units:
            return round(number * units[unit] / grain) * grain / Decimal(units[unit])
    return number


def _example(units: Mapping[str, int | Decimal]) -> str:
    return {"bit/s": "'140 kbit/s'", "B": "'383 kB'", "ns": "'95 ms'", "%": "'2 %'"}[next(iter(units))]


def parse_rate(text: object) -> int:
    """Return bits per second. Raises ValueError with what was expected."""
    return _whole(text, _RATE_BPS, "rate")


def parse_size(text: object) -> int:
    """Return bytes. Raises ValueError with what was expected."""
    return _whole(text, _SIZE_BYTES, "size")


def parse_duration(text: object) -> float:
    """Return seconds. Raises ValueError with what was expected."""
    return float(_parse(text, _DURATION_NS, "duration") / 1_000_000_000)


def parse_share(text: object) -> float:
    """Return a share from 0 to 1, written in percent. Raises ValueError with what was expected."""
    share = _parse(text, _SHARE, "share")
    if share > 1:
        raise ValueError(f"expected at most '100 %', got {shown(text)}")
    return float(share)


# eq=False: an annotation in a union is hashed, and the schema, a dictionary, could not be.
@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """How people write the value of a field. It stands in ``Annotated``, beside the field's type.

    The two methods are pydantic's protocol for annotations. They answer with plain dictionaries, so that this module,
    which the guest imports too, needs no pydantic.

    Attributes:
        read: Makes the value of what was written; raises ValueError with what was expected.
        schema: JSON Schema of what is written.
    """

    read: Callable[[object], object]
    schema: Mapping[str, object]

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> dict[str, object]:
        """Say that `read` alone decides."""
        del source, handler
        return {"type": "function-plain", "function": {"type": "no-info", "function": self.read}}

    def __get_pydantic_json_schema__(self, core_schema: object, handler: object) -> dict[str, object]:
        """Say what is written, not what it is read into."""
        del core_schema, handler
        return dict(self.schema)


Duration = Annotated[
    float,
    Written(
        parse_duration,
        {"type": ["string", "integer"], "description": "a duration with its unit, such as 95 ms; or 0"},
    ),
]
"""Seconds, written with a unit."""

Rate = Annotated[
    int, Written(parse_rate, {"type": "string", "description": "a rate with its unit, such as 140 kbit/s"})
]
"""Bits per second, written with a unit."""

Size = Annotated[int, Written(parse_size, {"type": "string", "description": "a size with its unit, such as 383 kB"})]
"""Bytes, written with a unit."""

Share = Annotated[float, Written(parse_share, {"type": "string", "description": "a share in percent, such as 2 %"})]
"""A share from 0 to 1, written in percent."""


def format_rate(rate_bps: float) -> str:
    """Return a rate in the unit that leaves one to three digits before the point."""
    rounded = float(f"{rate_bps:.3g}")
    for unit, scale in (("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3)):
        if rounded >= scale:
            return f"{rounded / scale:.12g} {unit}"
    return f"{rate_bps:.0f} bit/s"
