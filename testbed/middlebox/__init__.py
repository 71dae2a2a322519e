"""The DPI box: a pure inspector, the profiles it follows, and adapters to packets.

Start at `inspector.Inspector`, which turns packets into events. `profile` describes a censor, `recognise` reads
protocols, `flows` remembers, `enforcement` polices, shapes and blocks. No module here but the adapters does any I/O.
"""
