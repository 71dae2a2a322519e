"""Throttling detectors: published methods, one a file, behind one input type and one verdict type."""
