"""What a program finds on its node: names of sites, of its own node, and in a shell of every other."""

from __future__ import annotations

import subprocess
from functools import cache
from typing import TYPE_CHECKING, cast

import pytest

from testbed.guest.stage import Stage
from testbed.guest.surroundings import Surroundings
from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from mininet.net import Mininet

    from testbed.guest.network.node import NamespaceNode
    from testbed.records.plan import GuestPlan
    from testbed.scenario.plan import Plan


class Named:
    """As much of a node as is asked for."""

    def __init__(self, name: str) -> None:
        self.name = name


@cache
def plan(ip: int) -> Plan:
    path = library.find("scenarios", "2021-03-10")
    made = make_plan(path, [f"ip={ip}", "recordings=[]"], seed=None, engine="realtime", command=["true"])
    return made.as_shell({"client": "mobile", "box": "mobile-tspu"})


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test",
         "-keyout", str(tmp_path / "key"), "-out", str(path)], check=True, capture_output=True,
    )  # fmt: skip
    return path


def etc(tmp_path: Path, authority: Path, node: str, *, ip: int = 4, has_nodes: bool) -> Path:
    (tmp_path / "etc").mkdir()
    for name in ("passwd", "group", "nsswitch.conf"):
        (tmp_path / "etc" / name).write_text(name)
    made = plan(ip)
    stage = Stage(cast("GuestPlan", made.data), cast("Mininet", None), made.topology, tmp_path, tmp_path)
    surroundings = Surroundings(stage, authority, has_nodes=has_nodes)
    return surroundings.etc(cast("NamespaceNode", Named(node)), tmp_path / "found" / node)


def hosts(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (folder / "hosts").read_text().splitlines():
        address, name = line.split("\t")
        found.setdefault(name, []).append(address)
    return found


def test_a_command_knows_its_own_node_and_the_sites(tmp_path: Path, authority: Path) -> None:
    found = hosts(etc(tmp_path, authority, "mobile", has_nodes=False))
    assert found["mobile"] == ["100.64.0.1"]
    assert found["twitter.com"] == ["198.51.100.6"]
    assert "origin" not in found


def test_in_a_shell_every_node_with_an_address_is_known(tmp_path: Path, authority: Path) -> None:
    found = hosts(etc(tmp_path, authority, "mobile", has_nodes=True))
    assert found["origin"] == ["198.51.100.6"]
    assert found["mobile-r1"] == ["100.64.0.2"]
    assert "mobile-tspu" not in found  # a bridge has no address


def test_in_a_shell_short_names_resolve_too(tmp_path: Path, authority: Path) -> None:
    found = hosts(etc(tmp_path, authority, "origin", ip=6, has_nodes=True))
    assert found["client"] == found["mobile"]
    assert "box" not in found


def test_a_box_may_run_programs_though_it_has_no_address(tmp_path: Path, authority: Path) -> None:
    assert "origin" in hosts(etc(tmp_path, authority, "mobile-tspu", has_nodes=True))


def test_with_ipv6_clients_and_servers_have_two_addresses(tmp_path: Path, authority: Path) -> None:
    found = hosts(etc(tmp_path, authority, "mobile", ip=6, has_nodes=True))
    assert len(found["origin"]) == len(found["mobile"]) == 2
    assert len(found["mobile-r1"]) == 1


def test_the_authority_is_found_by_its_hash_too(tmp_path: Path, authority: Path) -> None:
    folder = etc(tmp_path, authority, "mobile", has_nodes=False) / "certificates"
    [hashed] = folder.glob("*.0")
    assert hashed.read_bytes() == authority.read_bytes() == (folder / "ca-certificates.crt").read_bytes()
