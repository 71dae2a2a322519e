"""What a user's program finds on its node: names in files and by DNS, and the authority that it is to trust.

Not for: what it may do (user_program.py), or what of the host's files it sees (file_view.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.guest.servers import resolver
from testbed.guest.stage import IPV6
from testbed.records.plan import hosts_lines
from testbed.traffic.authority import root_subject_hash

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.guest.child import Child
    from testbed.guest.network.node import NamespaceNode
    from testbed.guest.stage import Stage

__all__ = ["Surroundings"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The surroundings of programs.

    Attributes:
        stage: Where they run.
        authority: The certificate authority of the origins, PEM, which they are to trust.
        has_nodes: Every node that has an address is known by its own name, and not the program's own alone.
    """

    stage: Stage
    authority: Path
    has_nodes: bool = False

    def resolver(self, node: NamespaceNode) -> Child[None]:
        """Start a resolver on a node, for programs that ask DNS themselves; they have no other server.

        Raises:
            GuestError: It did not start.
        """
        names = {name.lower(): address for name, address in self.stage.plan["names"].items()}
        names6 = {name.lower(): address for name, address in self.stage.plan.get("names6", {}).items()}
        known, known6 = self._nodes(node)
        return resolver(node, {**names, **known}, {**names6, **known6})

    def etc(self, node: NamespaceNode, folder: Path) -> Path:
        """Fill a folder with the files of /etc that a program finds: the host's own may name what is not there."""
        certificates = folder / "certificates"
        certificates.mkdir(parents=True)
        known, known6 = self._nodes(node)
        own = "127.0.0.1\tlocalhost\n::1\tlocalhost\n"
        own += "".join(f"{address}\t{name}\n" for each in (known, known6) for name, address in each.items())
        (folder / "hosts").write_text(own + hosts_lines(self.stage.plan))
        (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        for name in ("passwd", "group", "nsswitch.conf"):
            (folder / name).write_bytes((self.stage.output / "etc" / name).read_bytes())
        authority = self.authority.read_bytes()
        for path in (folder / "ca.pem", certificates / "ca-certificates.crt"):
            path.write_bytes(authority)
        (certificates / f"{root_subject_hash()}.0").write_bytes(authority)
        return folder

    def _nodes(self, node: NamespaceNode) -> tuple[dict[str, str], dict[str, str]]:
        """Return IPv4 and IPv6 addresses by the name of the node; a box has none."""
        stage, topology = self.stage, self.stage.topology
        addresses: dict[str, str] = {}
        for segment in topology.segments if self.has_nodes else ():
            for end in (segment.left, segment.right):
                addresses.setdefault(end, segment.address(end))
        leaves = {name for name in (*addresses, node.name) if topology.role(name) in {"client", "server"}}
        if node.name in leaves:
            addresses[node.name] = stage.address_of(node.name)
        addresses6 = {name: stage.address_of(name, IPV6) for name in sorted(leaves)} if stage.has_ipv6 else {}
        for known in (addresses, addresses6) if self.has_nodes else ():
            known |= {short: known[name] for short, name in self._also().items() if name in known}
        return addresses, addresses6

    def _also(self) -> dict[str, str]:
        """Return the short names of nodes that a shell has."""
        commands = (phase["command"] for phase in self.stage.plan["phases"])
        return next((each["also"] for each in commands if each is not None and "also" in each), {})
