"""What is revealed at the end of a run: the truth of each transfer, and what each detector said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.demo.scene import CAUSES
from testbed.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testbed.demo.scene import Choice
    from testbed.records.manifest import Manifest, TransferSummary
    from testbed.records.verdicts import VerdictRecord

__all__ = ["outcome", "right_vote"]

_MOST_TEXT = 400
_MOST_TARGETS = 4
_INCONCLUSIVE = "inconclusive"


def right_vote(transfers: Iterable[TransferSummary], cause: str) -> str | None:
    """Return the vote that was right, by what acted on the target; None where no vote says it.

    Args:
        transfers: Of the run.
        cause: A key of `CAUSES`; empty: not known, as in a recorded run.
    """
    if cause and cause != "box":
        return CAUSES[cause].vote
    targets = [each for each in transfers if each["role"] == "target"]
    if any(each["throttled"] for each in targets):
        return "throttled"
    if any(each.get("action") for each in targets):
        return "blocked"
    if any(each.get("influences") for each in targets):
        return None
    return "nothing"


def outcome(
    manifest: Manifest, verdicts: Iterable[VerdictRecord], choice: Choice | None, *, unread: int = 0, untold: int = 0
) -> dict[str, object]:
    """Return what the page shows when all is told.

    Args:
        manifest: Of a run that is complete.
        verdicts: What detectors said of it.
        choice: What was chosen; None for a recorded run.
        unread: Lines of its records that are none.
        untold: Records that were too many for browsers.
    """
    transfers = manifest.get("transfers", [])
    vote = right_vote(transfers, "" if choice is None else choice.cause)
    targets = [each for each in transfers if each["role"] == "target"]
    says = [] if vote is None else [f"Right answer: {vote}."]
    if choice is not None:
        says.append(f"It was {CAUSES[choice.cause].title}.")
        if choice.evasion:
            says.append(f"The phone used the evasion {choice.evasion}.")
    says += [_in_words(each) for each in targets[:_MOST_TARGETS]]
    if len(targets) > _MOST_TARGETS:
        says.append(f"{len(targets) - _MOST_TARGETS} more targets are in the run directory alone.")
    if not manifest.get("valid", False):
        says.append(f"Do not score this run: {'; '.join(manifest.get('problems', []))}.")
    if unread:
        says.append(f"{unread} lines of its records could not be read, and are not drawn.")
    if untold:
        says.append(f"{untold} records were too many to be drawn; they are in the run directory.")
    return {
        "kind": "outcome",
        "says": [one_line(each)[:_MOST_TEXT] for each in says],
        "verdicts": _judged(verdicts, {each["id"] for each in targets[:1]}),
    }


def _in_words(summary: TransferSummary) -> str:
    did = "the box did nothing to it"
    if summary["throttled"]:
        did = f"throttled by the rule {summary['rule']}, {summary['drops']} packets dropped"
    elif summary.get("action"):
        did = f"the box acted ({summary['action']}) by the rule {summary['rule']}"
    came = f"{(summary['goodput_bps'] or 0) / 1000:.0f} kbit/s"
    if not summary["ok"]:
        came = f"failed ({summary['error']})"  # what it carried until then is no goodput
    return f"{summary['name']} on the line {summary['line']}: {came}; {did}."


def _judged(verdicts: Iterable[VerdictRecord], subjects: set[str]) -> list[list[str]]:
    """Return detector, outcome and reason of the first target; those that could not say anything share a row."""
    told = [each for each in verdicts if each["subject"] in subjects]
    rows = [
        [_short(each["detector"]), _short(each["outcome"]), _short(each.get("why") or "")]
        for each in sorted(told, key=lambda each: each["outcome"] != "throttled")
        if each["outcome"] != _INCONCLUSIVE
    ]
    silent = [each["detector"] for each in told if each["outcome"] == _INCONCLUSIVE]
    if silent:
        rows.append([f"{len(silent)} more", _INCONCLUSIVE, _short(", ".join(silent))])
    return rows


def _short(text: object) -> str:
    return one_line(str(text))[:_MOST_TEXT]
