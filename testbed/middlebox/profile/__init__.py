"""A censor as data.

model     the full description: `Profile`
metering  its section ``meter``: the meters that it describes, and which is used
rules     names, addresses and protocols that are looked for (prefix: addresses by prefix)
sources   what the keys of sources stand for

Reading profile files, and checking them, is the host's business: `testbed.scenario.censor`.
"""

from testbed.middlebox.profile.model import FlowLimits, Inspection, Placement, Profile, Trigger

__all__ = ["FlowLimits", "Inspection", "Placement", "Profile", "Trigger"]
