"""The guest's first Python program: it makes OpenSSL's random generators, then hands over to the agent.

OpenSSL takes the addresses of its generators as nonces, so what a program has done with its memory before that is in
every key that it makes later. Here nothing has been done yet but starting Python itself: the keys of a run, and with
them the bytes of its captures, depend on no line of the testbed's own code. This file, and all that it
imports, is in an archive of its own (`testbed.engine.prepare.guest_archive`). A process that is forked later mixes
fresh entropy in.
"""

from __future__ import annotations

import ssl
import sys

__all__ = ["main"]

_PLACES = ("/run/testbed/code/guest.zip", "/run/testbed/code", "/run/testbed/site")  # as guest/boot.fstab


def make_generators() -> None:
    """Begin a handshake that leads nowhere: a hello takes bytes of the public generator and of the private one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    session = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="nobody.invalid")
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        return
    raise AssertionError("a handshake with nobody was completed")


def main() -> None:
    """Make the generators; then let modules be found in the archive, and run the agent."""
    make_generators()
    sys.path[0:1] = [*_PLACES]
    from testbed.guest.load import main as agent  # noqa: PLC0415 - nothing of the testbed's may be loaded before

    agent()


if __name__ == "__main__":
    main()
