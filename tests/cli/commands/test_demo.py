from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from testbed.cli import main

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
