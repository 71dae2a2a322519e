"""A handshake with nobody makes OpenSSL's generators."""

from __future__ import annotations

from testbed.guest.start import make_generators


def test_a_handshake_with_nobody_is_left_where_it_waits() -> None:
    make_generators()
