"""Real traffic: origins, clients, record and replay. Runs inside the guest.

origin      nginx with certificates of a CA made at run time
origin_server  the origin of which more is said: pace, time to think, buffer
log         what clients saw, as lines of measurements.jsonl
pace        how fast an end sends or reads, and how much its socket holds
connection  a TCP connection with deadlines, byte timeline and TCP_INFO samples
fetch       our measuring client: TLS and HTTP with every instant noted
curl        the real curl
recording   the messages of one TLS session, and their bit-inverted control
replay      both ends of a replay (Xue et al., IMC 2021, section 5)

conversation  what client and far end do on one connection, agreed beside the network; near_end and far_end do it
hello         ClientHellos made field by field
options       of evasions and probes
evasion       ways past a box, one a file
probes        how to find out what a box does, one a file
"""
