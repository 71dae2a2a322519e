"""The guest's main program: reads the plan, builds the world, runs the lines, and reports to the host.

It is process 1 of the guest. Whatever happens, the host hears of it over the line and the machine powers off.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.errors import CertificateError, GuestError, TestbedError
from testbed.middlebox.adapters.alarm import Alarm
from testbed.middlebox.adapters.nfqueue import LiveBox
from testbed.middlebox.events import Event, event_to_json
from testbed.middlebox.profile import Profile
from testbed.records.clock import iso_time
from testbed.records.jsonl import LineWriter
from testbed.traffic.origin import CertificateAuthority, nginx_configuration, write_object
from testbed.traffic.replay import serve_replays
from testbed.world import network
from testbed.world.captures import CapturePoint, Captures
from testbed.world.lateness import Metronome
from testbed.world.line import HostLine
from testbed.world.vantage import Vantage

if TYPE_CHECKING:
    from testbed.world.node import NamespaceNode

OUTPUT = Path("/run/output")
WORK = Path("/run/testbed")
_SETTLE_S = 5.0  # links come up within a second; the run starts at a round instant after that
_COMMAND = "-- COMMAND"  # in the place of a line's name
_HEARTBEAT_MS = 1000  # of the guest's time
_POWER_OFF = 0x4321FEDC
_NGINX_PATIENCE_S = 10.0


class World:
    """Everything that runs in the guest for one plan."""

    def __init__(self, plan: dict[str, Any], line: HostLine) -> None:
        self._plan = plan
        self._line = line
        self._certificate: dict[str, Any] = {"boxes": {}}
        self._boxes: dict[str, tuple[int, int]] = {}
        self._clients: dict[int, str] = {}
        self._helpers: list[int] = []
        self._nginx: dict[str, subprocess.Popen[bytes]] = {}
        self._link_changes = sorted(plan["outages"], key=lambda change: change["at_s"])
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
        self._captures = self._start_captures()
        self._say("starting boxes and servers")
        self._start_boxes()
        self._start_servers()
        self._say("running")
        self._sleep_until(self._start_ns)
        metronome = None if plan["engine"] == "virtual" else Metronome()
        began = time.time_ns()
        for phase in plan["phases"]:
            self._run_phase(phase)
        ended = time.time_ns()
        if metronome is not None:
            self._certificate["lateness"] = metronome.stop()
        self._stop()
        return {"certificate": self._certificate, "emulated_s": (ended - began) / 1e9}

    def _say(self, what: str) -> None:
        self._line.send("progress", what=what, t=(time.time_ns() - self._start_ns) / 1e9)

    def _set_clock(self) -> int:
        """The instant that is t = 0. Without time travel the guest's calendar is the host's and has to be set."""
        start_ns: int = self._plan["start_ns"]
        if self._plan["engine"] != "virtual":
            time.clock_settime_ns(time.CLOCK_REALTIME, start_ns - round(_SETTLE_S * 1e9))
        return start_ns

    def _sleep_until(self, instant_ns: int) -> None:
        remaining = (instant_ns - time.time_ns()) / 1e9
        if remaining < 0 and self._plan["engine"] == "virtual":
            raise GuestError(f"setting up took {_SETTLE_S - remaining:.1f} emulated seconds; {_SETTLE_S} are planned")
        time.sleep(max(0.0, remaining))

    def _build(self) -> None:
        plan = self._plan["topology"]
        self._topology = network.load_topology(plan["file"], plan["name"], plan["parameters"])
        control = self._plan["congestion_control"]
        self._network = network.build(self._topology, links=plan["links"], congestion_control=control)
        self._certificate["network"] = network.read_back(self._network, self._topology, control)
        hosts = "".join(f"{address}\t{name}\n" for name, address in self._plan["names"].items())
        (WORK / "hosts").write_text("127.0.0.1\tlocalhost\n" + hosts)
        subprocess.run(["mount", "--bind", str(WORK / "hosts"), "/etc/hosts"], check=True)

    def _start_captures(self) -> Captures:
        folder = OUTPUT / "captures"
        points = [
            CapturePoint(point["name"], self._network[point["node"]], point["interface"])
            for point in self._plan["captures"]
        ]
        return Captures(folder, points)

    # Boxes

    def _start_boxes(self) -> None:
        for name, box in self._plan["boxes"].items():
            ready_read, ready_write = os.pipe()
            node = self._network[name]
            pid = node.fork(lambda name=name, box=box, ready=ready_write: self._box(name, box, ready))
            os.close(ready_write)
            if os.read(ready_read, 1) != b"+":
                raise CertificateError(f"the middlebox {name} did not start; guest.log says why")
            self._boxes[name] = (pid, ready_read)

    def _box(self, name: str, box: dict[str, Any], report: int) -> int:
        truth = LineWriter(OUTPUT / "truth.jsonl")
        start_ns = self._start_ns
        community_ids: dict[int, str | None] = {0: None}  # flow 0: fragments, and a whole line

        def entry(event: Event) -> dict[str, Any]:
            record = event_to_json(event, start_ns=start_ns)
            community_id = record.pop("community_id", None) or community_ids[event.flow]
            community_ids[event.flow] = community_id
            head = {"t": record.pop("t"), "wall": iso_time(event.t_ns), "box": name, "flow": record.pop("flow")}
            return {**head, "community_id": community_id, **record}

        profile = Profile.from_dict(box["profile"])
        live = LiveBox(
            profile,
            seed=box["seed"],
            inside="eth0",
            outside="eth1",
            log=lambda events: truth.write(*map(entry, events)),
        )
        counters = live.run(lambda: _say_ready(report))
        truth.close()
        os.write(report, json.dumps(counters).encode())
        return 0

    def _stop_boxes(self) -> None:
        for name, (pid, report) in self._boxes.items():
            os.kill(pid, signal.SIGTERM)
            counters = json.loads(os.read(report, 4096) or b"null")
            os.waitpid(pid, 0)
            if counters is None:
                raise CertificateError(f"the middlebox {name} ended before the run did; guest.log says why")
            self._certificate["boxes"][name] = counters

    # Servers

    def _start_servers(self) -> None:
        authority = CertificateAuthority(WORK / "ca")
        self._ca = authority.certificate
        (OUTPUT / "ca.pem").write_bytes(self._ca.read_bytes())
        for name, origin in self._plan["origins"].items():
            folder = WORK / name
            (folder / "www").mkdir(parents=True)
            authority.issue(origin["names"], folder)
            for path, size_bytes in origin["objects"].items():
                write_object(folder / "www" / path.lstrip("/"), size_bytes, self._plan["seed"])
            configuration = nginx_configuration(folder)
            argv = ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(configuration)]
            self._nginx[name] = self._network[name].spawn(argv)
        for name, process in self._nginx.items():
            self._await_server(name, process)
        if self._plan["replay_server"] is not None:
            self._start_replay_server(self._network[self._plan["replay_server"]])

    def _await_server(self, name: str, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _NGINX_PATIENCE_S
        with self._network[name].namespace.entered():
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 443), timeout=1):
                    return
                if process.poll() is not None or time.monotonic() > deadline:
                    raise GuestError(f"nginx on {name} did not start (status {process.poll()}); guest.log says why")
                time.sleep(0.02)

    def _start_replay_server(self, node: NamespaceNode) -> None:
        ready_read, ready_write = os.pipe()
        pid = node.fork(
            lambda: serve_replays(
                WORK / "replays",
                recordings=OUTPUT / "recordings",
                measurements=OUTPUT / "measurements.jsonl",
                start_ns=self._start_ns,
                ready=lambda: _say_ready(ready_write),
            )
        )
        os.close(ready_write)
        if os.read(ready_read, 1) != b"+":
            raise GuestError("the replaying server did not start; guest.log says why")
        self._helpers.append(pid)

    # Lines

    def _run_phase(self, phase: dict[str, Any]) -> None:
        """Run the lines of a phase side by side; links fail and recover on the run's schedule meanwhile."""
        for line in phase["lines"]:
            self._start_line(line)
        if phase["command"] is not None:
            self._start_command(phase["command"])
        # Transfers end by themselves, so a long one may say that time passes. A command need not: its silence counts.
        patience_ms = None if phase["command"] is not None else _HEARTBEAT_MS
        ending = {os.pidfd_open(pid): pid for pid in self._clients}
        alarm = Alarm()
        poll = select.poll()
        for source in (self._progress_read, self._line.fileno(), alarm.fileno(), *ending):
            poll.register(source, select.POLLIN)
        is_due = False
        while self._clients:
            alarm.set(self._next_change_ns(), has_gone_off=is_due)
            ready = {descriptor for descriptor, _ in poll.poll(patience_ms)}
            if not ready:
                self._line.send("alive", t=(time.time_ns() - self._start_ns) / 1e9)
            is_due = alarm.fileno() in ready
            if is_due:
                self._change_link(self._link_changes.pop(0))
            if self._progress_read in ready:
                self._pass_progress_on()
            if self._line.fileno() in ready:
                self._obey()
            for descriptor in ready & ending.keys():
                poll.unregister(descriptor)
                os.close(descriptor)
                self._reap(ending.pop(descriptor))
        alarm.close()

    def _next_change_ns(self) -> int | None:
        """When a link will next fail or recover."""
        return self._start_ns + round(self._link_changes[0]["at_s"] * 1e9) if self._link_changes else None

    def _start_line(self, line: dict[str, Any]) -> None:
        node = self._network[line["node"]]
        server = self._plan["replay_server"]
        vantage = Vantage(
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
        environment = os.environ | {"SSLKEYLOGFILE": str(OUTPUT / "tls-secrets.txt"), "SSL_CERT_FILE": str(self._ca)}
        with (OUTPUT / "command.stdout").open("wb") as stdout, (OUTPUT / "command.stderr").open("wb") as stderr:
            try:
                self._command = self._network[command["node"]].spawn(
                    command["argv"], stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environment
                )
            except OSError as error:
                raise GuestError(f"the command {command['argv'][0]!r} cannot be run: {error.strerror}") from error
        self._clients[self._command.pid] = _COMMAND

    def _reap(self, pid: int) -> None:
        name = self._clients.pop(pid)
        if name == _COMMAND:
            self._certificate["command_status"] = self._command.wait()
            return
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code:
            raise GuestError(f"the client on line {name} ended with status {code}; guest.log says why")

    def _pass_progress_on(self) -> None:
        for text in os.read(self._progress_read, 65_536).splitlines():
            report = json.loads(text)
            self._line.send("progress", **report)
            if report["state"] == "ends":
                os.sync()

    def _obey(self) -> None:
        if any(order.get("kind") == "stop" for order in self._line.receive()):
            self._captures.stop()
            raise GuestError("stopped by the user")

    def _change_link(self, change: dict[str, Any]) -> None:
        """Start or end an outage: every packet on the link is lost, as behind a router that hangs."""
        first, second = change["link"]
        network.change_loss(self._network, first, second, change["loss"])
        truth = LineWriter(OUTPUT / "truth.jsonl")
        now = time.time_ns()
        truth.write(
            {
                "t": (now - self._start_ns) / 1e9, "wall": iso_time(now), "box": None, "flow": None,
                "event": "link_failed" if change["loss"] else "link_restored", "link": [first, second],
                "about": change["about"],
            }
        )  # fmt: skip
        truth.close()

    # The end

    def _stop(self) -> None:
        self._say("stopping")
        for pid in self._helpers:
            os.kill(pid, signal.SIGTERM)
        for process in self._nginx.values():
            process.terminate()
        time.sleep(1.0)  # let the last segments reach the captures
        self._stop_boxes()
        self._certificate["captures"] = self._captures.stop()


def _say_ready(to_parent: int) -> None:
    os.write(to_parent, b"+")


def main() -> None:
    """Run the plan that TESTBED_PLAN names, then power off."""
    gc.disable()  # a collection touches every page, and every page that a forked child touches is copied
    line = HostLine("/dev/ttyS0")
    try:
        plan = json.loads((OUTPUT / "plan.json").read_text())
        line.send("finished", **World(plan, line).run())
    except TestbedError as error:
        line.send("failed", error=type(error).__name__, message=str(error))
    except BaseException as error:  # noqa: BLE001 - process 1 must report everything and never end
        traceback.print_exc()
        line.send("failed", error=type(error).__name__, message=str(error))
    finally:
        sys.stderr.flush()
        os.sync()
        ctypes.CDLL(None).reboot(_POWER_OFF)


if __name__ == "__main__":
    main()
