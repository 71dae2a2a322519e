from __future__ import annotations

import pytest

from testbed.traffic.conversation import SMALL_WINDOW
from testbed.traffic.evasion.small_window import SmallWindow
from tests.traffic.evasion.talk import played


@pytest.mark.parametrize("size", [577, 1200, 1400])
def test_a_small_window_is_the_servers_doing(size: int) -> None:
    """The client sends the hello at once, and it would fit into one packet: who cuts it is the far end's window."""
    passage = SmallWindow(size=size).passage("twitter.com")
    [hello] = played(passage).sent()
    assert len(hello) == size
    assert passage.port == SMALL_WINDOW
