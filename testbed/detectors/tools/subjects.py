"""Which transfers a detector judges: every target by itself, or targets paired with controls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.detectors.observation import Role
from testbed.detectors.verdict import Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.detectors.observation import Observation, Transfer

__all__ = ["comparable", "judge_each", "pairs"]


def judge_each(
    name: str, observation: Observation, judge: Callable[[Transfer], Verdict], *, version: str = "1"
) -> Verdict:
    """Judge transfers one by one with a method that knows no control, and sum up.

    The targets decide (all transfers where no role is known): throttled if any is, else not throttled if any is not.
    Controls only tell whether the limit is specific to the target's content.
    """
    targets = observation.with_role(Role.TARGET)
    subjects = targets or observation.with_role(Role.UNKNOWN)
    if not subjects:
        return inconclusive(name, "the observation has no target transfer", version=version)
    verdicts = [judge(transfer) for transfer in subjects]
    throttled = [verdict for verdict in verdicts if verdict.outcome is Outcome.THROTTLED]
    judged = [verdict for verdict in verdicts if verdict.outcome is not Outcome.INCONCLUSIVE]
    # Throttling that one transfer of many meets is throttling: the others may have come before it began.
    chosen = max(throttled or judged or verdicts, key=lambda verdict: verdict.score or 0.0)
    counted = f"{len(throttled)} of {len(judged)} transfers judged: " if len(subjects) > 1 and judged else ""
    return Verdict(
        detector=name,
        version=version,
        outcome=chosen.outcome,
        why=counted + chosen.why,
        score=chosen.score,
        rate_bps=chosen.rate_bps,
        burst_bytes=chosen.burst_bytes,
        mechanism=chosen.mechanism,
        content_specific=_content_specific(observation, judge) if targets and throttled else None,
        onset_s=chosen.onset_s,
        details={
            **chosen.details,
            "transfers": {item.id: str(verdict.outcome) for item, verdict in zip(subjects, verdicts, strict=True)},
        },
    )


def _content_specific(observation: Observation, judge: Callable[[Transfer], Verdict]) -> bool | None:
    outcomes = {judge(transfer).outcome for transfer in observation.with_role(Role.CONTROL)}
    if Outcome.THROTTLED in outcomes:
        return False
    return True if Outcome.NOT_THROTTLED in outcomes else None


def pairs(observation: Observation) -> list[tuple[Transfer, Transfer]]:
    """Return each target with the control to compare it with, in order of the targets' start.

    It is the control of the same direction, ``pair`` and ``port`` label that began closest in time, among those that
    moved data if any did: a control that failed says nothing about the target.
    """
    result = []
    for target in sorted(observation.with_role(Role.TARGET), key=lambda item: item.started_s):
        mates = comparable(target, observation)
        if mates:
            distance = {mate.id: abs(mate.started_s - target.started_s) for mate in mates}
            result.append((target, min(mates, key=lambda mate: (mate.total_bytes == 0, distance[mate.id]))))
    return result


def comparable(target: Transfer, observation: Observation) -> list[Transfer]:
    """Return the controls of the target's direction, ``pair`` and ``port`` label."""
    return [
        control
        for control in observation.with_role(Role.CONTROL)
        if control.direction is target.direction
        and all(control.labels.get(name) == target.labels.get(name) for name in ("pair", "port"))
    ]
