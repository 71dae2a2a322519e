"""The captures of a run that has ended: compared with the boxes' logs, then written as pcapng."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from testbed.errors import CaptureError, RecordError
from testbed.records.capture_file import read_frames
from testbed.records.files import open_regular, read_regular
from testbed.records.pcapng import write_pcapng

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.engine.judge.comparisons import Comparisons
    from testbed.records.agreement import Agreement
    from testbed.records.certificate import AgreementFound, GuestCertificate
    from testbed.records.run import RunDirectory
    from testbed.scenario.plan import Plan

__all__ = ["finish_captures", "tls_secrets"]

_MOST_SECRET_BYTES = 1 << 24
# The NSS key log format (SSLKEYLOGFILE): label, client random, secret. Whatever else a program wrote there stays out.
_SECRET = re.compile(rb"[A-Z0-9_]{1,40} [0-9a-fA-F]{64} [0-9a-fA-F]{64,128}")


def finish_captures(
    run: RunDirectory, plan: Plan, found: GuestCertificate, comparisons: Comparisons
) -> dict[str, AgreementFound]:
    """Compare each box's log with its captures to the end, then write the captures that are kept as pcapng.

    Args:
        run: With the captures as the guest left them.
        plan: Of the run.
        found: What each box and each capture reported.
        comparisons: Which may have begun while the guest ran.

    Returns:
        By box that was captured on both sides: what the comparison found.

    Raises:
        CaptureError: A capture cannot be read.
        RecordError: A log cannot be read.
        OSError: The folder cannot be written.
    """
    folder = run.path / "captures"
    secrets = tls_secrets(run.path)
    agreements: dict[str, AgreementFound] = {}
    points = {point["name"]: point for point in plan.data["captures"]}
    comments: dict[str, dict[int, str]] = {}
    stopped_ns = {name: box["stopped_ns"] for name, box in found["boxes"].items()}
    for box, agreement in comparisons.end(run.path, stopped_ns, found["captures"]).items():
        agreements[box] = _as_found(agreement)
        # One text for all, and numbers alone beside it: a long run drops more packets than there is memory for.
        for side, number in agreement.entry_frames:
            comments.setdefault(f"{box}-{side}", {})[number] = f"dropped by {box}"
    for name in sorted(points):
        keep, path = points[name].get("keep"), folder / f"{name}.pcap"
        if keep == "nothing":
            path.unlink()
            continue
        target = folder / (f"{name}.pcapng" if keep is None else f"{name}.pcapng.gz")
        _convert(path, target, secrets, comments.get(name, {}), found["captures"][name]["captured"])
    return agreements


def _as_found(agreement: Agreement) -> AgreementFound:
    return {
        "dropped": agreement.dropped, "logged": agreement.logged, "delayed": agreement.delayed,
        "held": agreement.held, "rewritten": agreement.rewritten, "injected": agreement.injected,
        "only_captures": len(agreement.only_captures), "only_log": len(agreement.only_log),
        "unexplained": len(agreement.unexplained), "mistimed": agreement.mistimed, "worst_s": agreement.worst_s,
        "compared": agreement.compared, "not_compared": agreement.not_compared,
    }  # fmt: skip


def tls_secrets(folder: Path) -> bytes:
    """Return the TLS secrets of our own clients and of a command, line by line."""
    found = []
    for path in (folder / "tls-secrets.txt", folder / "output" / "tls-secrets.txt"):
        try:
            data = read_regular(path, most_bytes=_MOST_SECRET_BYTES)
        except (OSError, RecordError):
            continue
        found += [line for line in data.split(b"\n") if _SECRET.fullmatch(line)]
    return b"".join(line + b"\n" for line in found)


def _convert(path: Path, target: Path, secrets: bytes, comments: dict[int, str], captured: int) -> None:
    with open_regular(path) as file:
        written = write_pcapng(target, read_frames(file), interface=path.stem, secrets=secrets, comments=comments)
    if written != captured:
        raise CaptureError(f"{path}: {written} of {captured} frames were written")
    path.unlink()  # only when the other is whole: a run that dies here keeps its captures
