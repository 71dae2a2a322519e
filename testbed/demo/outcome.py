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

_MOST_TEXT = 300


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


def outcome(manifest: Manifest, verdicts: Iterable[VerdictRecord], choice: Choice | None) -> dict[str, object]:
    """Return what the page shows when all is told.

    Args:
        manifest: Of a run that is complete.
        verdicts: What detectors said of it.
        choice: What was chosen; None for a recorded run.
    """
    transfers = manifest.get("transfers", [])
    is_known = choice is not None
    return {
        "kind": "outcome",
        "cause": CAUSES[choice.cause].title if choice is not None else _short(manifest["title"]),
        "vote": right_vote(transfers, choice.cause if is_known and choice is not None else ""),
        "valid": manifest.get("valid", False),
        "problems": [_short(problem) for problem in manifest.get("problems", [])],
        "transfers": [_transfer(each) for each in transfers],
        "verdicts": [
            [_short(each["subject"]), _short(each["detector"]), _short(each["outcome"]), _short(each.get("why") or "")]
            for each in verdicts
        ],
    }


def _transfer(summary: TransferSummary) -> list[object]:
    """Id, goodput (bit/s), what the box did, its rule, packets that it dropped."""
    did = "throttled" if summary["throttled"] else (summary.get("action") or "nothing")
    return [
        _short(summary["id"]),
        summary["goodput_bps"],
        _short(did),
        _short(summary.get("rule") or ""),
        summary["drops"],
    ]


def _short(text: object) -> str:
    return one_line(str(text))[:_MOST_TEXT]
