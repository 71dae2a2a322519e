"""A shell from line to order: what the guest is told, what the user is told, and what is written down."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pytest

from testbed.shell.conduct import COMMANDS, Conduct
from testbed.shell.words import Start
from tests.shell.network import NETWORK

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from testbed.engine.uml.spool import Spool
    from testbed.records.messages import HostMessage, Message


Maker = Callable[..., "Table"]


class Typed:
    """Lines that are all there."""

    def __init__(self, *lines: str) -> None:
        self._lines = deque(lines)

    @property
    def is_over(self) -> bool:
        return not self._lines

    def sources(self) -> list[int]:
        return []

    def read(self, ready: Collection[int]) -> None:
        pass

    def pop(self) -> str | None:
        return self._lines.popleft() if self._lines else None

    def type_ahead(self, data: bytes) -> None:
        self.ahead = data

    def close(self) -> None:
        pass


class Folder:
    """What a shell asks of a guest's folder."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.orders: list[dict[str, Any]] = []

    def put_order(self, number: int, order: Any) -> None:
        assert number == len(self.orders) + 1
        self.orders.append(order)


class Table:
    """A shell on a table: with what it told, showed and passed on."""

    def __init__(self, folder: Path, *lines: str, **options: Any) -> None:
        self.told: list[str] = []
        self.shown: list[str] = []
        self.passed: list[Message] = []
        self.folder = Folder(folder)
        self.conduct = Conduct(
            network=NETWORK, tell=self.told.append, show=self.shown.append, pass_on=self.passed.append,
            **({"reader": Typed(*lines)} | options),
        )  # fmt: skip
        self.run = folder / "run"
        self.run.mkdir()
        self.conduct.move_in(cast("Spool", self.folder), self.run)

    def opened(self) -> Table:
        self.conduct.hear({"kind": "open", "t": 0.0})
        return self

    def orders(self) -> list[HostMessage]:
        return list(self.conduct.orders([]))

    def ends(self, number: int, status: int, problem: str = "", *, unread: bytes = b"", taken: int = 0) -> None:
        self.conduct.hear({
            "kind": "ended", "number": number, "status": status, "problem": problem, "began_s": 1.0, "t": 2.0,
            "unread": unread.hex(), "taken": taken,
        })  # fmt: skip


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Callable[..., Table]]:
    """Return what makes a shell, which is closed at the end and leaves the handler of SIGINT as it was."""
    before, made = signal.getsignal(signal.SIGINT), list[Table]()

    def make(*lines: str, **options: Any) -> Table:
        made.append(Table(tmp_path, *lines, **options))
        return made[-1]

    yield make
    for each in made:
        each.conduct.move_out()
    assert signal.getsignal(signal.SIGINT) == before


def test_nothing_is_ordered_before_the_network_is_up(table: Maker) -> None:
    shell = table("client true")
    assert shell.orders() == []


def test_lines_are_carried_out_one_after_the_other_and_the_last_status_counts(table: Maker) -> None:
    shell = table("client false", "origin true").opened()
    assert shell.orders() == [{"kind": "start", "number": 1, "node": "mobile"}]
    assert shell.orders() == []  # it runs
    shell.ends(1, 1)
    assert shell.conduct.status == 1
    assert shell.orders() == [{"kind": "start", "number": 2, "node": "origin"}]
    shell.ends(2, 0)
    assert shell.orders() == [{"kind": "leave"}]
    assert shell.conduct.status == 0
    assert shell.folder.orders[0]["argv"] == ["/bin/sh", "-c", "false"]


def test_what_was_run_is_written_down(table: Maker) -> None:
    shell = table("client echo \udc80").opened()
    shell.orders()
    shell.ends(1, 3)
    [record] = [json.loads(line) for line in (shell.run / COMMANDS).read_text().splitlines()]
    assert (record["node"], record["status"], record["began_s"], record["ended_s"]) == ("mobile", 3, 1.0, 2.0)


def test_a_line_that_is_refused_does_not_end_the_shell(table: Maker) -> None:
    shell = table("nonsense", "nodes").opened()
    assert shell.orders() == [{"kind": "leave"}]
    assert "no node" in shell.told[0]
    assert "mobile-tspu" in shell.shown[0]


def test_a_refused_line_at_the_end_is_the_status(table: Maker) -> None:
    shell = table("nodes", "nonsense").opened()
    shell.orders()
    assert shell.conduct.status == 127


def test_exit_ends_the_shell_with_its_status_and_nothing_after_it(table: Maker) -> None:
    shell = table("exit 7", "client true").opened()
    assert shell.orders() == [{"kind": "leave"}]
    assert shell.orders() == []
    assert shell.conduct.status == 7


def test_what_runs_beside_is_listed_and_ended(table: Maker) -> None:
    shell = table("origin iperf3 -s &", "jobs", "stop 1", "stop 1", "stop 2", "client true").opened()
    assert shell.orders() == [
        {"kind": "start", "number": 1, "node": "origin"},
        {"kind": "signal", "number": 1, "signal": signal.SIGTERM},
        {"kind": "signal", "number": 1, "signal": signal.SIGKILL},
        {"kind": "start", "number": 2, "node": "mobile"},
    ]
    assert shell.shown == ["[1] origin iperf3 -s &"]
    assert "nothing runs beside under number 2" in shell.told[-1]
    shell.ends(1, 143)
    shell.ends(2, 0)
    shell.orders()
    assert shell.told[-1] == "[1] ended with status 143: origin iperf3 -s &"


def test_what_still_runs_beside_is_named_when_the_shell_ends_it(table: Maker) -> None:
    shell = table("origin sleep 99 &").opened()
    assert [each["kind"] for each in shell.orders()] == ["start", "leave"]
    assert shell.told[-1] == "[1] ends with the shell: origin sleep 99 &"


def test_a_program_that_could_not_be_started_is_told_of(table: Maker) -> None:
    shell = table("client true").opened()
    shell.orders()
    shell.ends(1, 127, "the command '/bin/sh' cannot be run: no such folder")
    assert shell.told == ["shell: the command '/bin/sh' cannot be run: no such folder"]
    assert shell.conduct.status == 127


def test_a_number_that_nobody_gave_changes_nothing(table: Maker) -> None:
    shell = table("client true").opened()
    shell.orders()
    shell.ends(9, 5)
    assert shell.orders() == []


def test_an_interrupt_goes_to_the_program_and_a_second_one_ends_the_run(table: Maker) -> None:
    shell = table("client sleep 99", "client true").opened()
    shell.orders()
    os.kill(os.getpid(), signal.SIGINT)
    assert shell.orders() == [{"kind": "signal", "number": 1, "signal": signal.SIGINT}]
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        shell.orders()


def test_after_an_interrupt_the_next_line_follows(table: Maker) -> None:
    shell = table("client sleep 99", "client true").opened()
    shell.orders()
    os.kill(os.getpid(), signal.SIGINT)
    shell.orders()
    shell.ends(1, 130)
    assert shell.orders() == [{"kind": "start", "number": 2, "node": "mobile"}]


def test_a_node_s_own_shell_is_started_and_its_end_is_the_end(table: Maker) -> None:
    first = Start("origin", ("/bin/sh",), "origin /bin/sh")
    shell = table(reader=None, first=first).opened()
    assert shell.orders() == [{"kind": "start", "number": 1, "node": "origin"}]
    shell.ends(1, 9)
    assert shell.orders() == [{"kind": "leave"}]
    assert shell.conduct.status == 9


def test_the_log_of_the_boxes_is_shown_as_it_grows(table: Maker, tmp_path: Path) -> None:
    shell = table("box log", "box log").opened()
    shell.conduct.reader = Typed("box log")
    (tmp_path / "truth.jsonl").write_text(
        json.dumps({"t": 1.0, "box": "mobile-tspu", "flow": 1, "event": "flow_forgotten", "reason": "idle"}) + "\nx\n"
    )
    shell.orders()
    assert "forgotten: idle" in shell.shown[0]
    assert "1 lines of the log could not be read" in shell.told[0]


def test_a_cable_has_no_log(table: Maker) -> None:
    shell = table("landline-tspu log").opened()
    shell.orders()
    assert "no box stands at landline-tspu" in shell.told[0]
    assert shell.conduct.status == 1


def test_what_programs_print_is_passed_on_and_that_time_passes_is_not(table: Maker) -> None:
    shell = table("client true").opened()
    printed: Message = {"kind": "output", "stream": "stdout", "data": b"x"}
    for message in (printed, cast("Message", {"kind": "alive", "t": 1.0})):
        shell.conduct.hear(message)
    assert shell.passed == [printed]


def test_files_that_stand_on_the_line_may_be_read_by_the_program(table: Maker, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").touch()
    shell = table(f"client cat '{tmp_path}/urls.txt'").opened()
    shell.orders()
    assert f"{tmp_path}/urls.txt" in shell.folder.orders[0]["visible"]


class Keys:
    """A keyboard on which a few keys were pressed."""

    size = (24, 80)
    has_terminal = True

    def __init__(self, *typed: bytes) -> None:
        self._typed = list(typed)

    def sources(self) -> list[int]:
        return []

    def orders(self, _: Collection[int]) -> Iterator[HostMessage]:
        if self._typed:
            yield {"kind": "typed", "data": self._typed.pop(0).hex()}

    @contextlib.contextmanager
    def raw(self) -> Iterator[None]:
        yield


def test_what_a_program_did_not_read_is_the_prompts(table: Maker) -> None:
    reader = Typed("client sleep 1")
    shell = table(reader=reader, keyboard=Keys(b"for it ", b"nodes\r", b"exit\r")).opened()
    for _ in range(4):
        shell.orders()
    shell.ends(1, 0, unread=b"nodes\r", taken=len(b"for it nodes\r"))
    assert reader.ahead == b"nodes\rexit\r"
