"""Scenario files and censor profiles: from YAML to a plan that the guest can run.

document   YAML with the line of every value, and --set
model      what a scenario may say
profiles   censor profiles by name, family and date
plan       a scenario resolved: topology, boxes, transfers
library    where packaged scenarios, topologies and profiles are
"""
