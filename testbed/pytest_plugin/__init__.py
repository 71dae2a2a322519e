"""The testbed in other people's tests: a plugin of pytest.

plugin     fixtures and the marker ``testbed_suite``; loaded whenever pytest starts, so it imports nothing heavy
shelf      runs and cells that are made once and kept, for many tests and many sessions
throttled  any program behind a policer, with the proof that it acted
"""
