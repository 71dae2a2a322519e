"""Programs of a shell in the guest: started by number, told of when they end, and all over when no more will come."""

from __future__ import annotations

import json
import os
import select
import signal
from typing import TYPE_CHECKING, Any, cast

import pytest

from testbed.guest import shell as module
from testbed.guest.shell import Shell
from testbed.guest.surroundings import Surroundings
from testbed.guest.user_program import Program
from testbed.guest.watch import Watch

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.guest.console import Console
    from testbed.guest.stage import Stage


class Fake:
    """Anything, with the attributes that it is given."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Guest:
    """A shell with programs that are ordinary children of this process."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[dict[str, Any]] = []
        nodes = {"mobile": Fake(name="mobile")}
        stage = Fake(network=nodes, output=tmp_path, work=tmp_path, now_s=lambda: 1.5, is_contained=False)
        (tmp_path / "orders").mkdir()
        self._orders = tmp_path / "orders"
        self._end, _ = os.pipe()
        monkeypatch.setattr(module, "share_scratch", lambda **_: None)
        monkeypatch.setattr(module, "start_program", self._start_program)
        monkeypatch.setattr(Surroundings, "resolver", lambda *_: Fake(fileno=lambda: self._end))
        monkeypatch.setattr(Surroundings, "etc", lambda *_: tmp_path)
        self.shell = Shell(cast("Stage", stage), tmp_path / "ca.pem", cast("Console", Fake(send=self.said.append)))
        self.watch = Watch()
        self.end = self.shell.open(self.watch)

    def _start_program(self, order: Any, *_: Any, is_signalled: bool, is_contained: bool) -> Program:
        assert is_signalled
        assert not is_contained
        errors, report = os.pipe()
        pid = os.fork()
        if pid == 0:
            # Whoever has called the command line before has handlers of its own, which a program would not have.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.setpgid(0, 0)
            os.write(report, order.get("problem", "").encode())
            os.close(report)
            if order.get("waits"):
                signal.pause()
            os._exit(order["status"])
        os.close(report)
        os.setpgid(pid, pid)
        return Program(pid, errors, None)

    def start(self, number: int, **order: Any) -> None:
        (self._orders / f"{number}.json").write_text(json.dumps(order))
        self.shell.obey({"kind": "start", "number": number, "node": "mobile"})

    def await_end(self) -> dict[str, Any]:
        before = len(self.said)
        while len(self.said) == before:
            self.watch.wait(60_000)
        return self.said[-1]


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guest:
    return Guest(tmp_path, monkeypatch)


def is_over(guest: Guest) -> bool:
    return bool(select.select([guest.end], [], [], 0)[0])


def test_the_host_is_told_that_programs_may_be_started(guest: Guest) -> None:
    assert guest.said == [{"kind": "open", "t": 1.5}]
    assert not is_over(guest)


def test_the_end_of_a_program_is_told_with_its_status(guest: Guest) -> None:
    guest.start(1, status=7)
    ended = guest.await_end()
    assert (ended["kind"], ended["number"], ended["status"], ended["problem"]) == ("ended", 1, 7, "")
    assert guest.shell.status == 7


def test_a_program_that_cannot_be_started_is_told_with_the_reason(guest: Guest) -> None:
    guest.start(1, status=127, problem="no such folder")
    ended = guest.await_end()
    assert (ended["status"], ended["problem"]) == (127, "no such folder")


def test_a_signal_ends_the_program_that_is_named(guest: Guest) -> None:
    guest.start(1, status=0, waits=True)
    guest.start(2, status=0, waits=True)
    guest.shell.obey({"kind": "signal", "number": 2, "signal": signal.SIGTERM})
    ended = guest.await_end()
    assert (ended["number"], ended["status"]) == (2, 128 + signal.SIGTERM)
    guest.shell.obey({"kind": "signal", "number": 2, "signal": signal.SIGTERM})  # it has ended: nobody is hit
    guest.shell.obey({"kind": "leave"})


def test_nothing_is_left_when_no_more_will_come_though_forked_processes_hold_every_pipe(guest: Guest) -> None:
    guest.start(1, status=0, waits=True)
    pid = os.fork()
    if pid == 0:
        signal.pause()
    guest.shell.obey({"kind": "leave"})
    assert is_over(guest)
    assert guest.said[-1]["status"] == 128 + signal.SIGKILL
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_keys_and_sizes_go_nowhere_while_no_program_has_a_terminal(guest: Guest) -> None:
    guest.shell.obey({"kind": "typed", "data": b"x".hex()})
    guest.shell.obey({"kind": "resized", "rows": 30, "columns": 90})
    assert len(guest.said) == 1
