"""Probes: what researchers did to learn how the boxes work. Runs on the client; decides by what a client measures.

One file each; `registry` knows them by name. Each is a series of conversations with the far end (`trials`), in one run.
Not for: knowing what the box is told to do; the host compares afterwards.
"""

from __future__ import annotations

from testbed.traffic.probes.registry import PROBES, Probe
from testbed.traffic.probes.trials import Trials

__all__ = ["PROBES", "Probe", "Trials"]
