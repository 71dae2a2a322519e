r"""The testbed's box in plain Mininet: every network of `topologies/`, with a censor in its boxes, for `mn --custom`.

    sudo .venv/bin/python /usr/bin/mn --custom examples/mininet/censored.py --topo censored-chain --link tc \
        --controller none

Parameters on top of the topology's own: ``censor``, a profile (`testbed list profiles`) or the path of one, and
``log``, a file for what the boxes do, one JSON object a line. This is the machine's own kernel, clock and network, for
experiments of your own: nothing is captured, compared or certified; `testbed run` does that.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from testbed.guest.child import Child, Lifetime
from testbed.guest.network.build import topology_class
from testbed.guest.network.node import Box
from testbed.guest.network.parameter import Parameter
from testbed.middlebox.adapters.nfqueue import LiveBox
from testbed.middlebox.events import event_to_json
from testbed.records.jsonl import LineWriter
from testbed.scenario import library
from testbed.scenario.profiles import load_profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbed.guest.network.topology import RoutedTopo
    from testbed.middlebox.events import Event
    from testbed.middlebox.profile import Profile
    from testbed.records.certificate import BoxCounters


class CensoringBox(Box):
    """A Mininet node: a bridge whose packets a censor inspects.

    Node options on top of the bridge's:
        censor: A `Profile`.
        log: A path.
    """

    def config(self, routes: Sequence[tuple[str, int, str]] = (), lo: str = "up", **params: Any) -> dict[str, object]:
        """Bridge the two ports, and inspect from now on."""
        censor: Profile = params.pop("censor")
        log: str = params.pop("log")
        found = super().config(routes, lo, **params)

        def work(lifetime: Lifetime) -> BoxCounters:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for what runs at Mininet's prompt
            start_ns = time.time_ns()
            writer = LineWriter(Path(log))

            def write(events: list[Event]) -> None:
                writer.write(*({"box": self.name, **event_to_json(each, start_ns=start_ns)} for each in events))

            live = LiveBox(censor, seed=1, inside="eth0", outside="eth1", log=write)
            counters = live.run(lifetime.ready, lifetime.fileno())
            writer.close()
            return counters

        self.inspection = Child(f"the box {self.name}", work, self.namespace)
        return found

    def terminate(self) -> None:
        """End the inspection, then the node."""
        self.inspection.stop()
        super().terminate()


def censored(topology: type[RoutedTopo]) -> type[RoutedTopo]:
    """Return a topology like another, whose boxes of the kind ``tspu`` inspect."""

    class Censored(topology):  # type: ignore[misc, valid-type]  # a class that is known only now
        parameters: ClassVar[dict[str, Parameter]] = {
            **topology.parameters,
            "censor": Parameter("ru-tw-2021a", str, "profile of the boxes"),
            "log": Parameter(os.devnull, str, "file for what they do"),
        }

        def construct(self, *, censor: str, log: str, **values: Any) -> None:
            self.options = {"censor": load_profile(censor).profile, "log": log}
            super().construct(**values)

        def add_box(self, name: str, *, line: str, kind: str, **place: int) -> str:
            inspects = {"cls": CensoringBox, **self.options} if kind == "tspu" else {"cls": Box}
            return str(self._add(name, role="box", line=line, kind=kind, **place, **inspects))

    return Censored


topos = {
    f"censored-{name}": censored(topology_class(str(library.find("topologies", name)), name))
    for name in library.names("topologies")
}
