"""The far side of the network: a server for each origin, and the replaying server."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.errors import GuestError
from testbed.guest import on_demand
from testbed.guest.child import Child, Lifetime
from testbed.guest.stage import IPV6
from testbed.records.jsonl import LineWriter
from testbed.traffic.authority import CertificateAuthority
from testbed.traffic.log import TransferLog
from testbed.traffic.origin import is_nginx, nginx_configuration, objects_on_disk, write_object
from testbed.traffic.replay import serve_replays
from testbed.traffic.resolver import answer, open_resolver

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.guest.child import Service
    from testbed.guest.network.node import NamespaceNode
    from testbed.guest.stage import Stage
    from testbed.records.plan import OriginPlan

__all__ = ["Nginx", "Origins", "http3_server", "origin_server", "replay_server", "resolver", "start_servers"]

_NGINX_PATIENCE_S = 10.0
_LARGEST_DATAGRAM = 65_535


def start_servers(stage: Stage) -> tuple[list[Service], Path]:
    """Start the origins and the replaying server of a plan.

    Returns:
        The servers, in the order in which they were started, and the origins' certificate authority, PEM.

    Raises:
        GuestError: One did not start.
    """
    origins = Origins(stage)
    (stage.output / "ca.pem").write_bytes(origins.certificate.read_bytes())
    servers: list[Service] = [*origins.start()]
    if stage.plan["replay_server"] is not None:
        node = stage.network[stage.plan["replay_server"]]
        control = stage.work / "replays"
        servers.append(
            replay_server(node, control=control, output=stage.output, start_ns=stage.start_ns, has_ipv6=stage.has_ipv6)
        )
    return servers, origins.certificate


@dataclass(slots=True)
class Nginx:
    """One running nginx."""

    name: str
    process: subprocess.Popen[bytes]
    descriptor: int

    def fileno(self) -> int:
        """Return a descriptor that is readable once the process has ended, for poll."""
        return self.descriptor

    def early_end(self) -> GuestError:
        """Return the error of an nginx that has ended without being asked to."""
        return GuestError(f"{self.name} ended before the run did: status {self.process.wait()}; guest.log may say why")

    def stop(self) -> None:
        """End it. Raises GuestError if it had ended before."""
        if self.process.poll() is not None:
            raise self.early_end()
        self.process.terminate()
        self.process.wait()
        os.close(self.descriptor)


class Origins:
    """The origins of a plan and their certificate authority.

    Args:
        stage: Where; their files go into the guest's memory.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._on_disk = objects_on_disk(stage.plan["origins"])
        self._authority = CertificateAuthority(
            stage.work / "ca", stage.work / "code" / "origin.key", seed=stage.plan["seed"], start_ns=stage.start_ns
        )

    @property
    def certificate(self) -> Path:
        """The authority's certificate, PEM."""
        return self._authority.certificate

    def start(self) -> Iterator[Service]:
        """Start one server a node, then wait until each takes connections.

        Raises:
            GuestError: One did not start.
        """
        # All are started before the first is waited for: they get ready side by side.
        network, origins = self._stage.network, self._stage.plan["origins"]
        started = [(self._start(origin, name, network[name]), network[name]) for name, origin in origins.items()]
        for server, node in started:
            if isinstance(server, Nginx):
                _await(server, node)
            yield server
        for name, origin in origins.items():
            if "http/3" in origin.get("protocols", []):
                yield http3_server(origin, name, network[name], self._stage.work / name, self._stage)

    def _start(self, origin: OriginPlan, name: str, node: NamespaceNode) -> Nginx | Child[None]:
        folder = self._stage.work / name
        self._furnish(origin, folder, node)
        if not is_nginx(origin):
            return origin_server(origin, name, node, folder, self._stage)
        configuration = nginx_configuration(
            folder, has_ipv6=self._stage.has_ipv6, has_http2="http/2" in origin.get("protocols", [])
        )
        argv = ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(configuration)]
        if self._stage.plan["clock"].get("is_machines"):
            argv += ["-g", "user root;"]  # in the guest's user namespace there is nobody else
        process = node.spawn(argv)
        return Nginx(f"nginx on {name}", process, os.pidfd_open(process.pid))

    def _furnish(self, origin: OriginPlan, folder: Path, node: NamespaceNode) -> None:
        (folder / "www").mkdir(parents=True)
        address6 = self._stage.address_of(node.name, IPV6) if self._stage.has_ipv6 else None
        self._authority.issue(origin["names"], node.IP("eth0"), folder, address6=address6)
        for path, size_bytes in origin["objects"].items():
            place = folder / "www" / path.lstrip("/")
            if path in self._on_disk:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(self._stage.output / "objects" / path.lstrip("/"))
            else:
                write_object(place, size_bytes, self._stage.plan["seed"])


def _await(nginx: Nginx, node: NamespaceNode) -> None:
    deadline = time.monotonic() + _NGINX_PATIENCE_S
    with node.namespace.entered():
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 443), timeout=1):
                return
            if nginx.process.poll() is not None or time.monotonic() > deadline:
                raise GuestError(f"{nginx.name} did not start (status {nginx.process.poll()}); guest.log says why")
            time.sleep(0.02)  # in virtual time a wait without a pause would never end: nothing else could run


def origin_server(origin: OriginPlan, name: str, node: NamespaceNode, folder: Path, stage: Stage) -> Child[None]:
    """Return the testbed's own server, for an origin that nginx cannot be, or is not to be.

    Args:
        origin: As planned.
        name: Of its node.
        node: Where it runs.
        folder: With its certificate and its objects.
        stage: With the run's start, and the folder of its records.

    Raises:
        GuestError: It did not start.
    """
    # Few scenarios have one; the others need not wait until Python's HTTP server is loaded.
    from testbed.traffic.origin_server import OriginServer, serve_origin  # noqa: PLC0415

    http2 = on_demand.serve_http2() if "http/2" in origin.get("protocols", []) else None

    def body(lifetime: Lifetime) -> None:
        with _upload_logs(origin, stage) as logs:
            server = OriginServer(
                folder=folder,
                rate_bps=origin.get("rate_bps"),
                think_s=origin.get("think_s", 0.0),
                think_sigma=origin.get("think_sigma", 0.0),
                think_seed=origin.get("think_seed", 0),
                send_buffer=origin.get("send_buffer"),
                pacing_bps=origin.get("pacing_bps"),
                uploads=logs,
                has_ipv6=stage.has_ipv6,
                http2=http2,
            )
            serve_origin(server, ready=lifetime.ready, ending=lifetime.fileno())

    return Child(f"the origin {name}", body, node.namespace)


@contextlib.contextmanager
def _upload_logs(origin: OriginPlan, stage: Stage) -> Iterator[dict[str, TransferLog]]:
    """The log of each upload that an origin takes, by its path; all is written down at the end of the block."""
    with contextlib.closing(LineWriter(stage.output / "measurements.jsonl")) as writer:
        logs = {
            path: TransferLog(writer, transfer=transfer, side="server", start_ns=stage.start_ns)
            for path, transfer in origin.get("uploads", {}).items()
        }
        yield logs
        # An upload that was cut off silently is still waited for: what came of it is written down all the same.
        for log in logs.values():
            log.flush()


def http3_server(origin: OriginPlan, name: str, node: NamespaceNode, folder: Path, stage: Stage) -> Child[None]:
    """Return the server of an origin's UDP port, beside the one of its TCP ports.

    Args:
        origin: As planned.
        name: Of its node.
        node: Where it runs.
        folder: With its certificate and its objects.
        stage: With the run's start, and the folder of its records.

    Raises:
        GuestError: It did not start.
    """
    # Few scenarios have one. Loaded before the fork, so that the clients of the run have aioquic loaded, too.
    from testbed.traffic.origin_http3 import Http3Origin, serve_http3  # noqa: PLC0415

    def body(lifetime: Lifetime) -> None:
        # No file is opened for nothing: each moves the clock on.
        nothing = contextlib.nullcontext[dict[str, TransferLog]]({})
        with _upload_logs(origin, stage) if "uploads" in origin else nothing as logs:
            server = Http3Origin(
                folder=folder,
                rate_bps=origin.get("rate_bps"),
                think_s=origin.get("think_s", 0.0),
                think_sigma=origin.get("think_sigma", 0.0),
                think_seed=origin.get("think_seed", 0),
                has_ipv6=stage.has_ipv6,
                uploads=logs,
            )
            serve_http3(server, ready=lifetime.ready, ending=lifetime.fileno())

    return Child(f"the HTTP/3 server of the origin {name}", body, node.namespace)


def replay_server(
    node: NamespaceNode, *, control: Path, output: Path, start_ns: int, has_ipv6: bool = False
) -> Child[None]:
    """Return the server at the far end of replays and conversations.

    Args:
        node: Where it runs.
        control: Path of the Unix socket that takes announcements.
        output: The guest's folder.
        start_ns: Start of the run.
        has_ipv6: Whether it listens on IPv6 as well.

    Raises:
        GuestError: It did not start.
    """

    def body(lifetime: Lifetime) -> None:
        serve_replays(
            control,
            recordings=output / "recordings",
            measurements=output / "measurements.jsonl",
            start_ns=start_ns,
            ready=lifetime.ready,
            ending=lifetime.fileno(),
            has_ipv6=has_ipv6,
        )

    return Child("the replaying server", body, node.namespace)


def resolver(node: NamespaceNode, names: dict[str, str], names6: dict[str, str]) -> Child[None]:
    """Return a resolver on the loopback interface of a node, for a user's program that asks DNS itself.

    Args:
        node: Where it runs.
        names: Name in lower case to address.
        names6: To IPv6 address.

    Raises:
        GuestError: It did not start.
    """

    def body(lifetime: Lifetime) -> None:
        with open_resolver() as bound:
            lifetime.ready()
            ending = lifetime.fileno()
            while ending not in select.select([ending, bound.fileno()], [], [])[0]:
                query, peer = bound.recvfrom(_LARGEST_DATAGRAM)
                response = answer(query, names, names6)
                if response is not None:
                    # A program's own filter may refuse it: then it is lost, as any datagram may be.
                    with contextlib.suppress(OSError):
                        bound.sendto(response, peer)

    return Child("the resolver", body, node.namespace)
