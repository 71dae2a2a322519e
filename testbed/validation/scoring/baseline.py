"""Baselines: what detectors said of a suite at one time, written down to be compared with what they say later.

A baseline has each line with its label and the digest of its observation, and a letter a line for each detector. It
names how it came about: another suite, other rules of scoring or other labels are another method, not a regression.
"""

# No postponed annotations: `testbed.records.shape` reads them, and the names in them have to be there.

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypedDict

import testbed
from testbed.detectors.verdict import Outcome
from testbed.errors import RecordError
from testbed.records.files import read_regular
from testbed.records.label import Label, Treatment
from testbed.records.shape import shaped
from testbed.validation.scoring.scores import Scored
from testbed.validation.suite import Suite

__all__ = ["Baseline", "BaselineLine", "DetectorBaseline", "Method", "baseline_of", "method_of", "read_baseline"]

FORMAT: Literal[1] = 1
_LETTERS: Final = {
    Outcome.THROTTLED: "T", Outcome.NOT_THROTTLED: "N", Outcome.INCONCLUSIVE: "I",
}  # fmt: skip
FAILED: Final = "F"
_SCORING: Final = ("validation/truth.py", "validation/scoring/scores.py", "records/label.py")


class Method(TypedDict):
    """Digests of what scores depend on beside detectors and the world; another one is another method."""

    suite: str
    scoring: str
    labels: str


class BaselineLine(TypedDict):
    """A line of a cell that was judged."""

    cell: str
    line: str
    part: str
    condition: str
    label: str
    observation: str


class DetectorBaseline(TypedDict):
    """What a detector said: a letter a line (Throttled, Not throttled, Inconclusive, Failed)."""

    digest: str
    outcomes: str


class Baseline(TypedDict):
    """A suite as it was judged."""

    format: Literal[1]
    suite: str
    method: Method
    held_out_seed: str
    lines: list[BaselineLine]
    detectors: dict[str, DetectorBaseline]


def method_of(suite: Suite, counted: Mapping[Treatment, Label]) -> Method:
    """Return the digests of what scores of a suite depend on."""
    root = Path(testbed.__file__).parent
    return {
        "suite": _digest(suite.model_dump_json(by_alias=True).encode()),
        "scoring": _digest(b"".join((root / name).read_bytes() for name in _SCORING)),
        "labels": _digest(json.dumps(dict(counted), sort_keys=True).encode()),
    }


def baseline_of(
    scored: Sequence[Scored], *, suite: str, method: Method, held_out_seed: str, digests: Mapping[str, str]
) -> Baseline:
    """Return a baseline of verdicts.

    Args:
        scored: Verdicts of every detector on the same lines.
        suite: Its name.
        method: See `method_of`.
        held_out_seed: From which the held-out seeds were derived.
        digests: Of each detector's code.
    """
    lines: dict[tuple[str, str], BaselineLine] = {}
    letters: dict[str, dict[tuple[str, str], str]] = {name: {} for name in digests}
    for each in scored:
        at = each.cell, each.line
        lines[at] = {
            "cell": each.cell, "line": each.line, "part": each.part, "condition": each.condition,
            "label": each.label, "observation": each.observation,
        }  # fmt: skip
        letters[each.detector][at] = FAILED if each.failed else _LETTERS[Outcome(each.outcome)]
    return {
        "format": FORMAT,
        "suite": suite,
        "method": method,
        "held_out_seed": held_out_seed,
        "lines": [lines[at] for at in sorted(lines)],
        "detectors": {
            name: {"digest": digest, "outcomes": "".join(letters[name].get(at, FAILED) for at in sorted(lines))}
            for name, digest in sorted(digests.items())
        },
    }


def read_baseline(path: Path) -> Baseline:
    """Read a baseline.

    Raises:
        RecordError: It cannot be read, or is of another version.
    """
    try:
        value: object = json.loads(read_regular(path))
    except OSError as error:
        raise RecordError(f"cannot read the baseline {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path} is no baseline: {error}; make one with --write-baseline") from error
    version = value.get("format") if isinstance(value, dict) else None
    if version != FORMAT:
        raise RecordError(
            f"{path}: a baseline of format {version!r}, where {FORMAT} is read; make it again with --write-baseline"
        )
    try:
        baseline = shaped(value, Baseline)
    except ValueError as error:
        raise RecordError(f"{path} is no baseline: {error}; make one with --write-baseline") from error
    if not baseline["held_out_seed"].strip() or not baseline["held_out_seed"].isprintable():
        raise RecordError(f"{path} is no baseline: held_out_seed is no plain text; make one with --write-baseline")
    # A letter more or less would shift every line that follows, and compare each with its neighbour.
    for name, detector in baseline["detectors"].items():
        if len(detector["outcomes"]) != len(baseline["lines"]) or set(detector["outcomes"]) - set("TNIF"):
            raise RecordError(f"{path}: the outcomes of {name!r} are not one letter of TNIF for each line")
    return baseline


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
