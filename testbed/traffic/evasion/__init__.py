"""Evasions: ways for a client to bring a Twitter hello past the box and then download over the same flow.

One file each; `registry` knows them by name. The published outcomes are in section 7 of Xue et al. (IMC 2021) and in
the Censored Planet report (2021-04-06); the methods of 2022 in the same team's summary of its TSPU paper.
"""

from __future__ import annotations

from testbed.traffic.evasion.registry import EVASIONS, Evasion

__all__ = ["EVASIONS", "Evasion"]
