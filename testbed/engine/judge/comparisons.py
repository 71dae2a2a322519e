"""The comparison of each box's log with its captures, while the guest writes them.

It takes a thread of its own, and yields to the guest where there is no processor for both. What a guest writes is
looked at as it comes; captures that nobody asked to keep are given back to the disk as they are read. What is left is
compared when the guest has ended, which is all where the clock is the machine's: a guest that has to be in time is not
to wait for its own judge.
"""

from __future__ import annotations

import contextlib
import os
import resource
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.engine.engine import ENGINES
from testbed.errors import CaptureError, TestbedError
from testbed.records.agreement import Comparison
from testbed.records.crossings import BothSides, packed_addresses
from testbed.records.follow import Follower
from testbed.records.growing import GrowingCapture, GrowingLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.records.agreement import Agreement
    from testbed.records.certificate import CaptureCounters
    from testbed.records.messages import Message
    from testbed.scenario.plan import Plan

__all__ = ["Comparisons"]

_NS_PER_S = 1_000_000_000
_LOOK_S = 0.2  # of the wall clock: how often it is looked at what has been written since
_NICENESS = 10
_FILES, _OTHER_FILES = 5, 256  # of a box: log, captures, and what makes holes in these; of all else, with room to spare
_LOG = "truth.jsonl"
_SIDES = ("inside", "outside")


class Comparisons:
    """The boxes of a run that are captured on both sides.

    Args:
        plan: Of the run.
        folder: Where its records are written.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._boxes = _boxes(plan, folder)
        _make_room(len(self._boxes) * _FILES)
        self._is_virtual = plan.data["engine"] in _virtual_engines()
        self._start_ns = plan.data["start_ns"]
        self._known_ns = 0
        self._is_over = threading.Event()

    @contextlib.contextmanager
    def meanwhile(self) -> Iterator[threading.Thread | None]:
        """Compare while the block goes on, in virtual time: in the thread that is yielded."""
        if not self._boxes or not self._is_virtual:
            yield None
            return
        thread = threading.Thread(target=self._follow, name="comparison", daemon=True)
        thread.start()
        try:
            yield thread
        finally:
            self._is_over.set()
            thread.join()

    def hear(self, message: Message) -> None:
        """Learn from a message of the guest how far it has come.

        Boxes end after the guest's last message with an instant: until then, whatever a box had seen is in its log.
        """
        if message["kind"] in {"alive", "progress", "transfer"}:
            self._known_ns = max(self._known_ns, self._start_ns + round(message["t"] * _NS_PER_S))

    def _follow(self) -> None:
        with contextlib.suppress(OSError):  # a priority alone; where it stays as it is, the guest has to share
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while not self._is_over.wait(_LOOK_S):
            for box in self._boxes.values():
                box.follow(self._known_ns)
                if self._is_over.is_set():
                    break

    def end(
        self, folder: Path, stopped_ns: dict[str, int], counters: dict[str, CaptureCounters]
    ) -> dict[str, Agreement]:
        """Compare what is left, now that the guest has ended.

        Args:
            folder: Where its records are by now.
            stopped_ns: By box, when it ended.
            counters: What each capture reported.

        Returns:
            By box that was captured on both sides: what the comparison found.

        Raises:
            CaptureError: A capture cannot be read, or has not as many frames as were captured.
            RecordError: A log cannot be read, or a file is another than the one that was read meanwhile.
            OSError: A file is missing.
        """
        try:
            return {name: box.end(folder, stopped_ns[name], counters) for name, box in self._boxes.items()}
        finally:
            self._close()

    def discard(self, folder: Path) -> None:
        """After a run that failed: remove the captures of which only the end is left, since nobody can read them.

        Args:
            folder: Where its records are by now.
        """
        self._close()
        for box in self._boxes.values():
            for name, file in box.files.items():
                if file.has_forgotten:
                    (folder / name).unlink(missing_ok=True)

    def _close(self) -> None:
        for box in self._boxes.values():
            box.close()


@dataclass(slots=True)
class _Box:
    """One box: the files that the guest writes, what is read from them, and what that comes to."""

    files: dict[str, Follower]
    captures: dict[str, GrowingCapture]
    log: GrowingLog
    comparison: Comparison
    failure: TestbedError | None = None

    def follow(self, known_ns: int) -> None:
        """Compare what there is. A failure is told at the end: until then, the guest's own may explain it."""
        if self.failure is None:
            try:
                self.comparison.follow(known_ns)
            except TestbedError as error:
                self.failure = error

    def end(self, folder: Path, stopped_ns: int, counters: dict[str, CaptureCounters]) -> Agreement:
        """Go on with the same files in another place, where nobody writes to them any more, and compare the rest."""
        for name, file in self.files.items():
            file.moved_to(folder / name)
        self.log.is_whole = True
        for capture in self.captures.values():
            capture.is_whole = True
        if self.failure is not None:
            raise self.failure
        found = self.comparison.end(stopped_ns)
        for point, capture in self.captures.items():
            if capture.frames != counters[point]["captured"]:
                raise CaptureError(f"{point}: {capture.frames} of {counters[point]['captured']} frames were compared")
        return found

    def close(self) -> None:
        """Close the files."""
        for file in self.files.values():
            file.close()


def _boxes(plan: Plan, folder: Path) -> dict[str, _Box]:
    points = {point["name"]: point for point in plan.data["captures"]}
    found = {}
    for name in plan.data["boxes"]:
        names = [f"{name}-{side}" for side in _SIDES]
        if names[0] not in points:
            continue  # not captured: the certificate says that its drops were not checked
        keeps = [points[each].get("keep") for each in names]
        files = {f"captures/{each}.pcap": keep == "nothing" for each, keep in zip(names, keeps, strict=True)}
        followers = {each: Follower(folder / each, forgets=forgets) for each, forgets in files.items()}
        captures = {each: GrowingCapture(file) for each, file in zip(names, followers.values(), strict=True)}
        followers[_LOG] = Follower(folder / _LOG)
        log = GrowingLog(followers[_LOG], name)
        client = plan.topology.client_of(plan.topology.nodeInfo(name)["line"])
        inside, outside = captures.values()
        sides = BothSides(
            inside, outside, packed_addresses(plan.addresses_of(client)), headers_only=keeps[0] is not None
        )
        comparison = Comparison(
            sides, log, start_ns=plan.data["start_ns"], late_s=ENGINES[plan.data["engine"]].late_s,
            names_frames=not all(files.values()),
        )  # fmt: skip
        found[name] = _Box(followers, captures, log, comparison)
    return found


def _make_room(files: int) -> None:
    """Let this process have so many files open beside what it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = files + _OTHER_FILES
    if soft < need and (hard == resource.RLIM_INFINITY or hard > soft):
        most = need if hard == resource.RLIM_INFINITY else min(need, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _virtual_engines() -> set[str]:
    return {name for name, engine in ENGINES.items() if engine.clock["is_virtual"]}
