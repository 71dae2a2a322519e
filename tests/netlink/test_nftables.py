"""Rules go into the kernel all or none, and mean what nft says of them."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from typing import Any

import pytest

from testbed.netlink import nftables as nft
from testbed.netlink.socket import attributes

Answers = dict[str, Any]

_HEXADECIMAL = re.compile(r"\b0x[0-9a-f]+\b")

_HEAD = ["table bridge box {", "chain inspect {", "type filter hook forward priority 0; policy accept;"]
_DECIDED = "meta mark 1 accept"


def listed(answers: Answers, when: str) -> list[str]:
    """What nft lists; where there is no nft, nobody can say.

    Numbers are made decimal: nft 1.1 writes a mask in hexadecimal digits, earlier ones did not.
    """
    if when not in answers["rules"]:
        pytest.skip("no nft here to read the rules back; run: sudo apt-get install nftables")
    return [_HEXADECIMAL.sub(lambda number: str(int(number[0], 16)), line) for line in answers["rules"][when]]


def test_rules_are_what_nft_reads_them_as(guest_answers: Answers) -> None:
    queued = "meta mark set 2 queue to 0"
    assert listed(guest_answers, "first") == [
        *_HEAD,
        _DECIDED,
        f'iifname "in0" ip frag-off & 16383 != 0 {queued}',
        f'iifname "in0" exthdr frag exists {queued}',
        f'iifname "in0" ip protocol tcp {queued}',
        f'iifname "in0" meta protocol ip6 meta l4proto tcp {queued}',
        f'iifname "in0" ip protocol udp {queued}',
        f'iifname "in0" meta protocol ip6 meta l4proto udp {queued}',
    ]


def test_rules_that_replace_others_leave_none_of_them(guest_answers: Answers) -> None:
    assert listed(guest_answers, "replaced") == [
        *_HEAD,
        _DECIDED,
        'iifname "in0" meta protocol ip meta mark set 2 queue to 0',
        'iifname "in0" meta protocol ip6 meta mark set 2 queue to 0',
        'iifname "out0" meta protocol ip meta mark set 3 queue to 0',
        'iifname "out0" meta protocol ip6 meta mark set 3 queue to 0',
    ]


def test_where_one_is_refused_none_is_there(guest_answers: Answers) -> None:
    refusal = guest_answers["rules"]["unknown step"]
    assert "kind" not in refusal
    assert "refused to add a rule to inspect: No such file or directory" in refusal["message"]
    assert listed(guest_answers, "after the refusal") == []


def test_what_replaces_rules_needs_a_chain(guest_answers: Answers) -> None:
    assert "refused to empty the chain inspect" in guest_answers["rules"]["unknown chain"]["message"]


@pytest.mark.parametrize("name", ["a", "in0", "fifteen-letters"])
def test_the_name_of_an_interface_is_compared_to_its_end(name: str) -> None:
    """Without the zeros behind it, ``in1`` would match ``in10`` as well."""
    _, compare = nft.meta("iifname", name.encode())
    value = attributes(attributes(attributes(compare)[2])[3])[1]
    assert value == name.encode().ljust(16, b"\0")


@pytest.mark.parametrize("number", [0, 200, 65_535])
def test_a_queue_is_named_by_its_number(number: int) -> None:
    (step,) = nft.queue(number)
    assert attributes(attributes(step)[2])[1] == struct.pack(">H", number)


def test_who_may_load_no_rules_is_told_so_and_does_not_wait() -> None:
    """The kernel refuses the whole batch then, with one answer where there is one for each request otherwise."""
    asked = (
        "import os, signal; from testbed.netlink import nftables as nft; signal.alarm(60);"
        "os.geteuid() or os.setuid(65534); nft.load_rules(nft.Chain(table='box', name='inspect'), [nft.accept()])"
    )
    refused = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "refused to begin a batch of rules: Operation not permitted" in refused.stderr
