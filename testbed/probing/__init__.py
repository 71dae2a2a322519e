"""Probing: what a censor does, found out as researchers did, and its answer beside the censor's configuration.

    probe        a probe planned as a run, and its answer read
    check        the answer beside what the censor's profile says

The conversations of each probe are in `testbed.traffic.probes`: they run in the guest.
"""
