"""What is true of a line of a cell, for its verdicts to be counted against.

A line is what a detector is asked about: its targets, with its controls beside them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from testbed.detectors.verdict import Mechanism
from testbed.middlebox.meters import METERS
from testbed.records.label import COUNTED, label, treatment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from testbed.middlebox.meters.meter import MeterSpec
    from testbed.records.label import Label, Treatment
    from testbed.records.manifest import TransferSummary
    from testbed.scenario.plan import Plan
    from testbed.validation.keeping.store import Limit

__all__ = ["LineTruth", "limits", "line_label", "line_truth"]


class LineTruth(NamedTuple):
    """What is true of a line.

    Attributes:
        label: Whether a detector should call it throttled.
        mechanism: By which it was slowed; None: a verdict has no word for it, or nothing did.
        rate_bps: Of the limit, bits a second; None: it has no rate, or there were several limits.
        onset_s: When the limit first touched a target, seconds since that transfer's start.
        content_specific: Whether a control of the line went untouched by censors while a target did not; None: the line
            was not slowed, or has no control.
    """

    label: Label
    mechanism: Mechanism | None = None
    rate_bps: float | None = None
    onset_s: float | None = None
    content_specific: bool | None = None


def line_label(transfers: Sequence[TransferSummary], line: str, counted: Mapping[Treatment, Label] = COUNTED) -> Label:
    """Return the label of a line: of its targets, for they are what a detector is asked about.

    Throttled, if one of them is; left out, if none is and one is left out. A control that was throttled, too, leaves
    the line out: nobody could tell the target from it.
    """
    of_line = [each for each in transfers if each["line"] == line]
    if any(label(each, counted) == "throttled" for each in of_line if each["role"] == "control"):
        return "left out"
    found = {label(each, counted) for each in of_line if each["role"] == "target"}
    if "throttled" in found:
        return "throttled"
    return "left out" if "left out" in found or not found else "not throttled"


def line_truth(
    transfers: Sequence[TransferSummary],
    limits_found: Mapping[str, Limit],
    line: str,
    counted: Mapping[Treatment, Label] = COUNTED,
) -> LineTruth:
    """Return what is true of a line.

    Args:
        transfers: Of the whole run.
        limits_found: By transfer; see `limits`.
        line: Its name.
        counted: How treatments count.
    """
    # Where targets were limited differently, no single rate or mechanism is the right answer.
    said = line_label(transfers, line, counted)
    slowed = [
        each
        for each in transfers
        if each["line"] == line and each["role"] == "target" and treatment(each) == "slowed"
    ]  # fmt: skip
    if said != "throttled" or not slowed:
        return LineTruth(said)
    found = [limits_found[each["id"]] for each in slowed if each["id"] in limits_found]
    mechanisms = {each["mechanism"] for each in found}
    rates = {each["rate_bps"] for each in found}
    controls = [each for each in transfers if each["line"] == line and each["role"] == "control"]
    return LineTruth(
        said,
        Mechanism(only) if len(mechanisms) == 1 and (only := next(iter(mechanisms))) is not None else None,
        next(iter(rates)) if len(rates) == 1 else None,
        min((each["onset_s"] for each in found), default=None),
        any(treatment(each) == "untouched" for each in controls) if controls else None,
    )


def limits(plan: Plan, transfers: Sequence[TransferSummary]) -> dict[str, Limit]:
    """Return the limit that slowed each transfer, by its id, as the plan has it; those of unknown meters are not there.

    Args:
        plan: Of the run.
        transfers: Of the run, with what acted on them.
    """
    found: dict[str, Limit] = {}
    for transfer in transfers:
        slowing = [
            (each, box["profile"])
            for each in transfer["influences"]
            if each["who"] == "censor" and each["effect"] == "slows" and each["packets"]
            if (box := plan.data["boxes"].get(each["where"])) is not None and box["profile"] is not None
        ]
        if slowing:
            # Of several, which one a detector should name, and at which rate, nobody can say.
            meters = [_meter(profile, each["what"]) for each, profile in slowing]
            mechanisms = {_mechanism(meter) for meter in meters}
            rates = {None if meter is None else meter.long_run_bps for meter in meters}
            mechanism = next(iter(mechanisms)) if len(mechanisms) == 1 else None
            found[transfer["id"]] = {
                "mechanism": None if mechanism is None else str(mechanism),
                "rate_bps": next(iter(rates)) if len(rates) == 1 else None,
                "onset_s": max(0.0, min(each["from_s"] for each, _ in slowing) - (transfer["start_s"] or 0.0)),
            }
    return found


def _meter(profile: Mapping[str, object], kind: str) -> MeterSpec | None:
    """Return a meter of a profile; None: a delay, which is no meter."""
    described = profile.get("meter")
    plain = described.get(kind) if isinstance(described, dict) else None
    return METERS[kind].from_dict(plain) if isinstance(plain, dict) else None


def _mechanism(meter: MeterSpec | None) -> Mechanism | None:
    """Return what a meter is called in a verdict; None: it limits no rate, and a verdict has no word for it."""
    if meter is None or meter.limits != "rate":
        return None
    return Mechanism.SHAPING if meter.delays else Mechanism.POLICING
