"""What several methods need: the fate of packets, round-trip times, samples, series, pairs, and tests of statistics."""
