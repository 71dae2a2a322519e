"""What the rows on two conditions measure with; tests/conformance/test_published_rows.py tries the rows themselves."""

from __future__ import annotations

import pytest

from testbed.conformance.layers import ROWS
from tests.middlebox.build import profile

BY_NAME = {row.name: row for row in ROWS}


@pytest.mark.parametrize(("name", "instead"), [
    ("cloudflare-ech.com with ECH", "ru-2022-IV"),
    ("vk.com's server, facebook.com", "ru-quic-2022"),
    ("foreign server, vk.com", "ru-ech-2024"),
])  # fmt: skip
def test_a_box_with_one_layer_alone_is_told_apart(name: str, instead: str) -> None:
    assert not BY_NAME[name].find(lambda _: profile(instead)).matches


def test_what_holds_over_one_protocol_alone_is_not_said_of_both() -> None:
    tcp_alone = profile("ru-ech-2024", trigger__recognisers=("tls",), trigger__names_from=("tls",))
    assert BY_NAME["cloudflare-ech.com with ECH"].find(lambda _: tcp_alone).ours == "dropped over TCP, passes over QUIC"
