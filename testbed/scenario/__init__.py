"""Scenario files and censor profiles: from YAML to a plan that the guest can run.

document   YAML with the line of every value, and --set
model      what a scenario may say; options: of evasions and probes
place      where in its file something is wrong
profiles   censor profiles by name, family and date
library    where packaged scenarios, topologies and profiles are
plan       a scenario resolved; network, boxes and transfers are its parts
"""
