"""A censor as data.

model     the full description: `Profile`
section   reads plain data strictly, with the dotted key in every error
rules     names, addresses and protocols that are looked for (prefix: addresses by prefix)
measures  actions and meters
evidence  each value with its grade and source; a family's profile for a date
schema    JSON Schema, for editors
"""

from testbed.middlebox.profile.model import FlowLimits, Inspection, Placement, Profile, ProfileError, Trigger

__all__ = ["FlowLimits", "Inspection", "Placement", "Profile", "ProfileError", "Trigger"]
