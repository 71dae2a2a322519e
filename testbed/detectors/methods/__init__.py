"""The methods, one a file: published detectors, and ours (`joint`)."""
