"""What runs inside the guest: the network, and the agent that runs a plan in it.

    start         OpenSSL's generators first, then the agent
    agent         the guest's main program: the order of things, from the plan to the report
    machine       the guest's clock and its power switch; refused anywhere else
    console       messages to the host and from it
    network/      the network: its topology, built and read back
    child         processes that are ready before they count and report at their end, and tasks that end by themselves
    boxes         the middleboxes; servers: origins, the replaying server, a resolver for a user's program
    captures      one process that captures at every capture point
    lateness      whether timers fire on time, where time is real
    phases        a phase: lines and a command side by side; watch: many descriptors, in a fixed order
    line_client   the client of one access line and its transfers
    commands      a user's program: user_program starts it, file_view is what it sees of the file system, terminal what
                  it shows and is typed
    schedule      timed changes in their order; timed_event: what a kind of them is; events/: the kinds, a module each
    stage         what all of these know of the run

Only the standard library, Mininet and netlink: an import costs ten times what it costs outside.
"""
