from __future__ import annotations

from testbed.detectors.outputs.rows import DetectionRow
from testbed.detectors.outputs.text_table import format_table
from testbed.detectors.verdict import Outcome, Verdict


def row(subject: str, **fields: float | str) -> DetectionRow:
    verdict = Verdict(detector="d", outcome=Outcome.THROTTLED, why=str(fields.pop("why", "so")), **fields)  # type: ignore[arg-type]
    return DetectionRow("here", subject, verdict, notes=("two records left out",))


def test_the_table_names_a_subject_once_and_cuts_long_reasons() -> None:
    table = format_table([row("a", rate_bps=140e3), row("a"), row("b", why="x" * 200)], why_width=20).splitlines()
    assert table[0].split() == ["subject", "detector", "verdict", "kbit/s", "mechanism", "why"]
    assert set(table[1]) == {"─", " "}  # by which a terminal knows a table that it has to fit
    assert table[2].split() == ["a", "d", "throttled", "140", "so"]
    assert table[3].split() == ["d", "throttled", "so"]
    assert table[4].endswith("x" * 19 + "…")


def verdict_row(subject: str, detector: str, outcome: Outcome, why: str) -> DetectionRow:
    return DetectionRow("here", subject, Verdict(detector=detector, outcome=outcome, why=why))


def test_a_detector_without_any_verdict_is_named_below_the_table_with_its_reason() -> None:
    rows = [
        verdict_row("gateway", "able", Outcome.NOT_THROTTLED, "no loss"),
        verdict_row("gateway", "unable", Outcome.INCONCLUSIVE, "no data"),
        verdict_row("twitter", "able", Outcome.THROTTLED, "bucket"),
        verdict_row("twitter", "unable", Outcome.INCONCLUSIVE, "too short"),
    ]
    above, _, below = format_table(rows).partition("inconclusive on everything:")
    assert "unable" not in above
    assert below.split() == ["unable", "too", "short"]
    assert "unable" in format_table(rows, everything=True).splitlines()[3]
    assert "inconclusive on everything" not in format_table(rows[:2])
