"""While the guest runs: our kernel as a process.

guest      one guest: started, listened to, watched, ended
spool      the folder that it writes to, and what is taken over from it
confine    what its process may do on the host
follow     what a command prints, as it comes
keyboard   the terminal of the user who sits before a command
stall      what a silent guest does
"""
