"""`detect`, `observe`, `inspect` and `report` from the command line: what they tell, and how they end."""

from __future__ import annotations

import gzip
import io
import json
import struct
from typing import TYPE_CHECKING

import pytest

from testbed.cli import main, progress
from tests.capture.frames import START_US, SYN, Stamped, client_hello, ethernet, pcap, tcp
from tests.detectors.files import run_directory, write_manifest

if TYPE_CHECKING:
    from pathlib import Path

ARP = bytes(12) + b"\x08\x06" + bytes(28)


def capture(path: Path, name: str = "twitter.com") -> Path:
    hello = client_hello(name)
    frames = [tcp(seq=1, flags=SYN), tcp(seq=2, payload=hello), tcp(seq=2 + len(hello), payload=bytes(900))]
    stamped = [Stamped(START_US + i * 1000, ethernet(frame)) for i, frame in enumerate(frames)]
    path.write_bytes(pcap([*stamped, Stamped(START_US + 9000, ARP)]))
    return path


@pytest.mark.parametrize("command", [["detect"], ["observe"], ["inspect", "--profile", "ru-tw-2021a"]])
def test_what_was_left_out_is_told_on_stderr(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: list[str]
) -> None:
    assert main([*command, str(capture(tmp_path / "a.pcap"))]) == 0
    assert "1 records left out: not IP" in capsys.readouterr().err


def test_what_was_left_out_is_told_in_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = str(capture(tmp_path / "a.pcap"))
    assert main(["detect", path, "--json"]) == 0
    assert all("1 records left out: not IP" in str(row["notes"]) for row in json.loads(capsys.readouterr().out))
    assert main(["inspect", path, "--profile", "ru-tw-2021a", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (summary["event"], summary["packets"]) == ("summary", 3)
    assert summary["notes"] == ["1 records left out: not IP"]


@pytest.mark.parametrize("command", ["detect", "observe"])
@pytest.mark.parametrize("option", ["--target", "--control"])
def test_a_mark_that_matches_nothing_is_an_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str, option: str
) -> None:
    path = str(capture(tmp_path / "a.pcap"))
    assert main([command, path, option, "Twitter.COM."]) == 0
    assert main([command, path, option, "tvitter.com"]) == 2
    assert f"{option} tvitter.com matches no transfer; there are: twitter.com" in capsys.readouterr().err


def test_a_name_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = str(capture(tmp_path / "a.pcap", "\x1b[2Jevil.com"))
    assert main(["detect", path, "--target", "x"]) == 2
    assert r"\x1b[2jevil.com" in capsys.readouterr().err
    assert main(["inspect", path, "--profile", "ru-tw-2021a"]) == 0
    output = capsys.readouterr()
    assert "\x1b" not in output.out + output.err


@pytest.mark.parametrize("command", ["detect", "observe", "report"])
def test_a_run_that_must_not_be_scored_has_status_4(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    path = run_directory(tmp_path / "run")
    good = json.loads((path / "manifest.json").read_text())
    write_manifest(path, transfers=good["transfers"], valid=False, problems=["it was starved"])
    assert main([command, str(path)]) == 4
    assert "it was starved" in capsys.readouterr().err
    if command != "report":
        assert main([command, str(path), "--even-if-invalid"]) == 0
        assert "do not score this run: it was starved" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["detect"], "stopped before there were verdicts; none was kept"),
        (["observe"], "stopped before all was read"),
        (["inspect", "--profile", "ru-tw-2021a"], "stopped; the capture has not been read to its end"),
    ],
)
def test_stopping_is_called_what_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str], said: str
) -> None:
    class Stopping(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            del size
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Stopping()))
    assert main([*command, "-"]) > 128
    assert said in capsys.readouterr().err


def test_long_reading_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    assert main(["detect", str(capture(tmp_path / "a.pcap"))]) == 0
    assert "a.pcap: 0 MB" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["detect"], ["inspect", "--profile", "ru-tw-2021a"]])
def test_a_capture_that_holds_nothing_of_use_is_not_waited_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: list[str]
) -> None:
    path = tmp_path / "noise.pcap.gz"
    path.write_bytes(gzip.compress(pcap([]) + (struct.pack("<IIII", 1, 0, 1, 1) + b"x") * 1_100_000, compresslevel=1))
    assert main([*command, str(path)]) == 2
    assert "none of the first" in capsys.readouterr().err


def test_a_program_that_fails_is_a_row_and_status_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["detect", str(capture(tmp_path / "a.pcap")), "--json", "--detector", "exec:false", "--detector", "pd"]
    assert main(arguments) == 1
    output = capsys.readouterr()
    assert [(row["detector"], row["failed"]) for row in json.loads(output.out)] == [("exec:false", True), ("pd", False)]
    assert "exec:false: ended with status 1" in output.err
