"""A registry that loads its classes when they are asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from testbed.traffic.listed import Listed

LOADED = """\
import sys
import testbed.guest.agent
print(*sys.modules)
"""
CLASSES = [("testbed.traffic.evasion", "quic"), ("testbed.traffic.evasion", "fake"), ("testbed.traffic.probes", "ttl")]


def test_names_are_known_in_their_order_without_a_class_being_loaded() -> None:
    listed: Listed[object] = Listed("nowhere", {"b": "there:B", "a": "there:A"})
    assert (list(listed), len(listed), "a" in listed, "c" in listed) == (["b", "a"], 2, True, False)


def test_a_class_is_found_by_its_name_and_an_unknown_name_is_no_key() -> None:
    listed: Listed[object] = Listed("fractions", {})
    assert listed.get("half") is None
    with pytest.raises(KeyError):
        listed["half"]
    assert Listed("importlib", {"finder": "abc:MetaPathFinder"})["finder"].__name__ == "MetaPathFinder"


def test_the_agent_starts_without_the_classes() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "testbed.traffic.evasion.registry" in loaded
    assert not loaded & {f"{package}.{name}" for package, name in CLASSES}
