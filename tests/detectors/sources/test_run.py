from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.detectors.observation import Direction, Ending, Role
from testbed.detectors.sources.observation_json import observation_to_json
from testbed.detectors.sources.observe import observe
from testbed.detectors.sources.run import split_by_subject
from testbed.errors import InputError, InvalidRunError, RecordError
from testbed.report.page import write_report
from tests.detectors.files import run_directory

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random


@pytest.mark.parametrize("record", ["measurements.jsonl", "captures/origin-server.pcap", "plan.json", "truth.jsonl"])
@pytest.mark.parametrize("planted", ["fifo", "link", "device"])
def test_what_was_planted_in_a_run_is_not_read(tmp_path: Path, record: str, planted: str) -> None:
    path = run_directory(tmp_path / "run") / record
    path.rename(tmp_path / "elsewhere")
    if planted == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if planted == "device" else tmp_path / "elsewhere")
    with pytest.raises(InputError, match=path.name):
        observe([tmp_path / "run"])


def test_a_run_gives_what_clients_saw_and_never_the_truth(tmp_path: Path) -> None:
    path = run_directory(tmp_path / "run")
    failed, control, target = observe([path]).transfers
    assert (failed.role, failed.total_bytes, failed.ending, failed.ended_s) == (Role.CONTROL, 0, Ending.TIMEOUT, 5.0)
    assert (target.role, target.direction, target.server_name) == (Role.TARGET, Direction.DOWN, "abs.twimg.com")
    assert target.times_s.tolist() == pytest.approx([0.5, 0.6, 9.0])
    assert target.connect_s == pytest.approx(0.1)
    assert target.handshake_s == pytest.approx(0.2)
    assert target.sender_flow is not None
    assert target.sender_flow.server_name == "abs.twimg.com"
    assert control.goodput_bps == pytest.approx(10_000 * 8 / 0.7)
    (path / "truth.jsonl").write_text('{"box": "b", "flow": 0, "event": "nothing that a detector sees"}\n')
    assert [item.id for item in observe([path]).transfers] == [item.id for item in (failed, control, target)]


def test_each_transfer_of_a_run_is_judged_beside_controls_at_its_server(tmp_path: Path) -> None:
    subjects = dict(split_by_subject(observe([run_directory(tmp_path / "run")])))
    rivals = {
        name: [item.id for item in part.transfers if item.role is Role.CONTROL and item.id != name]
        for name, part in subjects.items()
    }
    assert rivals["mobile/03-abs.twimg.com"] == ["mobile/02-example.com"]
    assert rivals["mobile/02-example.com"] == []
    assert [part.transfers[0].role for part in subjects.values()] == [Role.TARGET] * 3


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no run directory"):
        observe([tmp_path])
    with pytest.raises(InputError, match="observed alone"):
        observe([tmp_path, tmp_path / "x.pcap"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plan.json", "{}"),
        ("plan.json", "[]"),
        ("plan.json", "{"),
        ("measurements.jsonl", '{"t": 1}\n'),
        ("measurements.jsonl", '{"transfer": "mobile/02-example.com", "side": "client", "event": "started"}\n'),
    ],
)
def test_a_run_that_contradicts_its_format_is_refused(tmp_path: Path, name: str, content: str) -> None:
    path = run_directory(tmp_path / "run")
    (path / name).write_text(content)
    with pytest.raises(RecordError, match="run"):
        observe([path])


ODD: list[Any] = [None, 7, -1.5, "x", [], {}, [1, 2], True, 1e308, "\x1b[2J", 10**30]


def damaged(value: Any, random: Random) -> Any:
    """The same JSON with one key gone, or one value of another kind."""
    steps: list[Any] = []
    node = value
    while isinstance(node, dict | list) and node and random.random() < 0.85:
        steps.append(random.choice(list(node)) if isinstance(node, dict) else random.randrange(len(node)))
        node = node[steps[-1]]
    if not steps:
        return random.choice(ODD)
    for step in steps[:-1]:
        value = value[step]
    if isinstance(value, dict) and random.random() < 0.3:
        del value[steps[-1]]
    else:
        value[steps[-1]] = random.choice(ODD)
    return None


@given(
    random=st.randoms(use_true_random=False), name=st.sampled_from(["plan.json", "measurements.jsonl", "manifest.json"])
)
@settings(max_examples=150)
def test_a_run_with_any_damage_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, random: Random, name: str
) -> None:
    path = run_directory(tmp_path_factory.mktemp("runs") / "run")
    text = (path / name).read_text()
    lines = [json.loads(line) for line in (text.splitlines() if name.endswith("l") else [text])]
    place = random.randrange(len(lines))
    replaced = damaged(lines[place], random)
    lines[place] = lines[place] if replaced is None else replaced
    (path / name).write_text("\n".join(map(json.dumps, lines)) + "\n")
    for act in (
        lambda: observation_to_json(observe([path], targets=["twimg.com"], even_if_invalid=True)),
        lambda: observe([path]),
        lambda: write_report(path, path / "report", even_if_invalid=True),
    ):
        with contextlib.suppress(InputError, InvalidRunError):
            act()
