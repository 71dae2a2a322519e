"""A testbed that replays throttling with real Linux TCP in virtual time, and knows the fate of every packet."""
