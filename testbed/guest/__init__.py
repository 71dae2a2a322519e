"""What runs inside the guest: the network, and the agent that runs a plan in it.

    start       OpenSSL's generators first, then the agent
    agent       the guest's main program: plan in, records out
    console     messages to the host and from it
    network/    the network: its topology, built and read back
    child       a process that is ready before it counts, and reports; watch: many descriptors, in a fixed order
    servers     origins, the replaying server, a resolver for a user's program
    outages     links that fail and recover
    captures    one process that captures at every capture point
    lateness    whether timers fire on time, where time is real
    vantage     one access line and its transfers
    command     a user's program; outlook: what it sees of the file system; terminal: what it shows and is typed

Only the standard library, Mininet and netlink: an import costs ten times what it costs outside.
"""
