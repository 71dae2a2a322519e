"""How much of its transfers a detector needs until it says, and goes on saying, that a line is throttled.

Each transfer is stopped after some seconds, and the detector is asked again; seconds are halved as long as it still
finds the line. So the answer is known to a factor of two, and is the least from which on no longer look loses it.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from testbed.detectors.detect import judge
from testbed.detectors.observation import Role
from testbed.detectors.sources.cut import stopped_after
from testbed.detectors.sources.observation_json import observation_from_json
from testbed.detectors.verdict import Outcome
from testbed.validation.checkers.checker import is_checker
from testbed.validation.judging import known_digest
from testbed.validation.keeping.store import verdict_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from testbed.detectors.observation import Observation
    from testbed.validation.keeping.store import Store
    from testbed.validation.scoring.scores import Scored

__all__ = ["Needed", "needed", "needs"]

_SHORTEST_S = 0.125


class Needed(NamedTuple):
    """What a detector needs: medians over lines that it found.

    Attributes:
        seconds: Of each transfer.
        target_bytes: Of the first target by then.
        lines: How many.
    """

    seconds: float
    target_bytes: float
    lines: int


def needs(scored: Iterable[Scored], store: Store, keys: Mapping[str, str]) -> dict[str, Needed]:
    """Return what each detector needs for the throttled lines that it found, by its name.

    Programs that measure by themselves decide themselves when they have enough, and are left out.

    Args:
        scored: Verdicts with what is true.
        store: Of the observations.
        keys: Of the cells, by id.
    """
    found: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for each in scored:
        if each.label == "throttled" and each.outcome == Outcome.THROTTLED and not is_checker(each.detector):
            text = store.observation(keys[each.cell], each.observation)
            whole = observation_from_json(text, where=each.cell)
            found[each.detector].append(needed(whole, each.observation, each.detector, store))
    return {
        name: Needed(median(seconds for seconds, _ in lines), median(count for _, count in lines), len(lines))
        for name, lines in found.items()
    }


def needed(whole: Observation, digest: str, name: str, store: Store) -> tuple[float, int]:
    """Return how many seconds of each transfer a detector needs, and how many bytes of the first target those are.

    Args:
        whole: An observation about which the detector says throttled.
        digest: Of it.
        name: Of the detector.
        store: Keeps what it says on the way.
    """
    seconds = max((each.duration_s for each in whole.transfers), default=0.0)
    # From long to short: a detector may think otherwise for a moment, and only what it goes on saying counts.
    while seconds / 2 >= _SHORTEST_S and _finds(whole, digest, name, store, seconds / 2):
        seconds /= 2
    target = next(iter(stopped_after(whole, seconds).with_role(Role.TARGET)), None)
    return seconds, 0 if target is None else target.total_bytes


def _finds(whole: Observation, digest: str, name: str, store: Store, seconds: float) -> bool:
    # Not the digest of what is cut: it would have to be written out as JSON first, which takes longer than the asking.
    place = f"{digest} stopped after {seconds!r} s", known_digest(name)
    record = store.verdict(*place)
    if record is None:
        verdict, failed = judge(name, stopped_after(whole, seconds))
        record = verdict_record(name, verdict, failed=failed)
        if not failed:  # who broke may not break again
            store.keep_verdict(*place, record)
    return Outcome(record["outcome"]) is Outcome.THROTTLED
