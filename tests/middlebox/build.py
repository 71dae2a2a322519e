"""What the middlebox tests share: profiles from their files, and a bench with the profile of the first day."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from testbed.conformance.bench import MSS, NS_PER_S, Bench, Connection
from testbed.conformance.hellos import client_hello, extensions_length_offset, padded
from testbed.middlebox.craft import CHANGE_CIPHER_SPEC, split_record
from testbed.middlebox.profile import Profile
from testbed.middlebox.profile.evidence import merge, plain_values

__all__ = [
    "CHANGE_CIPHER_SPEC",
    "MSS",
    "NS_PER_S",
    "PROFILES",
    "Box",
    "Connection",
    "client_hello",
    "extensions_length_offset",
    "graded_profile",
    "padded",
    "plain_profile",
    "profile",
    "profile_names",
    "split_record",
]

PROFILES = Path(__file__).parents[2] / "testbed/middlebox/censors"


@cache
def _graded(name: str) -> dict[str, Any]:
    graded: dict[str, Any] = yaml.safe_load((PROFILES / f"{name}.yaml").read_text())
    return merge(_graded(graded["based_on"]), graded) if "based_on" in graded else graded


def graded_profile(name: str) -> dict[str, Any]:
    """A profile file with its evidence, completed by what it is based on."""
    return dict(_graded(name))


def profile_names() -> list[str]:
    """All profiles that come with the testbed."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


def plain_profile(name: str = "ru-tw-2021a", **changes: Any) -> dict[str, Any]:
    """A profile's plain values; ``meter__kind="coarse_refill"`` changes one."""
    plain = plain_values(_graded(name))
    for path, value in changes.items():
        node = plain
        *parents, leaf = path.split("__")
        for key in parents:
            node[key] = dict(node[key])
            node = node[key]
        node[leaf] = value
    return plain


def profile(name: str = "ru-tw-2021a", **changes: Any) -> Profile:
    """A profile, ready to use."""
    return Profile.from_dict(plain_profile(name, **changes))


class Box(Bench):
    """A bench; without a profile, that of the first day."""

    def __init__(self, used: Profile | None = None, *, seed: int = 1, connection: Connection | None = None) -> None:
        super().__init__(used or profile(), seed=seed, connection=connection)
