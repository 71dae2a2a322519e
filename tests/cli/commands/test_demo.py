from __future__ import annotations

import platform
import socket
from typing import TYPE_CHECKING

import pytest

from testbed.cli import main
from testbed.demo.recorded import site
from testbed.demo.server import DemoServer
from testbed.labs.lot import all_picks
from testbed.labs.recording import write_pack
from tests.demo.runs import hand_made_run
from tests.labs.made import Drawn

if TYPE_CHECKING:
    from pathlib import Path


def test_a_port_that_is_taken_ends_with_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["demo", "--no-browser", "--port", port, "-o", str(tmp_path)]) == 2
    assert "--port 0 find a free port" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", "--port", port])
    assert "expected 0 to 65535" in capsys.readouterr().err


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")


@pytest.mark.usefixtures("elsewhere")
def test_where_no_guest_can_run_it_says_so_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--no-browser", "--port", "0", "-o", str(tmp_path / "runs")]) == 3
    said = capsys.readouterr().err
    assert "no guest runs on Darwin arm64" in said
    assert "testbed demo --from labs.zip" in said
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("source", ["run", "pack"])
def test_where_no_guest_can_run_recorded_runs_are_played(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = hand_made_run(tmp_path / "run")
    words = [str(run)]
    if source == "pack":
        pack = tmp_path / "labs.zip"
        write_pack(pack, [], picks=all_picks, recordings=Drawn(), version="1", demo=site([run], is_guess=True))
        words = ["--from", str(pack)]
    served: list[bytes] = []

    def look(server: DemoServer) -> None:
        served.append(server.recorded["index.html"])
        raise KeyboardInterrupt

    monkeypatch.setattr(DemoServer, "serve_forever", look)
    assert main(["demo", "--no-browser", "--port", "0", "-o", str(tmp_path / "runs"), *words]) == 0
    assert b"run-1.html" in served[0]
    said = capsys.readouterr().err
    assert "recorded runs are played" in said
    assert "/recorded/index.html" in said
    assert "for whoever leads" not in said


def test_a_pack_goes_without_runs_and_has_to_have_some(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = tmp_path / "labs.zip"
    write_pack(pack, [], picks=all_picks, recordings=Drawn(), version="1")
    assert main(["demo", "--from", str(pack)]) == 2
    assert "it has no recorded runs" in capsys.readouterr().err
    assert main(["demo", "--from", str(pack), "run"]) == 2
    assert "leave RUN and --export out" in capsys.readouterr().err
