"""The guest's main program: reads the plan, builds the world, runs the lines, and reports to the host.

It is process 1 of the guest. Whatever happens, the host hears of it over the line and the machine powers off.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.errors import CertificateError, GuestError, TestbedError
from testbed.guest.captures import CapturePoint, capture
from testbed.guest.child import Child
from testbed.guest.user_program import Command, read_order, start_command
from testbed.guest.console import HostLine
from testbed.guest.lateness import count_late_timers
from testbed.guest.machine import power_off, require_guest, set_clock
from testbed.guest.network import build as network
from testbed.guest.events.outage import LinkChange, Outages
from testbed.guest.file_view import mount_over
from testbed.guest.servers import Nginx, Origins, replay_server, resolver
from testbed.guest.line_client import LineClient
from testbed.guest.watch import Watch
from testbed.middlebox.adapters.alarm import Alarm
from testbed.middlebox.adapters.nfqueue import LiveBox
from testbed.middlebox.events import Event, event_to_json
from testbed.middlebox.profile import Profile
from testbed.records.clock import iso_time
from testbed.records.jsonl import Json, LineWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.guest.terminal import Terminal

OUTPUT = Path("/run/output")
WORK = Path("/run/testbed")
_ETC = ("passwd", "group", "nsswitch.conf", "hosts")
_COMMAND = "-- COMMAND"  # in the place of a line's name
_HEARTBEAT_MS = 1000  # of the guest's time


class World:
    """Everything that runs in the guest for one plan."""

    def __init__(self, plan: dict[str, Any], line: HostLine) -> None:
        self._plan = plan
        self._line = line
        self._certificate: dict[str, Any] = {"boxes": {}}
        self._boxes: dict[str, Child] = {}
        self._clients: dict[int, str] = {}
        self._command: Command | None = None
        self._typed = b""
        self._servers: list[Child | Nginx] = []
        self._timers: Child | None = None
        self._outages = Outages(plan["outages"])
        self._progress_read, self._progress_write = os.pipe()

    def run(self) -> dict[str, Any]:
        """Run the plan; return the guest's part of the validity certificate and the clock's readings.

        Raises:
            TestbedError: what was planned could not be built or run.
        """
        plan = self._plan
        self._start_ns = self._set_clock()
        self._say("building the network")
        self._build()
        self._captures = Child("the capturing process", self._capture)
        self._say("starting boxes and servers")
        self._start_boxes()
        self._start_servers()
        self._links = network.link_names(self._network)  # boxes have made some of their own by now
        self._say("running")
        self._sleep_until(self._start_ns)
        late_s = plan["clock"]["late_s"]
        if late_s is not None:
            self._timers = Child("the watch on timers", lambda ready: count_late_timers(late_s, ready))
        began = time.time_ns()
        for phase in plan["phases"]:
            self._run_phase(phase)
        ended = time.time_ns()
        if self._timers is not None:
            self._certificate["lateness"] = self._timers.stop()
        self._look_at_network_again()
        self._stop()
        return {"certificate": self._certificate, "emulated_s": (ended - began) / 1e9}

    def _say(self, what: str) -> None:
        self._line.send("progress", what=what, t=(time.time_ns() - self._start_ns) / 1e9)

    def _set_clock(self) -> int:
        """The instant that is t = 0. Without time travel the guest's calendar is the host's and has to be set."""
        start_ns: int = self._plan["start_ns"]
        clock = self._plan["clock"]
        if not clock["is_virtual"]:
            set_clock(start_ns - round(clock["settle_s"] * 1e9))
        return start_ns

    def _sleep_until(self, instant_ns: int) -> None:
        remaining = (instant_ns - time.time_ns()) / 1e9
        clock = self._plan["clock"]
        if remaining < 0 and clock["is_virtual"]:
            settle_s = clock["settle_s"]
            raise GuestError(f"setting up took {settle_s - remaining:.1f} emulated seconds; {settle_s} are planned")
        time.sleep(max(0.0, remaining))

    def _build(self) -> None:
        plan = self._plan["topology"]
        self._topology = network.load_topology(plan["file"], plan["name"], plan["parameters"])
        control = self._plan["congestion_control"]
        self._network = network.build(self._topology, links=plan["links"], congestion_control=control)
        self._certificate["network"] = network.read_back(self._network, self._topology, control)
        self._congestion_control = control

    def _look_at_network_again(self) -> None:
        """Say what a command left otherwise than it was planned: it may change its own node, and no other.

        Raises:
            CertificateError: another node was changed.
        """
        own = {phase["command"]["node"] for phase in self._plan["phases"] if phase["command"] is not None}
        if not own:
            return
        found = network.differences(
            self._network, self._topology, self._congestion_control, self._links, self._outages.running()
        )
        elsewhere = [text for node, texts in found.items() if node not in own for text in texts]
        if elsewhere:
            raise CertificateError(f"the network did not stay as planned: {'; '.join(elsewhere)}")
        self._certificate["network"]["changed_by_command"] = [text for texts in found.values() for text in texts]

    def _capture(self, ready: Callable[[], None]) -> dict[str, dict[str, int]]:
        points = [
            CapturePoint(point["name"], self._network[point["node"]], point["interface"])
            for point in self._plan["captures"]
        ]
        return capture(OUTPUT / "captures", points, ready)

    # Boxes

    def _start_boxes(self) -> None:
        for name, box in self._plan["boxes"].items():

            def body(ready: Callable[[], None], name: str = name, box: dict[str, Any] = box) -> dict[str, int]:
                return self._box(name, box, ready)

            self._boxes[name] = Child(f"the middlebox {name}", body, self._network[name].namespace)

    def _box(self, name: str, box: dict[str, Any], ready: Callable[[], None]) -> dict[str, int]:
        truth = LineWriter(OUTPUT / "truth.jsonl")
        start_ns = self._start_ns
        community_ids: dict[int, Json] = {0: None}  # flow 0: fragments, and a whole line

        def entry(event: Event) -> dict[str, Any]:
            record = event_to_json(event, start_ns=start_ns)
            community_id = record.pop("community_id", None) or community_ids[event.flow]
            community_ids[event.flow] = community_id
            head = {"t": record.pop("t"), "wall": iso_time(event.t_ns), "box": name, "flow": record.pop("flow")}
            return {**head, "community_id": community_id, **record}

        live = LiveBox(
            Profile.from_dict(box["profile"]),
            seed=box["seed"],
            inside="eth0",
            outside="eth1",
            log=lambda events: truth.write(*map(entry, events)),
        )
        counters = live.run(ready)
        truth.close()
        return counters

    # Servers

    def _start_servers(self) -> None:
        origins = Origins(WORK, self._plan["seed"])
        self._ca = origins.certificate
        (OUTPUT / "ca.pem").write_bytes(self._ca.read_bytes())
        self._servers += origins.start(self._plan["origins"], self._network)
        if self._plan["replay_server"] is not None:
            node = self._network[self._plan["replay_server"]]
            self._servers.append(replay_server(node, control=WORK / "replays", output=OUTPUT, start_ns=self._start_ns))

    # Lines

    def _run_phase(self, phase: dict[str, Any]) -> None:
        """Run the lines of a phase side by side; links fail and recover on the run's schedule meanwhile."""
        for line in phase["lines"]:
            self._start_line(line)
        if phase["command"] is not None:
            self._start_command(phase["command"])
        alarm = Alarm()
        watch = Watch()
        for lasting in self._lasting():
            watch.add(lasting.fileno(), self._early_end_of(lasting))
        watch.add(alarm.fileno(), lambda: self._change_link(self._outages.next_change()))
        watch.add(self._progress_read, self._pass_progress_on)
        watch.add(self._line.fileno(), self._obey)
        for pid in self._clients:
            self._watch_client(watch, pid)
        terminal = None if phase["command"] is None or self._command is None else self._command.terminal
        if terminal is not None:
            self._watch_terminal(watch, terminal)
        # Transfers end by themselves, so a long one may say that time passes. A command need not: its silence counts,
        # unless somebody sits before it.
        patience_ms = None if phase["command"] is not None and terminal is None else _HEARTBEAT_MS
        is_due = False
        while self._clients:
            alarm.set(self._next_change_ns(), has_gone_off=is_due)
            ready = watch.wait(patience_ms)
            is_due = alarm.fileno() in ready
            if not ready:
                self._line.send("alive", t=(time.time_ns() - self._start_ns) / 1e9)
        alarm.close()

    @staticmethod
    def _watch_terminal(watch: Watch, terminal: Terminal) -> None:
        def printed() -> None:
            if not terminal.show():
                watch.remove(terminal.fileno())

        watch.add(terminal.fileno(), printed)

    def _watch_client(self, watch: Watch, pid: int) -> None:
        descriptor = os.pidfd_open(pid)

        def ended() -> None:
            watch.remove(descriptor)
            os.close(descriptor)
            self._reap(pid)

        watch.add(descriptor, ended)

    @staticmethod
    def _early_end_of(lasting: Child | Nginx) -> Callable[[], None]:
        def ended() -> None:
            raise lasting.early_end()

        return ended

    def _lasting(self) -> list[Child | Nginx]:
        """What has to live as long as the run does."""
        timers = [] if self._timers is None else [self._timers]
        return [*self._boxes.values(), *self._servers, self._captures, *timers]

    def _next_change_ns(self) -> int | None:
        """When a link will next fail or recover."""
        at_s = self._outages.next_s()
        return None if at_s is None else self._start_ns + round(at_s * 1e9)

    def _start_line(self, line: dict[str, Any]) -> None:
        node = self._network[line["node"]]
        server = self._plan["replay_server"]
        vantage = LineClient(
            address=self._topology.address_of(line["node"]),
            names=self._plan["names"],
            start_ns=self._start_ns,
            output=OUTPUT,
            ca=self._ca,
            replay_server=(server and self._topology.address_of(server), WORK / "replays"),
            progress=self._progress_write,
        )
        self._clients[node.fork(lambda: vantage.run(line["transfers"]))] = line["name"]

    def _start_command(self, command: dict[str, Any]) -> None:
        self._say(f"running the command {command['argv'][0]}")
        node = self._network[command["node"]]
        names = {name.lower(): address for name, address in self._plan["names"].items()}
        self._servers.append(resolver(node, {**names, node.name: self._topology.address_of(node.name)}))
        self._certificate["command_began_s"] = (time.time_ns() - self._start_ns) / 1e9
        self._command = start_command(read_order(OUTPUT), node, OUTPUT, self._dress(node))
        self._type(b"")
        self._clients[self._command.pid] = _COMMAND

    def _dress(self, node: Any) -> Path:
        """Files of /etc as the user's program finds them: the host's own may name what is not there."""
        etc = WORK / "etc"
        certificates = etc / "certificates"
        certificates.mkdir(parents=True)
        own = f"127.0.0.1\tlocalhost\n::1\tlocalhost\n{self._topology.address_of(node.name)}\t{node.name}\n"
        names = "".join(f"{address}\t{name}\n" for name, address in self._plan["names"].items())
        (etc / "hosts").write_text(own + names)
        (etc / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        for name in ("passwd", "group", "nsswitch.conf"):
            (etc / name).write_bytes((OUTPUT / "etc" / name).read_bytes())
        authority = self._ca.read_bytes()
        for path in (etc / "ca.pem", certificates / "ca-certificates.crt"):
            path.write_bytes(authority)
        subject = subprocess.run(
            ["openssl", "x509", "-noout", "-subject_hash", "-in", str(self._ca)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        (certificates / f"{subject}.0").write_bytes(authority)  # where OpenSSL looks an authority up
        return etc

    def _reap(self, pid: int) -> None:
        name = self._clients.pop(pid)
        if name == _COMMAND:
            self._certificate["command_status"] = None if self._command is None else self._command.status()
            return
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code:
            raise GuestError(f"the client on line {name} ended with status {code}; guest.log says why")

    def _pass_progress_on(self) -> None:
        for text in os.read(self._progress_read, 65_536).splitlines():
            report = json.loads(text)
            self._line.send("transfer", **report)
            if report["state"] == "ends":
                os.sync()

    def _obey(self) -> None:
        for order in self._line.receive():
            if order["kind"] == "stop":
                self._captures.stop()
                raise GuestError("stopped by the user")
            if order["kind"] == "typed":
                self._type(bytes.fromhex(order["data"]))

    def _type(self, data: bytes) -> None:
        """Pass on what the user typed; before there is a command to take it, keep it."""
        self._typed += data
        if self._command is not None:
            if self._command.terminal is not None and self._typed:
                self._command.terminal.type(self._typed)
            self._typed = b""

    def _change_link(self, change: LinkChange) -> None:
        """Start or end an outage: every packet on the link is lost, as behind a router that hangs."""
        network.set_outage(self._network, self._topology, change.link, is_out=change.is_out)
        truth = LineWriter(OUTPUT / "truth.jsonl")
        now = time.time_ns()
        truth.write(
            {
                "t": (now - self._start_ns) / 1e9, "wall": iso_time(now), "box": None, "flow": None,
                "event": change.event, "link": list(change.link), "about": change.about,
            }
        )  # fmt: skip
        truth.close()

    # The end

    def _stop(self) -> None:
        self._say("stopping")
        for server in self._servers:
            server.stop()
        time.sleep(1.0)  # let the last segments reach the captures
        for name, box in self._boxes.items():
            self._certificate["boxes"][name] = box.stop()
        self._certificate["captures"] = self._captures.stop()


def main() -> None:
    """Run the plan that TESTBED_PLAN names, then power off."""
    require_guest()
    gc.disable()  # a collection touches every page, and every page that a forked child touches is copied
    line = HostLine("/dev/ttyS0")
    Path("/dev/ttyS0").chmod(0o600)
    try:
        for name in _ETC:
            mount_over(OUTPUT / "etc" / name, f"/etc/{name}")
        plan = json.loads((OUTPUT / "plan.json").read_text())
        line.send("finished", **World(plan, line).run())
    except TestbedError as error:
        line.send("failed", error=type(error).__name__, message=str(error))
    except BaseException as error:  # noqa: BLE001 - process 1 must report everything and never end
        traceback.print_exc()
        line.send("failed", error=type(error).__name__, message=str(error))
    finally:
        sys.stderr.flush()
        power_off()


if __name__ == "__main__":
    main()
