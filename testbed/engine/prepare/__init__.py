"""Before the guest: what the machine must have, and what the guest is given.

environment    what the machine must grant
programs       the programs that a plan needs; substitutes stand in for some, distribution says how to install them
guest_memory   the memory, openssl the TLS library that a plan needs
guest_code     the guest's Python code as archives, made by guest_archive; origin_key is kept beside them
command        a user's program: what the guest is told of it
"""
