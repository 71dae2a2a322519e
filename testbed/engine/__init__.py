"""Engines: a plan in, a run directory out.

kernel/   the guest's kernel: configuration, patches, build
guest     one guest: started, listened to, watched, ended
run       a run from plan to finished run directory
"""
