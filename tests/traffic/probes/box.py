"""A near end whose path is a function: what the client sends decides whether its download is held back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.middlebox.recognise import Hello
from testbed.middlebox.recognise.tls import recognise
from testbed.records.jsonl import LineWriter
from testbed.traffic.connection import TransferError
from testbed.traffic.conversation import DatagramPassage, Give, Passage
from testbed.traffic.log import TransferLog
from testbed.traffic.near_end import NearEnd
from testbed.traffic.probes.trials import Trials
from tests.traffic.evasion.talk import RecordedTalk, played

if TYPE_CHECKING:
    from pathlib import Path

NAME = "twitter.com"
FREE_BPS, THROTTLED_BPS = 2_000_000.0, 140_000.0

Acts = Callable[[RecordedTalk, Passage], bool]


def shows(payload: bytes, name: str = NAME) -> bool:
    """Whether a payload is a hello for the name."""
    seen = recognise(payload)
    return isinstance(seen, Hello) and seen.name == name


def on_any_hello(talk: RecordedTalk, passage: Passage) -> bool:
    """A box that reads what the client sends and crafts, and what the far end gives."""
    given = [step.payload for step in passage.steps if isinstance(step, Give)]
    return any(map(shows, [*talk.sent(), *(packet.payload for packet in talk.emitted()), *given]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Near(NearEnd):
    """Plays a passage for a box that is a function."""

    acts: Acts

    def hold(
        self, passage: Passage | DatagramPassage, *, transfer: str, port: int, size: int, timeout_s: float,
        log: TransferLog, download_s: float | None = None,
    ) -> float:  # fmt: skip
        del transfer, port, size, timeout_s, log
        assert isinstance(passage, Passage)
        if not self.acts(played(passage), passage):
            return FREE_BPS
        if download_s is not None:
            raise TransferError("timed out while waiting for data")
        return THROTTLED_BPS


def trials_on(folder: Path, acts: Acts = on_any_hello) -> Trials:
    """Trials on such a path, not calibrated."""
    writer = LineWriter(folder / "measurements.jsonl")

    def begin(number: int) -> tuple[str, TransferLog]:
        return f"t#{number}", TransferLog(writer, transfer=f"t#{number}", side="client", start_ns=0)

    near = Near(address="100.64.0.1", far="203.0.113.2", announce=lambda *_: None, acts=acts)
    return Trials(near, name=NAME, size=40_000, timeout_s=5.0, first_port=20_000, begin=begin)


def calibrated(folder: Path, acts: Acts = on_any_hello) -> Trials:
    """Trials that know how fast the path is."""
    trials = trials_on(folder, acts)
    assert trials.calibrate()["plain_held_back"]
    return trials
