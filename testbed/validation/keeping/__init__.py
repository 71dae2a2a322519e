"""Runs that have been made, and what detectors said of them: kept by key, and looked after."""
