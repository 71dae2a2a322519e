"""The table that a run ends with: who was throttled, how fast it was, and why."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

from testbed.plain_text import one_line
from testbed.quantities import format_rate
from testbed.records.label import treatment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbed.records.manifest import Manifest, TransferSummary

__all__ = ["format_table", "ground_truth", "transfer_table"]

_LONGEST_NAME: Final = 80
_TWO_DIGITS: Final = 10
_MOST_ROWS: Final = 60  # what a terminal shows, and eyes compare; more that repeat one another are counted instead
_FEW_TIMES: Final = 3


def format_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """Columns as wide as their widest cell; those in ``right`` are aligned to the right. A cell stays in its line."""
    # Names come from hellos and files of others: a line feed in one would make two rows of it, an escape worse.
    rows = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()

    return "\n".join([line(head), line(["─" * width for width in widths]), *(line(row) for row in rows)])


def transfer_table(manifest: Manifest) -> str:
    """Return the transfers of a run, line by line, and below it what the run was."""
    everything = _by_line(manifest["transfers"], manifest.get("background", []))
    grouped = _groups(everything)
    if grouped is not None:
        return f"{_group_table(grouped)}\n\n{_summary(manifest)}"
    published = any("published" in transfer for transfer in manifest["transfers"])
    twin = any("without_boxes" in transfer for transfer in manifest["transfers"])
    more = (*(("without boxes",) if twin else ()), *(("published",) if published else ()))
    head = ("line", "transfer", "role", "goodput", "time", *more, "ground truth")
    rows: list[tuple[str, ...]] = []
    previous = None
    for transfer in everything:
        if previous not in {None, transfer["line"]}:  # transfers of one line belong together: a target and its controls
            rows.append(("",) * len(head))
        rows.append(_row(transfer, is_new_line=transfer["line"] != previous, twin=twin, published=published))
        previous = transfer["line"]
    return format_table(head, rows, right=frozenset({3, 4})) + "\n\n" + _summary(manifest)


def _by_line(transfers: Sequence[TransferSummary], background: Sequence[TransferSummary]) -> list[TransferSummary]:
    """Return transfers with the background traffic of each line behind them."""
    lines = dict.fromkeys(each["line"] for each in (*transfers, *background))
    return [each for line in lines for each in (*transfers, *background) if each["line"] == line]


def _groups(transfers: Sequence[TransferSummary]) -> list[list[TransferSummary]] | None:
    """Return transfers that repeat one another, together; None where there are few, or most differ."""
    if len(transfers) <= _MOST_ROWS:
        return None
    found: dict[tuple[str, str, str, str], list[TransferSummary]] = {}
    for each in transfers:
        found.setdefault((each["line"], each["name"], each["role"], each["direction"]), []).append(each)
    return list(found.values()) if len(found) * _FEW_TIMES <= len(transfers) else None


def _group_table(groups: list[list[TransferSummary]]) -> str:
    head = ("line", "transfer", "role", "times", "completed", "throttled", "median goodput", "median time")
    rows = []
    for group in groups:
        rates = [each["goodput_bps"] for each in group if each["ok"] and each["goodput_bps"]]
        durations = [each["duration_s"] for each in group if each["ok"] and each["duration_s"] is not None]
        rows.append(
            (
                group[0]["line"],
                _clipped(group[0]["name"]),
                group[0]["role"],
                str(len(group)),
                str(sum(each["ok"] for each in group)),
                str(sum(each["throttled"] for each in group)),
                format_rate(median(rates)) if rates else "–",
                f"{median(durations):.1f} s" if durations else "–",
            )
        )
    table = format_table(head, rows, right=frozenset({3, 4, 5, 6, 7}))
    return f"{table}\n(each transfer: --json, or testbed table RUN)"


def _row(transfer: TransferSummary, *, is_new_line: bool, twin: bool, published: bool) -> tuple[str, ...]:
    goodput = format_rate(transfer["goodput_bps"]) if transfer["goodput_bps"] else "–"
    duration = f"{transfer['duration_s']:.1f} s" if transfer["duration_s"] is not None else "–"
    return (
        transfer["line"] if is_new_line else "",
        _clipped(transfer["name"]),
        transfer["role"],
        goodput if transfer["ok"] else "failed",
        duration,
        *((_without_boxes(transfer),) if twin else ()),
        *((transfer.get("published", "–"),) if published else ()),
        ground_truth(transfer),
    )


def _without_boxes(transfer: TransferSummary) -> str:
    """Return the goodput that a transfer had in the twin run."""
    twin = transfer.get("without_boxes")
    if twin is None:
        return "not known"
    return format_rate(twin["goodput_bps"]) if twin["ok"] and twin["goodput_bps"] else "failed"


def ground_truth(transfer: TransferSummary) -> str:
    """What became of a transfer, in words: what a box did to it, why a box did not find it, or the client's error."""
    # What a box did goes before what the client says: a connection that was reset is an error to the client, too.
    if done := _done_by_boxes(transfer):
        return done
    if transfer["error"]:
        return str(transfer["error"])
    if transfer["action"]:
        made_no_difference = f"{transfer['rule']} ({transfer['action']}) made no difference"
        return f"not throttled: {made_no_difference}, {transfer['drops']} packets dropped"
    if transfer.get("hello"):
        return f"not throttled: not found by this box, {transfer['hello']}"
    return "not throttled"


def _done_by_boxes(transfer: TransferSummary) -> str | None:
    """Return what boxes did that made a difference, by the same rule as labels are made."""
    match treatment(transfer):
        case "slowed":
            return f"THROTTLED by {transfer['rule']}, {transfer['drops']} packets dropped"
        case "delayed handshake":
            return f"HANDSHAKE DELAYED by {transfer['rule']}"
        case "frozen" | "reset" | "altered":
            return f"ENDED by {transfer['rule']} ({transfer['action']}), {transfer['drops']} packets dropped"
    return None


def _summary(manifest: Manifest) -> str:
    throttled = sum(transfer["throttled"] for transfer in manifest["transfers"])
    emulated, wall = manifest["emulated_s"], manifest["wall_s"]
    lines = [
        f"{throttled} of {len(manifest['transfers'])} transfers throttled (ground truth); seed {manifest['seed']}",
        f"{_short(emulated)} emulated seconds in {wall:.1f} s ({_short(emulated / wall)} times real time)",
    ]
    outcomes = [each for each in manifest["transfers"] if "published" in each]
    if outcomes:
        worked = [each for each in outcomes if each["ok"]]  # a transfer that failed was neither throttled nor free
        agreeing = sum((each["published"] == "throttled") == each["throttled"] for each in worked)
        failed = (
            f"; {len(outcomes) - len(worked)} transfers failed and say nothing" if len(worked) < len(outcomes) else ""
        )
        lines.insert(1, f"{agreeing} of {len(worked)} published outcomes agree{failed}")
    lines += [f"note: {each}" for each in manifest.get("notes", [])]
    if manifest["valid"]:
        lines += ["valid:", *(f"  {each['about']}" for each in manifest.get("checks", []))]
    else:
        lines += ["INVALID, do not score this run:", *(f"  {problem}" for problem in manifest["problems"])]
    return "\n".join(lines)


def _clipped(name: str) -> str:
    """Return a name short enough for a column: a client may put two thousand characters into a hello."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _short(number: float) -> str:
    """Return a number as people say it: a small one is not nothing."""
    return f"{number:.0f}" if number >= _TWO_DIGITS else f"{number:.1f}"
