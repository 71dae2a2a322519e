"""Which transfers a user means by ``--target`` and ``--control``: by server name, by a suffix of one, or by file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from testbed.detectors.observation import Role
from testbed.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from testbed.detectors.observation import Observation, Transfer

__all__ = ["Marks"]

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Marks:
    """What marks a transfer as target or as control.

    Names compare without case and final dot. Where several match, the longest decides.

    Raises:
        InputError: One is both.
    """

    targets: Sequence[str] = ()
    controls: Sequence[str] = ()

    def __post_init__(self) -> None:
        both = sorted({_plain(mark) for mark in self.targets} & {_plain(mark) for mark in self.controls})
        if both:
            raise InputError(f"{both[0]!r} is given as target and as control; leave one out")

    def assigned(self, observation: Observation) -> Observation:
        """Return the observation with the roles that these give; transfers that none matches keep theirs."""
        if not (self.targets or self.controls):
            return observation
        transfers = tuple(replace(item, role=self._role(item)) for item in observation.transfers)
        return replace(observation, transfers=transfers)

    def check(self, observations: Iterable[Observation]) -> None:
        """Refuse a mark that matches no transfer of any observation.

        Raises:
            InputError: There is one.
        """
        transfers = [transfer for observation in observations for transfer in observation.transfers]
        for option, marks in (("--target", self.targets), ("--control", self.controls)):
            for mark in marks:
                # a name with a typing error would leave every transfer without a role, and every detector without
                # a verdict
                if not any(_matches(transfer, mark) for transfer in transfers):
                    named = sorted({transfer.server_name or transfer.id for transfer in transfers})
                    there = ", ".join(named[:_MOST_NAMED]) + (", …" if len(named) > _MOST_NAMED else "")
                    raise InputError(f"{option} {mark} matches no transfer; there are: {there or 'none'}")

    def _role(self, transfer: Transfer) -> Role:
        found = [
            (len(_plain(mark)), role)
            for role, marks in ((Role.TARGET, self.targets), (Role.CONTROL, self.controls))
            for mark in marks
            if _matches(transfer, mark)
        ]
        # --target twimg.com --control pbs.twimg.com: the longer name is the one that was meant for this transfer
        return max(found, key=lambda each: each[0])[1] if found else transfer.role


def _plain(name: str) -> str:
    return name.strip().rstrip(".").lower()


def _matches(transfer: Transfer, mark: str) -> bool:
    wanted, name = _plain(mark), _plain(transfer.server_name or "")
    if not wanted:
        return False
    return name == wanted or name.endswith(f".{wanted}") or _is_file(transfer.id.rpartition("#")[0], mark)


def _is_file(file: str, mark: str) -> bool:
    """Return whether a path and the file's name in a transfer's id end alike, as far as the shorter goes."""
    theirs, ours = PurePath(file).parts[::-1], PurePath(mark).parts[::-1]
    return bool(theirs) and bool(ours) and all(a == b for a, b in zip(theirs, ours, strict=False))
