"""A prompt inside the emulated network: what is typed on the host, and what becomes of it in a guest that runs.

network    the nodes and links of a plan, by every name that they go by
words      a line, and what it asks for; what Tab may complete it to
box_log    what boxes saw and did, in words
readers    where lines come from: a terminal with a prompt, or a pipe
conduct    one shell: lines become orders to the guest, and what the guest says is shown
"""
