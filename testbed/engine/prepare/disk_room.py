"""How much room a plan's run may take on the disk, from what it transfers and what it keeps of that.

It is an upper bound: captures of the whole path of every transfer, and of one file that is being converted; only of
background traffic it is a lower one, since nobody knows how long a censor lets it go on. Not for: what a user's command
writes, or how often a censor makes ends send again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from testbed.engine.kernel.cache import user_cache
from testbed.engine.prepare.background_room import background_room
from testbed.engine.prepare.guest_code import guest_code_digest
from testbed.engine.prepare.nearest import is_there, nearest
from testbed.errors import MissingError
from testbed.traffic.origin import objects_on_disk

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.plan import TransferPlan
    from testbed.scenario.plan import Plan

__all__ = ["ELSEWHERE", "disk_need", "require_cache_room", "require_room"]

ELSEWHERE = "choose another folder with -o (--store, where a store has the runs)"
"""What helps where a disk has no room for a run."""

_POINTS_ON_PATH = 3  # client, server, and the two sides of a box, of which what is dropped reaches but one
_WIRE = 1.12  # headers, acknowledgements and what a file adds to a packet, beside a payload
_OF_HEADERS = 0.12  # of a payload, a capture of headers while the run lasts: 1.5 packets for each full segment
_BASE_BYTES = 64_000_000  # records, logs, the guest's kernel
_CODE_BYTES = 32_000_000  # the guest's code in the cache: 11 MB, and as much again while it is made
_MB = 1_000_000


def disk_need(plan: Plan) -> tuple[int, int]:
    """Return bytes that a run may take at its largest: large objects, and captures with everything else."""
    data = plan.data
    objects = sum(objects_on_disk(data["origins"]).values())
    transferred = sum(map(_size_of, plan.transfers))
    largest = max(map(_size_of, plan.transfers), default=0)
    whole = [point for point in data["captures"] if "keep" not in point]
    kinds = {point["name"].rpartition("-")[2] for point in whole}
    points = min(len(kinds), _POINTS_ON_PATH) + (1 if kinds else 0)  # one more while a file is converted
    captures = transferred * points * _WIRE if whole else 0
    if len(whole) < len(data["captures"]):
        captures += transferred * _POINTS_ON_PATH * _OF_HEADERS
    return objects, round(captures) + _BASE_BYTES + largest // 10


def require_room(plan: Plan, folder: Path) -> str | None:
    """Stop before anything is made where the disk has not the room that the run may take.

    Returns:
        A warning where background traffic may take more than there is, should measurements last; None: there is room.

    Raises:
        MissingError: It has not; the message says what takes it, and what would take less.
    """
    objects, captures = disk_need(plan)
    background = background_room(plan)
    place, free = _room(folder)
    need, most = (objects + captures + each for each in background)
    if need <= free:
        if most <= free:
            return None
        return (
            f"background traffic may take up to {background.most // _MB} MB of the disk that holds {place} if "
            f"measurements last until their timeouts, and {free // _MB} MB are free; {_remedies(plan)}"
        )
    beside = f", {background.least // _MB} MB of captures of background traffic" if background.least else ""
    raise MissingError(
        f"this run may take {need // _MB} MB of the disk that holds {place} ({objects // _MB} MB of objects, "
        f"{captures // _MB} MB of captures and records{beside}), and {free // _MB} MB are free; {_remedies(plan)}"
    )


def require_cache_room() -> None:
    """Stop before anything is made where the user's cache has not the room for the guest's code, and has it not yet.

    Raises:
        MissingError: It has not, there is no cache, or it is closed to us, being somebody else's.
    """
    code = user_cache() / "guest"
    place, free = _room(code)
    if not os.access(place, os.R_OK | os.X_OK):
        raise MissingError(
            f"the guest's code cannot be kept in {code}: {place} is closed to this user; "
            "name a folder that is not with: export XDG_CACHE_HOME=FOLDER"
        )
    if free < _CODE_BYTES and not is_there(code / guest_code_digest()):
        raise MissingError(
            f"the guest's code takes {_CODE_BYTES // _MB} MB in {code}, and {free // _MB} MB are free on the disk that "
            f"holds {place}; free some space, or name a folder elsewhere with: export XDG_CACHE_HOME=FOLDER"
        )


def _room(folder: Path) -> tuple[Path, int]:
    """Return the nearest folder that is there, and how many bytes are free on its disk."""
    place = nearest(folder)
    status = os.statvfs(place)
    return place, status.f_bavail * status.f_frsize


def _remedies(plan: Plan) -> str:
    less = "captures: {client: headers, box: compared}" if any("keep" not in p for p in plan.data["captures"]) else ""
    headers = f"keep headers alone ({less}), " if less else ""
    slower = "give background traffic a rate or an end, " if plan.data.get("background") else ""
    return f"{headers}{slower}transfer less, or {ELSEWHERE}"


def _size_of(transfer: TransferPlan) -> int:
    size = transfer.get("size")  # of all its objects together
    return size if isinstance(size, int) else 0
