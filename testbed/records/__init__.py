"""The run directory: what crosses from the emulation to everything that judges it. Standard library only.

run           the directory and its manifest
files         opening and replacing files that others may have planted
jsonl         truth.jsonl and measurements.jsonl
capture_file  reading pcap and pcapng; byte_stream, capture_chunks, pcap_reader, pcapng_reader, link_layer are its parts
standing      whether a run may be scored
lock          one process at a time
pcapng        writing captures with TLS secrets and comments
agreement     the box's log against the captures on both sides of it
transfers     what each transfer came to: measurements joined with ground truth
clock         emulated instants
"""
