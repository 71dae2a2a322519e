"""PD's table of captures, with the fields of the table that its authors published, so that the two can be compared.

Published table: repository USC-NSL/policing-detection at 95dcfbd (Flach et al., SIGCOMM 2016).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from testbed.capture import read_capture
from testbed.detectors.methods.pd import CUTOFFS, SegmentRow, segment_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from testbed.detectors.verdict import JsonValue

__all__ = ["policing_rows_json"]

_CAPTURE_NAME_ENDS: Final = (".xz", ".gz", ".pcap", ".pcapng", ".cap")


def policing_rows_json(
    paths: Iterable[str | Path], *, tell: Callable[[str], None] = lambda _: None
) -> list[dict[str, JsonValue]]:
    """Return PD's table of captures, one object a segment, with the fields of the authors' published table by name.

    ``name`` is the capture's name without its endings; ``policed_cutoff0`` and ``result_cutoff0`` are the verdict and
    "[code 0, RATE bps, BURST bytes burst]" (or "[code N, null, null]") as published, likewise for cutoff 2; the parts
    follow as ``code_cutoff0``, ``rate_bps_cutoff0``, ``burst_bytes_cutoff0``.

    Args:
        paths: Captures.
        tell: Is told what was left out, in sentences.

    Raises:
        CaptureError: A capture cannot be read.
    """
    rows = []
    for path in paths:
        capture = read_capture(path)
        for sentence in capture.notes.sentences():
            tell(f"{path}: {sentence}")
        notes = {"notes": capture.notes.sentences()}
        rows += [_policing_row_json(_capture_name(Path(path)), row) | notes for row in segment_rows(capture.flows)]
    return rows


def _capture_name(path: Path) -> str:
    name = path.name
    while name.endswith(_CAPTURE_NAME_ENDS):
        name = name.rpartition(".")[0]
    return name


def _policing_row_json(name: str, row: SegmentRow) -> dict[str, JsonValue]:
    value: dict[str, JsonValue] = {
        "name": name,
        "flow": row.flow,
        "segment": row.segment,
        "direction": row.direction,
        "packets": row.packets,
        "losses": row.losses,
    }
    for cutoff, result in zip(CUTOFFS, row.results, strict=True):
        value |= {f"policed_cutoff{cutoff}": result.policed, f"result_cutoff{cutoff}": str(result)}
    for cutoff, result in zip(CUTOFFS, row.results, strict=True):
        value |= {
            f"code_cutoff{cutoff}": int(result.code),
            f"rate_bps_cutoff{cutoff}": None if result.rate_bps is None else int(result.rate_bps),
            f"burst_bytes_cutoff{cutoff}": result.burst_bytes,
        }
    return value
