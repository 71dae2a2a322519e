"""The run directory: what crosses from the emulation to everything that judges it. Standard library only.

What is written, typed:
plan          what the guest was told
manifest      what the run is, how it went, what each transfer came to
certificate   what was checked, and what came of it
truth         what boxes did, packet by packet
measurements  what clients saw; probes: what a probe found

How it is read and written:
run           the directory
files         opening and replacing files that others may have planted
jsonl         truth.jsonl and measurements.jsonl
capture_file  reading pcap and pcapng; byte_stream, capture_chunks, pcap_reader, pcapng_reader, link_layer are its parts
pcapng        writing captures with TLS secrets and comments
lock          one process at a time
clock         emulated instants

What comes of it:
standing      whether a run may be scored
agreement     the box's log against the captures on both sides of it; crossings and ip_header are its parts
transfers     what each transfer came to: measurements joined with ground truth
"""
