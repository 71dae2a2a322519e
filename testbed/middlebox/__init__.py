"""The DPI box: a pure inspector, the profiles it follows, and adapters to packets.

Start at `inspector.Inspector`, which turns packets into events. `profile` describes a censor, `recognise` reads
protocols, `rules` matches names, `flows` remembers, `meters` and `actions` decide what passes. No module here but the
adapters and the data plane does any I/O.
"""
