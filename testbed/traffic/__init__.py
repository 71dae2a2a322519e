"""Real traffic: origins, clients, record and replay. Runs inside the guest.

origin      nginx with certificates of a CA made at run time
log         what clients saw, as lines of measurements.jsonl
connection  a TCP connection with deadlines, byte timeline and TCP_INFO samples
fetch       our measuring client: TLS and HTTP with every instant noted
curl        the real curl
recording   the messages of one TLS session, and their bit-inverted control
replay      both ends of a replay (Xue et al., IMC 2021, section 5)
"""
