"""What runs inside the guest: the network, and the agent that runs a plan in it.

    agent       the guest's main program: plan in, records out
    line        the two-way line to the host
    routed      Topo with roles, addresses and routes
    node link   Mininet's nouns over netlink
    network     builds the network and reads it back
    child       a process that is ready before it counts, and reports; watch: many descriptors, in a fixed order
    servers     origins, the replaying server, a resolver for a user's program
    outages     links that fail and recover
    captures    one process that captures at every capture point
    lateness    whether timers fire on time, where time is real
    vantage     one access line and its transfers
    command     a user's program; outlook: what it sees of the file system; terminal: what it shows and is typed

Only the standard library, Mininet and netlink: an import costs ten times what it costs outside.
"""

from testbed.guest.distutils_version import provide_distutils

provide_distutils()
