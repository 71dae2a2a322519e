"""From a finished run to something a person reads.

table    the table after a run
figures  throughput over time, sequence plot
page     the HTML page
published  the published figures a run is compared with
"""
