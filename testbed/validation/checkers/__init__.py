"""Checkers: programs that measure by themselves, from inside the emulated network, and say what they found.

checker  what is run: a command, how its answer is read, and its limits
answer   what a program printed, and how it ended, as a verdict
trial    a run of a checker on a line, which is kept
"""
