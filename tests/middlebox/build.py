"""What the middlebox tests share: profiles from their files, and a bench with the profile of the first day."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from testbed.conformance.bench import MSS, NS_PER_S, Bench, Connection
from testbed.conformance.hellos import client_hello, extended, extensions_length_offset, padded
from testbed.middlebox.craft import CHANGE_CIPHER_SPEC, split_record
from testbed.middlebox.profile import Profile
from testbed.scenario.censor import check_profile
from testbed.scenario.evidence import plain_values
from testbed.scenario.profiles import load_profile, read_graded

__all__ = [
    "CHANGE_CIPHER_SPEC",
    "MSS",
    "NS_PER_S",
    "PROFILES",
    "Box",
    "Connection",
    "client_hello",
    "extended",
    "extensions_length_offset",
    "graded_profile",
    "padded",
    "plain_profile",
    "problems",
    "profile",
    "profile_names",
    "split_record",
    "written_profile",
]

PROFILES = Path(__file__).parents[2] / "testbed/middlebox/censors"


@cache
def _plain(name: str) -> dict[str, Any]:
    return load_profile(name).plain


def graded_profile(name: str) -> dict[str, Any]:
    """A profile file with its evidence, completed by what it is based on."""
    return dict(read_graded(name).data)


def written_profile(name: str = "ru-tw-2021a", /, **changes: Any) -> dict[str, Any]:
    """A profile's values as they are written, by the keys of a file; ``meter__kind="shaper"`` changes one."""
    return _changed(plain_values(graded_profile(name)), changes)


def problems(name: str = "ru-tw-2021a", /, **changes: Any) -> dict[str, str]:
    """What is wrong with a changed profile, by dotted key."""
    found = check_profile(written_profile(name, **changes))[1]
    return {".".join(map(str, key)): problem for key, problem in found}


def profile_names() -> list[str]:
    """All profiles that come with the testbed."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


def plain_profile(name: str = "ru-tw-2021a", /, **changes: Any) -> dict[str, Any]:
    """A profile as the guest gets it; ``meter__kind="coarse_refill"`` changes one value, unchecked."""
    return _changed(_plain(name), changes)


def _changed(data: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    data = dict(data)
    for path, value in changes.items():
        node = data
        *parents, leaf = path.split("__")
        for key in parents:
            node[key] = dict(node[key])
            node = node[key]
        node[leaf] = value
    return data


def profile(name: str = "ru-tw-2021a", /, **changes: Any) -> Profile:
    """A profile, ready to use."""
    return Profile.from_dict(plain_profile(name, **changes))


class Box(Bench):
    """A bench; without a profile, that of the first day."""

    def __init__(self, used: Profile | None = None, *, seed: int = 1, connection: Connection | None = None) -> None:
        super().__init__(used or profile(), seed=seed, connection=connection)
