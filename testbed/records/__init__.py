"""The run directory: what crosses from the emulation to everything that judges it. Standard library only.

run           the directory and its manifest
files         opening and replacing files that others may have planted
jsonl         truth.jsonl and measurements.jsonl
capture_file  reading pcap and pcapng
pcapng        writing captures with TLS secrets and comments
agreement     the box's log against the captures on both sides of it
transfers     what each transfer came to: measurements joined with ground truth
clock         emulated instants
"""
