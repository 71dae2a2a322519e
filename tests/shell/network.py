"""A small network for tests: two lines, one box, two servers."""

from __future__ import annotations

from testbed.shell.network import Network, Node

NETWORK = Network(
    nodes={
        "mobile": Node("mobile", "client", "mobile", "100.64.0.1"),
        "mobile-r1": Node("mobile-r1", "router", "", "100.64.0.2"),
        "mobile-tspu": Node("mobile-tspu", "box", "mobile"),
        "landline": Node("landline", "client", "landline", "100.64.0.5"),
        "landline-tspu": Node("landline-tspu", "box", "landline"),
        "origin": Node("origin", "server", "", "198.51.100.6", ("twitter.com",)),
    },
    links=(("mobile", "mobile-r1", "5ms"),),
    aliases={"client": "mobile", "box": "mobile-tspu", "mobile-client": "mobile"},
    sites=("twitter.com", "t.co"),
    boxes=("mobile-tspu",),
)
