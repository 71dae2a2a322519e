"""A run directory that is read while it grows.

Where the files are changes once: the guest writes to ``.guest/output``, and when it has ended the host takes them over.
A file that was opened before is read on to its end; a finished run is read from its files alone.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib
from typing import TYPE_CHECKING

from testbed.demo.feed import Feed
from testbed.demo.segments import Segments
from testbed.errors import CaptureError, RecordError
from testbed.records.capture_file import read_frames
from testbed.records.files import open_regular, read_regular
from testbed.records.follow import Follower, LineFollower
from testbed.records.growing import GrowingPcap
from testbed.records.plan import planned_transfers
from testbed.records.run import RunDirectory
from testbed.records.standing import MALFORMED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from testbed.demo.feed import PageRecord
    from testbed.records.plan import PlanDocument

__all__ = ["GrowingRun", "read_plan", "recorded", "watched_boxes"]

_GUEST = ".guest/output"
_MOST_PLAN_BYTES = 1 << 26


def watched_boxes(plan: PlanDocument) -> list[str]:
    """Return the boxes on lines that have a target: the segments that leave them are drawn."""
    lines = {each["line"] for each in planned_transfers(plan) if each["role"] == "target"}
    return [name for name, box in plan["boxes"].items() if box["line"] in lines]


class GrowingRun:
    """The records of a run that goes on.

    Args:
        folder: Its run directory.
        plan: That it runs.
    """

    def __init__(self, folder: Path, plan: PlanDocument) -> None:
        output = folder / _GUEST
        self._segments = Segments(plan["start_ns"])
        self._feed = Feed(self._segments.base)
        self._measurements = LineFollower(output / "measurements.jsonl")
        self._truth = LineFollower(output / "truth.jsonl")
        # where packets leave a box towards the subscriber: what it dropped is in the truth
        captures = [output / "captures" / f"{box}-inside.pcap" for box in watched_boxes(plan)]
        self._captures = [(Follower(path), GrowingPcap(str(path))) for path in captures]

    def new(self) -> list[PageRecord]:
        """Return what has happened since, box by box and client by client."""
        records: list[PageRecord] = []
        # Captures first: where a flow begins has to be known before a drop in the truth can be given its place.
        for follower, pcap in self._captures:
            for data in follower.new():
                # What is no capture, or no longer one, shows nothing; the run's own comparison will say so.
                with contextlib.suppress(CaptureError):
                    for frame in pcap.feed(data):
                        records += self._segments.read(frame)
        records += [record for line in self._truth.new() for record in self._feed.truth(line)]
        records += [record for line in self._measurements.new() for record in self._feed.measurements(line)]
        return records

    @property
    def unread(self) -> int:
        """How many lines were no records."""
        return self._feed.unread

    def close(self) -> None:
        """Close the files."""
        self._measurements.close()
        self._truth.close()
        for follower, _ in self._captures:
            follower.close()


def read_plan(folder: Path) -> PlanDocument:
    """Return the plan in a run directory.

    Raises:
        RecordError: There is none, or it is no plan.
    """
    try:
        plan: PlanDocument = json.loads(read_regular(folder / "plan.json", most_bytes=_MOST_PLAN_BYTES))
        watched_boxes(plan)
        plan["start_ns"] + 0
    except (OSError, *MALFORMED) as error:
        raise RecordError(f"{folder}/plan.json: cannot be read ({error}); run it again") from error
    return plan


def _kept_lines(path: Path, opened: contextlib.ExitStack) -> Iterable[bytes]:
    """Return the lines of a file of a finished run, which may have been compressed; none of one that is not there."""
    if path.exists():
        return opened.enter_context(open_regular(path))
    packed = path.with_name(f"{path.name}.gz")
    if packed.exists():
        return opened.enter_context(gzip.GzipFile(fileobj=opened.enter_context(open_regular(packed))))
    # A run without boxes has no truth to tell of them.
    return ()


def recorded(path: Path) -> tuple[list[PageRecord], int]:
    """Return the page records of a finished run, by time, and how many lines were none.

    Raises:
        RecordError: No run directory, or one whose plan cannot be read.
    """
    run = RunDirectory.open(path)
    plan = read_plan(path)
    segments = Segments(plan["start_ns"])
    feed = Feed(segments.base)
    records: list[PageRecord] = []
    for box in watched_boxes(plan):
        capture = run.capture(f"{box}-inside")
        if capture is not None:
            with open_regular(capture) as file:
                records += [record for frame in read_frames(file) for record in segments.read(frame)]
    readers: list[tuple[str, Callable[[bytes], Iterator[PageRecord]]]] = [
        ("truth.jsonl", feed.truth), ("measurements.jsonl", feed.measurements),
    ]  # fmt: skip
    for name, read in readers:
        # A stick that was pulled out too early cuts a compressed file.
        try:
            with contextlib.ExitStack() as opened:
                for line in _kept_lines(path / name, opened):
                    records += read(line)
        except (OSError, EOFError, zlib.error) as error:
            raise RecordError(f"cannot read {path / name}: {error}; run it again") from error
    return sorted(records, key=lambda record: float(str(record[1]))), feed.unread
