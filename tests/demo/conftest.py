"""Demonstrations that can be asked; the fixture can start no run."""

from __future__ import annotations

import contextlib
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
    with serving(Session(tmp_path / "runs", [str(tmp_path / "no-program")])) as server:
        yield server


@contextlib.contextmanager
def serving(session: Session) -> Iterator[DemoServer]:
    """The page of a demonstration, until the end of the block."""
    with DemoServer(session, address="127.0.0.1", port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        session.close()
        server.shutdown()
        thread.join()
