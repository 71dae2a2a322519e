"""Engines: a plan in, a run directory out.

run        a run from plan to finished run directory
prepare/   before the guest: what the machine must have, the guest's code, a user's program
kernel/    the guest's kernel: configuration, patches, build
uml/       while it runs: the kernel as a process, fenced, listened to, watched
native/    the same on the machine's own kernel, in namespaces
judge/     when it has ended: records compared, what was checked, and what came of it
"""
