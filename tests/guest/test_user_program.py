"""A program that the agent starts, seen as a process."""

from __future__ import annotations

import os
import signal
import threading

from testbed.guest.user_program import Program


def test_a_signal_waits_until_the_program_runs() -> None:
    errors, report = os.pipe()
    held, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.read(held, 1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(report)
        signal.pause()
    os.close(report)
    os.setpgid(pid, pid)
    program = Program(pid, errors, None)
    sender = threading.Thread(target=program.send, args=(signal.SIGTERM,))
    sender.start()
    os.write(go, b".")
    sender.join()
    assert program.status() == 128 + signal.SIGTERM
