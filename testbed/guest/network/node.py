"""Mininet nodes that are a network namespace first and a shell only when somebody asks for one.

Stock Mininet starts an interactive shell for every node and configures it by typing. Here a node is configured through
netlink; ``cmd``, ``popen`` and the other shell methods of Mininet's Node still work and start the shell on first use.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any, ClassVar

from mininet.node import Node

from testbed.guest.network.namespace import Namespace
from testbed.netlink import link

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_EVERYWHERE = {
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/ipv6/conf/default/disable_ipv6": "1",
    "net/ipv6/conf/lo/disable_ipv6": "0",  # a program may listen on ::1
}
_HOST = {"net/ipv4/tcp_no_metrics_save": "1"}  # a flow must not inherit its predecessor's congestion window
_ROUTER = {"net/ipv4/ip_forward": "1", "net/ipv4/icmp_ratelimit": "0"}


class NamespaceNode(Node):  # type: ignore[misc]  # mininet has no types
    """A Mininet Node configured through netlink.

    Node options on top of Mininet's:
        role: ``client``, ``server``, ``router`` or ``box``.
        routes: List of (network, prefix length, gateway), all strings or integers.
        sysctls: Kernel parameters by path below /proc/sys.
    """

    inNamespace: bool  # noqa: N815 - Mininet's
    is_fenced = False  # see `Namespace`
    sysctls: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def setup(cls) -> None:
        """Look for no program, as Mininet would by others: the host has seen to it that what is needed is there."""

    def startShell(self, mnopts: str | None = None) -> None:  # noqa: N802 - Mininet's name
        """Make the namespace, as Mininet's constructor asks; the shell waits until it is needed."""
        del mnopts
        self.namespace = Namespace(is_fenced=self.is_fenced)

    @property
    def pid(self) -> int:
        """Process id of the node's shell, which is started if need be (Mininet attaches to it)."""
        self._need_shell()
        pid: int = self.shell.pid
        return pid

    @pid.setter
    def pid(self, value: int | None) -> None:
        """Mininet's constructor and shell start-up assign it; the shell itself knows better."""

    def _need_shell(self) -> None:
        if self.shell is None and not self._starting:
            self._starting = True
            in_namespace: bool = self.inNamespace
            self.inNamespace = False  # it enters ours instead of making its own
            try:
                super().startShell()
            finally:
                self.inNamespace = in_namespace
                self._starting = False

    _starting = False

    def _popen(self, cmd: Sequence[str], **params: Any) -> subprocess.Popen[bytes]:
        params.setdefault("preexec_fn", self.namespace.enter)
        return subprocess.Popen(cmd, **params)

    def cmd(self, *args: object, **kwargs: object) -> str:
        """As Mininet's, with the shell started first."""
        self._need_shell()
        printed: str = super().cmd(*args, **kwargs)
        return printed

    def sendCmd(self, *args: object, **kwargs: object) -> None:  # noqa: N802 - Mininet's name
        """As Mininet's, with the shell started first."""
        self._need_shell()
        super().sendCmd(*args, **kwargs)

    def config(self, routes: Sequence[tuple[str, int, str]] = (), lo: str = "up", **params: Any) -> dict[str, object]:
        """Bring the loopback up, write the kernel parameters, add the routes."""
        del lo
        kernel = self.namespace.kernel
        state = link.links(kernel)
        kernel.send([link.set_link(state["lo"].index, up=True)])
        self.namespace.set_sysctls({**_EVERYWHERE, **self.sysctls, **params.get("sysctls", {})})
        kernel.send([link.add_route(network, prefix, gateway) for network, prefix, gateway in routes])
        return {}

    def spawn(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a program in the node. No shell is involved.

        We go there for a moment ourselves: a function of ours in the new process would make it a whole copy of this
        one, which costs the guest more than the program's start.
        """
        with self.namespace.entered():
            return subprocess.Popen(argv, **options)

    def terminate(self) -> None:
        """End the shell, if there is one, and let go of the namespace."""
        if self.shell is not None:
            super().terminate()
        self.namespace.close()


class Client(NamespaceNode):
    """The client of an access line. A user's program may administer its network, and nobody else's."""

    is_fenced = True

    sysctls = _HOST


class Server(NamespaceNode):
    """An origin."""

    sysctls = _HOST


class Router(NamespaceNode):
    """One IP hop."""

    sysctls = _ROUTER


class Box(NamespaceNode):
    """A middlebox: a bridge between its two ports, invisible at the IP layer. Port 0 faces the subscriber."""

    def config(self, routes: Sequence[tuple[str, int, str]] = (), lo: str = "up", **params: Any) -> dict[str, object]:
        """Bridge the two ports."""
        super().config(routes, lo, **params)
        kernel = self.namespace.kernel
        kernel.send([link.add_bridge("bridge")])
        # In the order in which the topology linked them: the first port faces the subscriber.
        state = link.links(kernel)
        ports = [state[str(interface)].index for interface in self.intfList()]
        kernel.send(
            [link.set_link(state["bridge"].index, up=True)]
            + [link.set_link(port, master=state["bridge"].index, up=True) for port in ports]
        )
        return {}
