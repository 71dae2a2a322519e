"""The host's side of a guest in namespaces: it starts `boot`, and speaks to the agent by the two ends of a terminal.

Not for: what is inside (boot.py), or what a guest says (`testbed.engine.uml.guest`, which this is one of).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tty
from typing import TYPE_CHECKING

from testbed.engine.uml.confine import die_with_parent, give_up_privileges, guest_identity, raise_limits
from testbed.engine.uml.guest import ENDING_SIGNALS, Guest, starting

if TYPE_CHECKING:
    from testbed.engine.engine import GuestSetup
    from testbed.engine.uml.spool import Spool

__all__ = ["NativeGuest", "boot_command", "boot_environment"]

_AGENT = "testbed.guest.contained"


class NativeGuest(Guest):
    """A running guest on the machine's own kernel; a context manager that leaves nothing behind."""

    def _boot(self, setup: GuestSetup, settle_s: float | None) -> subprocess.Popen[bytes]:
        """Start `boot`, as nobody where root asks for it: what is root inside has no more rights than that outside."""
        del settle_s
        spool = setup.spool
        ours, theirs = os.openpty()
        tty.setraw(theirs)  # before anything is written: an echo would come back as the guest's own words
        os.fchown(theirs, *guest_identity())
        self._from_guest, self._to_guest = ours, os.dup(ours)
        _copy_code(spool)
        spool.hand_over()

        def confine() -> None:
            raise_limits()
            give_up_privileges()
            die_with_parent()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)

        with setup.log.open("wb") as printed, starting(sys.executable):
            process = subprocess.Popen(
                boot_command(theirs, _AGENT),
                cwd=spool.folder,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                env=boot_environment(),
                pass_fds=(theirs,),
                start_new_session=True,
                preexec_fn=confine,  # noqa: PLW1509 - the program that runs this has one thread
            )
        os.close(theirs)
        return process


def boot_command(terminal: int, module: str) -> list[str]:
    """Return what makes a guest, with this module as its first program; it inherits the descriptor of the terminal."""
    return [sys.executable, "-s", "-B", "-m", "testbed.engine.native.boot", str(terminal), module]


def boot_environment() -> dict[str, str]:
    """Return the environment of `boot_command`."""
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _copy_code(spool: Spool) -> None:
    """Put the guest's code in the place of the link to it: it may lead to where only our user may go."""
    link = spool.output / "code"
    place = link.resolve()
    link.unlink()
    shutil.copytree(place, link)
