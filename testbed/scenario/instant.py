"""Instants as people write them: ``2021-03-10T09:00Z``, ``2021-03-11``."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

from testbed.quantities import shown

__all__ = ["parse_instant"]

_FIRST_INSTANT: Final = datetime(
    1971, 1, 1, tzinfo=UTC
)  # the guest boots a little before, and no clock begins before 1970
# Linux counts nanoseconds since 1970 in 63 bits, and keeps 30 years of them for itself (include/linux/time64.h).
_LAST_INSTANT: Final = datetime(2232, 1, 1, tzinfo=UTC)


def parse_instant(value: object) -> datetime:
    """Return an instant from text, or from what YAML makes of it; without a zone it is UTC.

    Raises:
        ValueError: It is none, or outside what the guest's clock can hold.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"expected an instant such as 2021-03-10T09:00Z, got {shown(value)}") from error
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, datetime):
        instant = value.replace(tzinfo=value.tzinfo or UTC)
        if _FIRST_INSTANT <= instant < _LAST_INSTANT:
            return instant.astimezone(UTC)
        raise ValueError(f"expected an instant from {_FIRST_INSTANT:%Y} to {_LAST_INSTANT:%Y}, got {value}")
    raise ValueError(f"expected an instant such as 2021-03-10T09:00Z, got {shown(value)}")
