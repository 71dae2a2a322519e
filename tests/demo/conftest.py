"""A demonstration that can be asked, and that can start no run."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from testbed.demo.server import DemoServer
from testbed.demo.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[DemoServer]:
    session = Session(tmp_path / "runs", [str(tmp_path / "no-program")])
    with DemoServer(session, address="127.0.0.1", port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        session.close()
        server.shutdown()
        thread.join()
