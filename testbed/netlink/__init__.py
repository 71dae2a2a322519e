"""Netlink, as much of it as the testbed says: links, addresses, routes, queueing disciplines, filters, rules, a queue.

Inside the guest a process costs twenty milliseconds and the import of a general netlink library more than a second, so
stock Mininet's way (a shell and a dozen ``tc`` calls a link) and pyroute2's are both too slow there. These modules need
the standard library alone and send a whole node's configuration in one message.

    socket   requests, dumps, acknowledgements
    link     veth pairs, bridges, addresses, routes
    tc       queueing disciplines, filters, police actions, and reading them back
    ethtool  offloads off, and reading them back
    nftables      rules of nft, without nft
    packet_queue  packets to user space and verdicts back (NFQUEUE)

Not for: anything that the testbed does not use.
"""

from testbed.netlink.socket import NetlinkError, NetlinkSocket

__all__ = ["NetlinkError", "NetlinkSocket"]
