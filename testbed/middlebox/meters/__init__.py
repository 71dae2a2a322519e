"""How much may pass, and when: pure models of meters, one kind a module.

Told a packet's length and the time, each says when the packet leaves: now, later, or never. A new meter is a new
module here, with a `meter.MeterSpec` whose ``kind`` profiles then know; `kernel_rate` is the arithmetic of Linux that
some of them share.
"""

from __future__ import annotations

from testbed.middlebox.kinds import Kinds
from testbed.middlebox.meters.meter import Beginning, Meter, MeterSpec

__all__ = ["METERS", "Beginning", "Meter", "MeterSpec"]

METERS: Kinds[MeterSpec] = Kinds(__name__, __path__, MeterSpec)
"""Every kind of meter, by its name in profiles."""
