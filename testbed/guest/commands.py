"""A user's program in the place of measurements: what it finds on its node, and what is typed for it.

Not for: what it may do (user_program.py) and see (file_view.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.guest.servers import resolver
from testbed.guest.stage import IPV6
from testbed.guest.user_program import Program, read_order, start_program
from testbed.records.plan import hosts_lines
from testbed.traffic.authority import root_subject_hash

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.guest.child import Child
    from testbed.guest.network.node import NamespaceNode
    from testbed.guest.stage import Stage

__all__ = ["UserCommands"]


class UserCommands:
    """The user's program: there is at most one in a run.

    Attributes:
        services: What it needs to live as long as it does.
        began_s: When it was started, seconds since the start of the run; None: not yet.
        status: Its exit status; None: it has not ended.

    Args:
        stage: Where it runs.
        authority: The certificate authority of the origins, PEM, which it is to trust.
    """

    def __init__(self, stage: Stage, authority: Path) -> None:
        self.services: list[Child[None]] = []
        self.began_s: float | None = None
        self.status: int | None = None
        self._stage = stage
        self._authority = authority
        self._program: Program | None = None
        self._typed = b""

    def start(self, node: NamespaceNode) -> None:
        """Start the program, with a resolver on its node: it asks DNS itself, and has no other server.

        Raises:
            GuestError: The resolver did not start.
        """
        names = {name.lower(): address for name, address in self._stage.plan["names"].items()}
        own = {node.name: self._stage.address_of(node.name)}
        names6 = {name.lower(): address for name, address in self._stage.plan.get("names6", {}).items()}
        if self._stage.has_ipv6:
            names6[node.name] = self._stage.address_of(node.name, IPV6)
        self.services.append(resolver(node, {**names, **own}, names6))
        # Before it is started: what its client captured earlier is not its own (recordings are made on the same line).
        self.began_s = self._stage.now_s()
        self._program = start_program(read_order(self._stage.output), node, self._stage.output, self._etc_files(node))
        self.type(b"")

    @property
    def program(self) -> Program | None:
        """The program while it runs."""
        return None if self.status is not None else self._program

    def has_ended(self) -> None:
        """Note its exit status.

        Raises:
            GuestError: It could not be started.
        """
        if self._program is not None:
            self.status = self._program.status()

    def type(self, data: bytes) -> None:
        """Pass on what the user typed; before there is a program to take it, keep it."""
        self._typed += data
        if self._program is not None:
            if self._program.terminal is not None and self._typed:
                self._program.terminal.type(self._typed)
            self._typed = b""

    def _etc_files(self, node: NamespaceNode) -> Path:
        """Files of /etc as the program finds them: the host's own may name what is not there."""
        etc = self._stage.work / "etc"
        certificates = etc / "certificates"
        certificates.mkdir(parents=True)
        stage = self._stage
        own = f"127.0.0.1\tlocalhost\n::1\tlocalhost\n{stage.address_of(node.name)}\t{node.name}\n"
        if stage.has_ipv6:
            own += f"{stage.address_of(node.name, IPV6)}\t{node.name}\n"
        names = hosts_lines(stage.plan)
        (etc / "hosts").write_text(own + names)
        (etc / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        for name in ("passwd", "group", "nsswitch.conf"):
            (etc / name).write_bytes((self._stage.output / "etc" / name).read_bytes())
        authority = self._authority.read_bytes()
        for path in (etc / "ca.pem", certificates / "ca-certificates.crt"):
            path.write_bytes(authority)
        (certificates / f"{root_subject_hash()}.0").write_bytes(authority)
        return etc
