"""Making the runs of a suite: each by a process of its own, on this machine or on others."""
