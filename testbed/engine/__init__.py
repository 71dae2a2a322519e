"""Engines: a plan in, a run directory out.

run            a run from plan to finished run directory

Before the guest:
kernel/        its kernel: configuration, patches, build
environment    what the machine must grant; programs, guest_memory, openssl: what the plan needs
guest_code     the guest's Python code as one archive (made by guest_archive); origin_key beside it
command        a user's program: what the guest is told of it; keyboard: its terminal

While it runs:
guest          one guest: started, listened to, watched, ended
spool          the folder that it writes to, and what is taken over from it
confine        what its process may do on the host
follow         what a command prints, as it comes; stall: what a silent guest does

When it has ended:
captured       captures compared with the boxes' logs, and converted
command_flows  the flows that a command made
certificate    what was checked, and what came of it
fingerprint    what the bytes of a run depend on; compare_runs: two runs side by side
"""
