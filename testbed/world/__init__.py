"""What runs inside the guest: the network, and the agent that runs a plan in it.

    agent       the guest's main program: plan in, records out
    line        the two-way line to the host
    routed      Topo with roles, addresses and routes
    node link   Mininet's nouns over netlink
    network     builds the network and reads it back
    captures    one process that captures at every capture point
    lateness    whether timers fire on time, where time is real
    vantage     one access line and its transfers

Only the standard library, Mininet and netlink: an import costs ten times what it costs outside.
"""

from testbed.world.distutils_version import provide_distutils

provide_distutils()
