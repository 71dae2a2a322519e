from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from testbed.demo.scene import Choice
from testbed.demo.session import Session
from testbed.errors import InputError
from tests.demo.runs import demo_plan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Writes what `testbed run` would, and ends when it is told to.
PROGRAM = """
import json, pathlib, sys
if sys.argv[1] == "detect":
    sys.exit()
run = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
(run / ".guest/output").mkdir(parents=True)
(run / "plan.json").write_text(pathlib.Path(__file__).with_name("the-plan.json").read_text())
output = run / ".guest/output"
(output / "measurements.jsonl").write_text(json.dumps(
    {"t": 1, "transfer": "phone/01-twitter.com", "event": "bytes", "times": [1], "totals": [5]}) + "\\n")
(output / "truth.jsonl").write_text(json.dumps(
    {"t": 1, "box": "phone-tspu", "flow": 1, "event": "hello_seen", "sni": "x"}) + "\\n")
state = "complete" if "censors.tspu=ru-tw-2021" in sys.argv else "incomplete"
(run / "manifest.json").write_text(json.dumps(
    {"format": 1, "state": state, "title": "t", "transfers": [], "valid": True, "problems": []}))
print("testbed: a word about <script> on the way", file=sys.stderr)
"""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "the-plan.json").write_text(json.dumps(demo_plan()))
    session = Session(tmp_path / "runs", [sys.executable, str(tmp_path / "program.py")])
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
