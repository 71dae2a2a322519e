"""Links, addresses and routes: what is asked for is what the guest's kernel has."""

from __future__ import annotations

import errno
import socket
import struct
import subprocess
import sys
from typing import Any

import pytest

from testbed.netlink import link
from testbed.netlink.socket import attributes

Answers = dict[str, Any]


@pytest.mark.parametrize(
    ("address", "prefix_length", "family", "flags", "size"),
    [("10.0.0.1", 30, socket.AF_INET, 0, 4), ("2001:db8::1", 64, socket.AF_INET6, link.IFA_F_NODAD, 16)],
)
def test_an_address_is_asked_for_in_its_family(
    address: str, prefix_length: int, family: int, flags: int, size: int
) -> None:
    """And nobody is asked whether he has an IPv6 address already: it could not be used meanwhile."""
    body = link.add_address(7, address, prefix_length).body
    assert struct.unpack_from("=BBBBI", body) == (family, prefix_length, flags, 0, 7)
    assert {len(value) for value in attributes(body[8:]).values()} == {size}


def test_a_default_route_has_no_destination() -> None:
    body = link.add_route("0.0.0.0", 0, "10.0.0.2").body  # noqa: S104 - the default route
    assert set(attributes(body[12:])) == {link.RTA_GATEWAY}


@pytest.mark.parametrize("text", ["nonsense", "10.0.0.256", ""])
def test_what_is_no_address_is_no_request(text: str) -> None:
    with pytest.raises(OSError, match="illegal IP address"):
        link.add_address(1, text, 24)


def test_a_pair_has_its_names_and_mtu_at_both_ends(guest_answers: Answers) -> None:
    assert guest_answers["links"]["made"] == [
        {"name": "near0", "mtu": 1400, "up": False},
        {"name": "far0", "mtu": 1400, "up": False},
    ]


def test_each_end_is_in_its_namespace_and_in_no_other(guest_answers: Answers) -> None:
    assert guest_answers["links"]["first_there"] is False
    assert guest_answers["links"]["kinds"] == ["bridge", "lo", "near0"]


@pytest.mark.parametrize(
    ("what", "shown"),
    [
        ("-brief address show dev near0", "10.0.0.1/30 2001:db8::1/64"),
        ("-brief link show dev near0", "02:00:00:00:00:09"),
        ("-brief link show dev near0", ",UP>"),
        ("route", "default via 10.0.0.2 dev near0"),
        ("route", "192.0.2.0/24 via 10.0.0.2 dev near0"),
        ("neigh", "10.0.0.2 dev near0 lladdr 02:00:00:00:00:07 PERMANENT"),
    ],
)
def test_iproute2_shows_what_was_asked_for(guest_answers: Answers, what: str, shown: str) -> None:
    assert shown in guest_answers["links"]["shown"][what]


def test_a_link_goes_down(guest_answers: Answers) -> None:
    assert guest_answers["links"]["down"]["up"] is False


@pytest.mark.parametrize(
    ("attempt", "code", "message"),
    [
        ("twice", errno.EEXIST, "refused to add the bridge near0: File exists"),
        ("no such link", errno.ENODEV, "refused to change link 9999: No such device"),
        ("no such gateway", errno.ENETUNREACH, "refused to add the route 192.0.2.0/24 via 10.9.9.9: Network is"),
        ("no such kind", errno.EOPNOTSUPP, "refused to add the nonsense x: Operation not supported"),
        ("one of three", errno.EEXIST, "the address 10.0.0.1/30: File exists (ipv4: Address already assigned)"),
        ("netem without parent", errno.ENOENT, "No such file or directory (Failed to find specified qdisc)"),
        ("filter that is not there", errno.EINVAL, "refused to delete filter 7 on link"),
    ],
)
def test_what_the_kernel_refuses_is_told_in_our_words_and_its_own(
    guest_answers: Answers, attempt: str, code: int, message: str
) -> None:
    answer = guest_answers["refusals"]["answers"][attempt]
    assert answer["code"] == code
    assert message in answer["message"]


def test_the_requests_after_a_refused_one_are_carried_out(guest_answers: Answers) -> None:
    assert guest_answers["refusals"]["up_all_the_same"] is True


GROUPS = """
import sys
from pathlib import Path
from testbed.engine.native.boot import NEW_NET, enter_user_namespace
from testbed.netlink import NetlinkSocket, link
enter_user_namespace(NEW_NET)
kernel = NetlinkSocket()
kernel.send([link.add_bridge("quiet"), link.add_link("other", "bridge")])
state = link.links(kernel)
kernel.send([link.set_link(state[name].index, up=True) for name in ("quiet", "other")])
print(Path("/proc/net/igmp").read_text())
"""
ALL_SNOOPERS = "6A0000E0"  # 224.0.0.106, as /proc/net/igmp writes it


def test_a_bridge_joins_no_group_of_bridges() -> None:
    """What it says to join one would be a packet from nowhere, on either side of a box."""
    made = subprocess.run([sys.executable, "-c", GROUPS], capture_output=True, text=True, check=False)
    if made.returncode or ALL_SNOOPERS not in made.stdout:
        pytest.skip(f"no bridge joins one on this machine's kernel: {made.stderr.strip()[-200:]}")
    of_the_quiet_one = made.stdout.partition("quiet")[2].partition("other")[0]
    assert of_the_quiet_one
    assert ALL_SNOOPERS not in of_the_quiet_one
