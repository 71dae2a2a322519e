"""Loads the agent and all that it imports, with memory that is there as soon as it is asked for."""

from __future__ import annotations

from testbed.guest.machine import mapped_at_once

with mapped_at_once():
    from testbed.guest.agent import main

__all__ = ["main"]
