"""What detectors said of a run beside the ground truth: a table for the page, right and wrong told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.plain_text import html_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbed.records.manifest import TransferSummary
    from testbed.records.verdicts import VerdictRecord

__all__ = ["STYLE", "verdict_table"]

STYLE = """
.verdicts td, .verdicts th { padding: .15rem .3rem; text-align: center } .verdicts td:first-child { text-align: left }
.verdicts th { font-weight: 400; writing-mode: vertical-rl; transform: rotate(180deg) }
.right { background: #dcecf7 } .wrong { background: #fbe0cc; font-weight: 700 } .wrong::after { content: " !" }
"""
_SIGNS = {"throttled": "T", "not throttled": "–", "inconclusive": ""}


def verdict_table(transfers: Sequence[TransferSummary], verdicts: Sequence[VerdictRecord]) -> str:
    """A row a transfer, a column a detector that could judge any of them; a cell's title is the detector's reason.

    Args:
        transfers: Those of the manifest, with the ground truth ``throttled``.
        verdicts: Lines of verdicts.jsonl.

    Returns:
        HTML; empty where no detector has judged anything.
    """
    # A column of blanks tells nothing and takes room: half of the methods need data that a run has not.
    decided = {each["detector"] for each in verdicts if each["outcome"] != "inconclusive"}
    detectors = [name for name in dict.fromkeys(each["detector"] for each in verdicts) if name in decided]
    if not detectors:
        return ""
    # Of a run that was judged again, the verdicts of one detector are replaced: each pair is there once.
    said = {(each["subject"], each["detector"]): each for each in verdicts}
    head = "".join(f'<th scope="col">{html_text(name)}</th>' for name in ("transfer", "truth", *detectors))
    rows = []
    for transfer in transfers:
        truth = "throttled" if transfer["throttled"] else "not throttled"
        cells = [_cell(said.get((transfer["id"], detector)), truth) for detector in detectors]
        rows.append(f"<tr><td>{html_text(transfer['id'])}</td><td>{_SIGNS[truth]}</td>{''.join(cells)}</tr>")
    note = (
        '<p class="note">T: throttled, –: not throttled, empty: inconclusive. Blue agrees with the ground truth, '
        "orange with ! does not. The reason is the title of each cell. Detectors never see the truth.</p>"
    )
    return (
        f'<div class="wide" tabindex="0"><table class="verdicts"><tr>{head}</tr>\n'
        + "\n".join(rows)
        + "</table></div>"
        + note
    )


def _cell(verdict: VerdictRecord | None, truth: str) -> str:
    if verdict is None:
        return "<td></td>"
    outcome = verdict["outcome"]
    kind = "" if outcome == "inconclusive" else f' class="{"right" if outcome == truth else "wrong"}"'
    return f'<td{kind} title="{html_text(verdict["why"])}">{html_text(_SIGNS.get(outcome, outcome))}</td>'
