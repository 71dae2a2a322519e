"""A line does its transfers in order; one that fails is a result and the next goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from multiprocessing import Barrier
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from testbed.guest import line_client
from testbed.guest.line_client import LineClient
from testbed.records.jsonl import read_lines
from testbed.traffic.connection import TransferError
from testbed.traffic.evasion import EVASIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.records.plan import TransferPlan
    from testbed.traffic.request import Request


@pytest.fixture
def progress() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def transfer(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": name, "kind": "fetch", "sni": "twitter.com", "path": "/1.bin", "at_s": 0.0, "timeout_s": 5.0,
        "recording": "a.json", "direction": "download", "inverted": False,
    } | changes  # fmt: skip


def line(folder: Path, progress: int) -> LineClient:
    return LineClient(
        address={4: "100.64.0.1", 6: "2001:db8::1"}, start_ns=0, output=folder, ca=Path("ca.pem"),
        names={4: {"twitter.com": "198.51.100.6"}, 6: {"twitter.com": "2001:db8::6"}},
        replay_server=({}, folder / "control"), progress=progress,
    )  # fmt: skip


def run(folder: Path, progress: tuple[int, int], transfers: list[dict[str, Any]]) -> dict[str, str | None]:
    """Errors by transfer, in the order in which they finished."""
    assert line(folder, progress[1]).run(cast("list[TransferPlan]", transfers)) == 0
    finished = [each for each in read_lines(folder / "measurements.jsonl") if each["event"] == "finished"]
    assert all(each["ok"] is (each["error"] is None) for each in finished)
    return {each["transfer"]: each["error"] for each in finished}


def test_a_transfer_that_fails_does_not_stop_the_next(
    tmp_path: Path, progress: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(request: Request, *_: object, **__: object) -> None:
        if request.timeout_s < 5:
            raise TransferError("timed out while connecting")

    monkeypatch.setattr(line_client, "fetch", fetch)
    assert run(tmp_path, progress, [transfer("first", timeout_s=1.0), transfer("second")]) == {
        "first": "timed out while connecting",
        "second": None,
    }


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"sni": "nosuch.com"}, "nosuch.com has no address in this scenario"),
        ({"kind": "replay"}, "the recording a.json was not made"),
    ],
)
def test_what_cannot_be_done_is_told_as_the_transfers_error(
    tmp_path: Path, progress: tuple[int, int], changes: dict[str, Any], error: str
) -> None:
    assert run(tmp_path, progress, [transfer("only", **changes)]) == {"only": error}


def test_progress_is_a_line_before_and_after_each_transfer(
    tmp_path: Path, progress: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_client, "fetch", lambda *_, **__: None)
    run(tmp_path, progress, [transfer("first"), transfer("second")])
    reports = [json.loads(text) for text in os.read(progress[0], 65_536).splitlines()]
    assert [(each["state"], each["transfer"]) for each in reports] == [
        ("begins", "first"), ("ends", "first"), ("begins", "second"), ("ends", "second"),
    ]  # fmt: skip


def test_a_transfer_waits_for_its_instant_and_not_after_it(
    tmp_path: Path, progress: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = 0
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now_ns
        waits.append(seconds)
        now_ns += round(seconds * 1e9)

    monkeypatch.setattr(time, "time_ns", lambda: now_ns)
    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(line_client, "fetch", lambda *_, **__: None)
    run(tmp_path, progress, [transfer("a", at_s=290.0), transfer("b", at_s=100.0), transfer("c", at_s=290.5)])
    assert waits == [290.0, 0.5]


def test_those_of_a_group_go_side_by_side_and_the_next_waits_for_all(
    tmp_path: Path, progress: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = Barrier(2)
    monkeypatch.setattr(line_client, "fetch", lambda request, *_, **__: request.timeout_s < 5 and meeting.wait(20))
    both = [transfer(name, timeout_s=1.0, group="g") for name in ("first", "second")]
    run(tmp_path, progress, [*both, transfer("third")])
    reports = [json.loads(text) for text in os.read(progress[0], 65_536).splitlines()]
    states = [(each["state"], each["transfer"]) for each in reports]
    assert {*states[:2]} == {("begins", "first"), ("begins", "second")}  # neither could end before both had begun
    assert {*states[2:4]} == {("ends", "first"), ("ends", "second")}
    assert states[4:] == [("begins", "third"), ("ends", "third")]


@pytest.mark.parametrize(("asked", "expected"), [({}, "198.51.100.6"), ({"ip": 6}, "2001:db8::6")])
def test_a_name_resolves_to_the_address_of_the_ip_that_the_transfer_goes_over(
    tmp_path: Path, progress: tuple[int, int], monkeypatch: pytest.MonkeyPatch, asked: dict[str, int], expected: str
) -> None:
    reached: list[object] = []
    monkeypatch.setattr(line_client, "fetch", lambda request, *_, **__: reached.append(request.address))
    run(tmp_path, progress, [transfer("a", **asked)])
    assert reached == [(expected, 443)]


def test_what_transfers_will_need_is_loaded_before_they_begin() -> None:
    program = """if True:
        import sys
        from testbed.guest.line_client import load_ahead
        wanted = {"testbed.traffic." + name for name in ("evasion.quic", "probes.ttl", "fetch_http2", "fetch_http3")}
        print(wanted & set(sys.modules))
        load_ahead([{"kind": "evade", "evasion": "quic"}, {"kind": "probe", "probe": "ttl"}, {"kind": "fetch"}])
        load_ahead([{"kind": "fetch", "protocol": "http/3"}, {"kind": "upload", "protocol": "http/2"}])
        print(wanted - set(sys.modules))
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["set()", "set()"]


def test_no_evasion_loads_anything_while_transfers_go_on() -> None:
    program = """if True:
        import sys
        from testbed.guest.line_client import load_ahead
        from testbed.traffic.evasion import EVASIONS
        from testbed.traffic.options import with_options
        load_ahead([{"kind": "evade", "evasion": name} for name in EVASIONS])
        before = set(sys.modules)
        for name in EVASIONS:
            with_options(EVASIONS[name], {}).passage("twitter.com")
        print(len(EVASIONS), set(sys.modules) - before)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == f"{len(EVASIONS)} set()\n"
