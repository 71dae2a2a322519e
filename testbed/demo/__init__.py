"""The classroom page: a run as it happens, or a recorded one, told to browsers.

scene      what a class can choose, as settings of a run
feed       lines of a run's records as the page's own, small records
segments   data segments out of a capture, with their place in the transfer
growing    a run directory that is read while it grows; the same code reads a finished one
outcome    what is revealed at the end: the truth, and what each detector said
session    the runs of a demonstration, votes, and what browsers have to be told
server     HTTP and server-sent events on the loopback interface
packed     recorded runs for machines without a guest, as a pack of labs carries them
network_drawing   lines, hops and boxes as SVG
page/      HTML, style and script, without a file of anybody else
"""
