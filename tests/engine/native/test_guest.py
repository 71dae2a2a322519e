"""The line between host and guest is a terminal: what is said comes as it was said, and its end is heard."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from testbed.engine.uml.guest import Guest

if TYPE_CHECKING:
    from testbed.engine.native.guest import NativeGuest


def test_nobody_at_the_other_end_is_an_end_and_no_error() -> None:
    ours, theirs = os.openpty()
    guest = cast("NativeGuest", Guest.__new__(Guest))
    guest._from_guest = ours
    os.write(theirs, b"word\n")
    assert b"word" in guest._heard()
    os.close(theirs)
    assert guest._heard() == b""
    os.close(ours)
