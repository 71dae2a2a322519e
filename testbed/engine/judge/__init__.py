"""When the guest has ended: what was recorded is compared, and what the run is worth is written down.

judge          all of it, in order
captured       captures compared with the boxes' logs, and converted
command_flows  the flows that a command made
certificate    what was checked, and what came of it
fingerprint    what the bytes of a run depend on
compare_runs   two runs side by side
"""
