"""Two runs side by side: whether they should be equal, and where they first differ."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from testbed.engine.engine import ENGINES
from testbed.records.capture_file import read_frames
from testbed.records.files import open_regular, read_regular
from testbed.records.run import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Comparison", "compare_runs"]

_LINES = ("truth.jsonl", "measurements.jsonl", "tls-secrets.txt")
_LONGEST = 160
_OF_A_COMMAND = "a command's environment, its files, and what else it reads of the machine"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found.

    Attributes:
        causes: What differs in the fingerprints; empty: the runs should be equal.
        differences: By file, where the runs first differ; empty: they are equal.
        compared: How many files were looked at.
        unseen: What may make runs differ and is in no fingerprint; empty: nothing does.
    """

    causes: tuple[str, ...]
    differences: tuple[str, ...]
    compared: int
    unseen: str = ""

    @property
    def as_expected(self) -> bool:
        """Whether runs that should be equal are, or runs that need not be are compared."""
        return bool(self.causes) or not self.differences


def compare_runs(first: Path, second: Path) -> Comparison:
    """Compare two run directories: fingerprints, records, captures.

    Raises:
        RecordError: One is none, or was made before runs had fingerprints.
        CaptureError: A capture cannot be read.
    """
    runs = RunDirectory.open(first), RunDirectory.open(second)
    prints = [_flat(run.manifest().get("fingerprint") or {"fingerprint": "none"}) for run in runs]
    causes = [
        f"{key}: {prints[0].get(key, 'none')} and {prints[1].get(key, 'none')}"
        for key in sorted(prints[0].keys() | prints[1].keys())
        if prints[0].get(key) != prints[1].get(key)
    ]
    engines = dict.fromkeys(str(run.manifest().get("engine")) for run in runs)
    causes += [f"engine {name}: {why}" for name in engines if (why := _why_unequal(name))]
    packed = [f"{name}.gz" for name in _LINES if any((run.path / f"{name}.gz").exists() for run in runs)]
    captures = {path.name for run in runs for path in (run.path / "captures").glob("*.pcapng*")}
    names = [*_LINES, *packed, *sorted(captures)]
    differences = [text for name in names if (text := _difference(runs[0].path, runs[1].path, name))]
    has_command = any(run.manifest().get("certificate", {}).get("command_status") is not None for run in runs)
    return Comparison(tuple(causes), tuple(differences), len(names), _OF_A_COMMAND if has_command else "")


def _why_unequal(engine: str) -> str | None:
    """Return why no two runs of an engine need be equal; None: they should be."""
    if engine in ENGINES:
        return ENGINES[engine].why_unequal
    return "it is not known here, so nothing can be said of two of its runs"


def _flat(value: Mapping[str, object], head: str = "") -> dict[str, str]:
    """Nested digests under one name each."""
    result: dict[str, str] = {}
    for key, each in value.items():
        result |= _flat(each, f"{head}{key} ") if isinstance(each, dict) else {f"{head}{key}": str(each)}
    return result


def _difference(first: Path, second: Path, name: str) -> str | None:
    if ".pcapng" in name:
        return _capture_difference(first / "captures" / name, second / "captures" / name)
    lines = [_lines(folder / name) for folder in (first, second)]
    for number, (one, other) in enumerate(zip_longest(*lines), start=1):
        if one != other:  # the first is enough: what follows differs because of it
            return f"{name}:{number}: {_shown(one)}\n  and {_shown(other)}"
    return None


def _lines(path: Path) -> list[bytes]:
    if not path.exists():
        return []
    data = read_regular(path)
    return (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()


def _capture_difference(first: Path, second: Path) -> str | None:
    if first.exists() != second.exists():
        return f"{first.name}: only one of the runs has it"
    if read_regular(first) == read_regular(second):  # most are; only others are taken apart
        return None
    with open_regular(first) as one, open_regular(second) as other:
        for frames in zip_longest(read_frames(one), read_frames(other)):
            if frames[0] != frames[1]:
                number = next(frame.number for frame in frames if frame is not None)
                if None in frames:
                    return f"{first.name}: frame {number} is in one of the runs only"
                what = "its time" if frames[0].data == frames[1].data else "its bytes"
                return f"{first.name}: frame {number} differs in {what}"
    return f"{first.name}: the frames are equal; secrets or comments differ"


def _shown(line: bytes | None) -> str:
    if line is None:
        return "(nothing)"
    return line[:_LONGEST].decode("utf-8", "backslashreplace") + ("…" if len(line) > _LONGEST else "")
