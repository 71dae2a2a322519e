from __future__ import annotations

import gc
import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from testbed.demo.scene import Choice
from testbed.demo.session import Session
from testbed.errors import InputError
from tests.demo.runs import PROGRAM, long_told, telling_session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    session = telling_session(tmp_path)
    yield session
    session.close()


def until(messages: Iterator[str], phase: str) -> list[Any]:
    """All that a browser is told up to a state in a phase."""
    told: list[Any] = []
    for text in messages:
        told.append(json.loads(text))
        if told[-1].get("phase") == phase:
            return told
    raise AssertionError(f"never {phase}")


def kinds(told: list[Any]) -> list[str]:
    return [each["kind"] for each in told if each["kind"] != "state"]


def boxes(told: list[Any]) -> list[str]:
    return [record[2] for each in told if each["kind"] == "records" for record in each["r"] if record[0] == "e"]


def test_a_run_is_told_from_its_network_to_its_outcome(session: Session) -> None:
    messages = session.messages()
    assert json.loads(next(messages)) == {"kind": "reset"}
    session.start(Choice())
    told = until(messages, "over")
    assert kinds(told) == ["reset", "head", "head", "records", "records", "outcome"]
    assert boxes(told) == ["phone-tspu"]
    assert "--set 'date=2021-03-11T14:00Z'" in told[-1]["command"]


def test_lines_that_cannot_be_read_are_told_with_the_outcome(session: Session, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.replace('"sni": "x"}) + ', '"sni": "x"}) + "\\n{not json" + '))
    session.start(Choice())
    told = until(session.messages(), "over")
    says = next(each["says"] for each in told if each["kind"] == "outcome")
    assert says[-1] == "1 lines of its records could not be read, and are not drawn."


def test_runs_of_an_earlier_demonstration_are_kept(session: Session, tmp_path: Path) -> None:
    (tmp_path / "runs/run-1").mkdir(parents=True)
    session.start(Choice())
    until(session.messages(), "over")
    assert not any((tmp_path / "runs/run-1").iterdir())
    assert (tmp_path / "runs/run-2/manifest.json").exists()


def test_a_second_run_begins_with_an_empty_page(session: Session) -> None:
    messages = session.messages()
    session.start(Choice())
    until(messages, "over")
    session.start(Choice())
    assert kinds(until(messages, "over")) == ["reset", "head", "head", "records", "records", "outcome"]


def test_start_is_heard_as_soon_as_a_run_has_told_its_end(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that told the end may not be gone by then."""
    conclude, released = Session._conclude, threading.Event()

    def linger(own: Session, folder: Path, last: str) -> None:
        conclude(own, folder, last)
        thread = threading.current_thread()
        join = thread.join

        def awaited() -> None:
            released.set()
            join()

        monkeypatch.setattr(thread, "join", awaited)
        lingers.set()
        released.wait(60)

    lingers = threading.Event()
    monkeypatch.setattr(Session, "_conclude", linger)
    messages = session.messages()
    session.start(Choice())
    until(messages, "over")
    assert lingers.wait(60)
    session.start(Choice())
    assert released.is_set()
    until(messages, "over")


def test_runs_leave_nothing_behind_in_memory(tmp_path: Path) -> None:
    """A class watches for hours: records, files and threads of a run that is over are given back."""
    count, threads = 2000, threading.active_count()
    session = telling_session(tmp_path, long_told(count))
    messages = session.messages()
    held = []
    for _ in range(6):
        session.start(Choice())
        assert sum(len(each["r"]) for each in until(messages, "over") if each["kind"] == "records") == count + 1
        gc.collect()
        held.append((sys.getallocatedblocks(), len(os.listdir("/proc/self/fd"))))  # noqa: PTH208
    session.close()
    # What is made once is made by the third run. A single run that stayed would be several blocks for each record.
    assert held[-1][0] - held[2][0] < count
    assert held[-1][1] == held[2][1]
    assert threading.active_count() <= threads  # a thread of another test may have ended meanwhile


def test_a_browser_that_comes_late_is_told_the_same(session: Session) -> None:
    early = session.messages()
    session.start(Choice())
    first = kinds(until(early, "over"))
    assert kinds(until(session.messages(), "over")) == first[-6:]


def test_a_hidden_box_is_told_of_only_when_it_is_revealed(session: Session) -> None:
    session.start(Choice(is_guess=True))
    messages = session.messages()
    told = until(messages, "over")
    assert kinds(told) == ["reset", "head", "records"]
    assert "data-box" not in json.dumps(told)
    assert "phone-tspu" not in json.dumps(told)
    assert "command" not in told[-1]
    session.reveal()
    told = until(messages, "over")
    assert kinds(told) == ["reset", "head", "head", "records", "records", "outcome"]


def test_what_went_wrong_is_said(session: Session) -> None:
    session.start(Choice(stop=0))
    told = until(session.messages(), "failed")
    assert told[-1]["says"] == "testbed: a word about <script> on the way"


def test_where_no_guest_can_run_recorded_runs_are_named(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import sys; print('testbed: no kernel', file=sys.stderr); sys.exit(3)")
    session = Session(tmp_path / "runs", [sys.executable, str(tmp_path / "program.py")])
    session.start(Choice())
    says = until(session.messages(), "failed")[-1]["says"]
    assert says.startswith("testbed: no kernel. Recorded runs need none of it")
    session.close()


def test_a_program_that_is_not_there_is_a_message(tmp_path: Path) -> None:
    session = Session(tmp_path, [str(tmp_path / "nothing")])
    session.start(Choice())
    assert "No such file" in until(session.messages(), "failed")[-1]["says"]
    session.close()


def test_each_browser_has_one_vote_and_may_change_its_mind(session: Session) -> None:
    for voter, vote in (("a", "throttled"), ("b", "blocked"), ("a", "blocked")):
        session.vote(voter, vote)
    votes = next(each for each in map(json.loads, session.messages()) if each["kind"] == "state")["votes"]
    assert [each for each in votes if each[1]] == [["blocked", 2]]
    with pytest.raises(InputError, match="vote: expected one of"):
        session.vote("a", "<script>")
