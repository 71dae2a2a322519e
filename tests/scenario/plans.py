"""Plans for tests: of the first day, and of a topology of the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.scenario import library
from testbed.scenario.plan import Plan, make_plan

if TYPE_CHECKING:
    from pathlib import Path

FIRST_DAY = library.find("scenarios", "2021-03-10")
TOPOLOGY = """\
from testbed.guest.network.topology import RoutedTopo

class Home(RoutedTopo):
    def construct(self):
        router = self.add_router("r1")
        self.connect(self.add_client("{line}", line="{line}", network="100.64.0.0/10"), router, delay_s=0.01)
        self.connect(router, self.add_server("origin", network="198.51.100.0/24"))

topos = {{"home": Home}}
"""
HOME = """\
format: 1
title: at home
about: one line, one server
date: 2021-03-10
network: {topology: home.py}
lines:
  - {name: home, kind: landline, tspu: false}
origins:
  origin: {serves: [twitter.com]}
measurements:
  - {fetch: twitter.com, role: target}
"""


def first_day(*settings: str, seed: int | None = None, command: list[str] | None = None) -> Plan:
    return make_plan(FIRST_DAY, list(settings), seed=seed, engine="virtual", command=command)


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(FIRST_DAY.read_text().splitlines(), 1) if text in line)


def plan_at_home(folder: Path, *settings: str) -> Plan:
    return make_plan(folder / "home.yaml", list(settings), seed=None, engine="virtual", command=None)
