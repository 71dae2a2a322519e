"""The guest's main program: reads the plan, builds the network, runs the phases, and reports to the host.

It is process 1 of the guest. Whatever happens, the host hears of it over the console and the machine powers off. Here
is the order of things; each thing itself is in a module of its own.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, cast

from testbed.errors import CertificateError, GuestError, TestbedError
from testbed.guest import on_demand
from testbed.guest.boxes import start_boxes
from testbed.guest.captures import RETIRE_MS, CapturePoint, capture
from testbed.guest.child import Child
from testbed.guest.commands import UserCommands
from testbed.guest.console import Console
from testbed.guest.file_view import mount_over
from testbed.guest.lateness import count_late_timers
from testbed.guest.line_client import load_ahead
from testbed.guest.machine import power_off, require_guest, set_clock, take_turns
from testbed.guest.network import build as network
from testbed.guest.phases import Phases, is_long
from testbed.guest.schedule import Schedule, StageEffects
from testbed.guest.servers import start_servers
from testbed.guest.stage import Stage
from testbed.records.plan import planned_transfers

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.guest.child import Service
    from testbed.records.certificate import GuestCertificate, Lateness, NetworkFound
    from testbed.records.messages import FinishedMessage
    from testbed.records.plan import GuestPlan

OUTPUT = Path("/run/output")
WORK = Path("/run/testbed")
_ETC = ("passwd", "group", "nsswitch.conf", "hosts")
_DEVICE = "/dev/ttyS0"
_NS_PER_S = 1e9
_LOOK_S = 0.2  # before the start
_SELDOM_MS = 60_000  # in runs of hours


class Agent:
    """Runs one plan in this guest.

    Args:
        plan: What is to be run.
        console: To the host.
    """

    def __init__(self, plan: GuestPlan, console: Console) -> None:
        self._plan = plan
        self._console = console
        self._timers: Child[Lateness] | None = None

    def run(self) -> FinishedMessage:
        """Run the plan; return the guest's part of the certificate and how long it took.

        Raises:
            TestbedError: What was planned could not be built or run.
        """
        self._set_clock()
        if self._plan["clock"]["is_virtual"]:
            take_turns()
        self._say("building the network")
        found = self._build()
        stage = self._stage
        # Captures come first: they are to have the first packet of everything that is started after them.
        retire_ms = _SELDOM_MS if self._plan["clock"]["is_virtual"] and is_long(self._plan) else RETIRE_MS
        body = capture(stage.output / "captures", self._capture_points(), retire_ms=retire_ms)
        self._captures = Child("the capturing process", body)
        on_demand.find_protocols(self._plan)
        self._say("starting boxes and servers")
        self._boxes = start_boxes(stage)
        self._servers, authority = start_servers(stage)
        self._commands = UserCommands(stage, authority)
        self._shell = on_demand.shell(stage, authority, self._console)
        self._background = on_demand.background(stage)
        load_ahead(planned_transfers(self._plan))
        links = network.link_names(stage.network)  # boxes have made some of their own by now
        effects = StageEffects(stage)
        phases = Phases(
            stage=stage,
            console=self._console,
            schedule=Schedule(self._plan["events"], stage.start_ns, self._plan["links"]),
            effects=effects,
            commands=self._commands,
            authority=authority,
            services=self._services,
            obey=self._obey,
            shell=self._shell,
            cues=None if self._background is None else self._background.cues,
        )
        self._say("running")
        self._wait_for_the_start()
        self._watch_timers()
        began = time.time_ns()
        *recordings, last = self._plan["phases"]
        for phase in recordings:
            phases.run(phase)
        if self._background is not None:
            self._background.begin()
        phases.run(last)
        if self._background is not None:
            self._background.end()
        ended = time.time_ns()
        lateness = None if self._timers is None else self._timers.stop()
        self._look_at_network_again(links, effects, found)
        certificate = self._stop(found)
        if lateness is not None:
            certificate["lateness"] = lateness
        return {"kind": "finished", "certificate": certificate, "emulated_s": (ended - began) / _NS_PER_S}

    def _say(self, what: str) -> None:
        t = (time.time_ns() - self._plan["start_ns"]) / _NS_PER_S
        self._console.send({"kind": "progress", "what": what, "t": t})

    # Time

    def _set_clock(self) -> None:
        """Set the calendar to a while before t = 0, where the kernel has not been started so already."""
        clock = self._plan["clock"]
        if not clock["is_virtual"] and not clock.get("is_machines", False):
            set_clock(self._plan["start_ns"] - round(clock["settle_s"] * _NS_PER_S))

    def _wait_for_the_start(self) -> None:
        clock = self._plan["clock"]
        if "looks_at_links" in clock:  # before the start and not at it: to ask the kernel moves its clock on
            time.sleep(max(0.0, self._remaining_s() - _LOOK_S))
            # A wall clock may be past the start by now: it begins late then, with links that send.
            patience_s = 0.0 if clock["is_virtual"] else clock["settle_s"]
            network.require_sending(self._stage.network, patience_s=patience_s)
        remaining = self._remaining_s()
        # In virtual time setting up takes what it waits for, the same on every machine: more is a fault of ours. In
        # real time a slow machine begins late, which harms only what was planned for the time that has passed.
        if remaining < 0 and clock["is_virtual"]:
            settle_s = clock["settle_s"]
            raise GuestError(f"setting up took {settle_s - remaining:.1f} emulated seconds; {settle_s} are planned")
        if remaining < 0:
            on_demand.require_nothing_missed(self._plan, -remaining)
        time.sleep(max(0.0, remaining))

    def _remaining_s(self) -> float:
        return (self._plan["start_ns"] - time.time_ns()) / _NS_PER_S

    def _watch_timers(self) -> None:
        """From the start of the run on: a machine may be as busy as it likes while the guest sets up."""
        late_s = self._plan["clock"]["late_s"]
        if late_s is not None:
            self._timers = Child("the watch on timers", count_late_timers(late_s))

    # The network

    def _build(self) -> NetworkFound:
        """Build the network; return what it was read back with."""
        plan = self._plan["topology"]
        control = self._plan["congestion_control"]
        topology = network.load_topology(plan["file"], plan["name"], plan["parameters"], self._plan["links"])
        built = network.build(topology, links=plan["links"], congestion_control=control)
        self._stage = Stage(self._plan, built, topology, OUTPUT, WORK)
        if "names6" not in self._plan:
            return network.read_back(built, topology, control)
        on_demand.add_ipv6(built, topology)
        return {**network.read_back(built, topology, control), "ipv6_addresses": on_demand.check_ipv6(built, topology)}

    def _capture_points(self) -> list[CapturePoint]:
        return [
            CapturePoint(
                point["name"], self._stage.network[point["node"]], point["interface"], headers_only="keep" in point
            )
            for point in self._plan["captures"]
        ]

    def _look_at_network_again(self, links: dict[str, list[str]], effects: StageEffects, found: NetworkFound) -> None:
        """Say what a command left otherwise than it was planned: it may change its own node, and no other.

        Args:
            links: `network.link_names` as they were when the run began.
            effects: What timed events have in force now.
            found: What the network was read back with; what the command changed is put in.

        Raises:
            CertificateError: Another node was changed.
        """
        own = {phase["command"]["node"] for phase in self._plan["phases"] if phase["command"] is not None}
        if not own:
            return
        stage = self._stage
        if self._shell is not None:
            own = {*stage.topology.with_role("client")}  # who runs on another node may not change its network
        control = self._plan["congestion_control"]
        changed = network.differences(
            stage.network, stage.topology, control, links, effects.altered(), rates_bps=effects.rates_bps()
        )
        elsewhere = [text for node, texts in changed.items() if node not in own for text in texts]
        if elsewhere:
            raise CertificateError(f"the network did not stay as planned: {'; '.join(elsewhere)}")
        found["changed_by_command"] = [text for texts in changed.values() for text in texts]

    # Processes

    def _services(self) -> list[Service]:
        """What has to live as long as the run does. The order is fixed: a run's events are handled alike every time."""
        timers = [] if self._timers is None else [self._timers]
        background = [] if self._background is None else self._background.services
        return [*self._boxes.values(), *self._servers, *background, *self._commands.services, self._captures, *timers]

    def _obey(self) -> None:
        """Do what the host says.

        Raises:
            GuestError: It says that the run is to end.
        """
        for order in self._console.receive():
            if order["kind"] == "stop":
                self._captures.stop()  # what was captured is whole then, though the run is not
                raise GuestError("stopped by the user")
            if self._shell is not None:
                self._shell.obey(order)
            elif order["kind"] == "typed":
                self._commands.type(bytes.fromhex(order["data"]))
            elif order["kind"] == "resized":
                self._commands.resize(order["rows"], order["columns"])

    def _stop(self, found: NetworkFound) -> GuestCertificate:
        """End everything: servers first, then boxes, captures last, so that no packet is missed on its way."""
        self._say("stopping")
        background = [] if self._background is None else self._background.services
        programs = self._commands if self._shell is None else self._shell
        for server in (*background, *self._servers, *programs.services):
            server.stop()
        time.sleep(1.0)  # let the last segments reach the captures
        boxes = {name: box.stop() for name, box in self._boxes.items()}
        certificate: GuestCertificate = {"boxes": boxes, "network": found, "captures": self._captures.stop()}
        if programs.began_s is not None:
            certificate["command_began_s"] = programs.began_s
            certificate["command_status"] = programs.status
        return certificate


def main() -> None:
    """Run the plan that the host has put into the guest's folder, then power off.

    Raises:
        GuestError: This is no guest of ours; nothing has been done.
    """
    require_guest()
    serve(power_off)


def serve(end: Callable[[], None]) -> None:
    """Run the plan that the host has put into the guest's folder, tell the host how it went, and end."""
    gc.disable()  # a collection touches every page, and every page that a forked child touches is copied
    console = Console(_DEVICE)
    Path(_DEVICE).chmod(0o600)  # a user's program is not to speak in our name
    try:
        for name in _ETC:
            mount_over(OUTPUT / "etc" / name, f"/etc/{name}")
        plan = cast("GuestPlan", json.loads((OUTPUT / "plan.json").read_text()))  # the host has just written it
        console.send(Agent(plan, console).run())
    except TestbedError as error:
        console.send({"kind": "failed", "error": type(error).__name__, "message": str(error)})
    except BaseException as error:  # noqa: BLE001 - process 1 must report everything and never end
        traceback.print_exc()
        console.send({"kind": "failed", "error": type(error).__name__, "message": str(error)})
    finally:
        sys.stderr.flush()
        end()


if __name__ == "__main__":
    main()
