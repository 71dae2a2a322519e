"""What detectors say of captures of others: the policing lab of Flach et al., SIGCOMM 2016, whose names are the truth.

Usage: python benchmarks/lab_accuracy.py --captures FOLDER [--detector NAME …] [--detail]

FOLDER holds captures of data/validation in https://github.com/USC-NSL/policing-detection, compressed or not. PCIR in a
name: the flow was policed; SCIR: its line was shaped, which is a link of that rate with a buffer, or it lost packets at
random. The table counts captures, one connection each; detectors that need a control have nothing to judge there.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from testbed.detectors.registry import load_detector
from testbed.detectors.sources.observe import observe
from testbed.detectors.verdict import Mechanism, Outcome, Verdict

DETECTORS = ("pd", "token-bucket", "bbr-lt", "shaperprobe", "signatures")
POLICED, UNPOLICED = "PCIR=", "SCIR="


def captures_in(folder: Path) -> list[Path]:
    """Captures whose names tell what was done to them.

    Raises:
        SystemExit: There is none.
    """
    found = sorted(
        path for path in folder.iterdir() if ".pcap" in path.name and (POLICED in path.name) != (UNPOLICED in path.name)
    )
    if not found:
        raise SystemExit(f"{folder}: no capture with {POLICED} or {UNPOLICED} in its name")
    return found


def judge(paths: list[Path], detectors: list[str]) -> dict[tuple[str, Path], Verdict]:
    """A verdict of each detector on each capture."""
    loaded = [load_detector(name) for name in detectors]
    verdicts = {}
    for path in paths:
        observation = observe([path])
        for detector in loaded:
            verdicts[detector.name, path] = detector.detect(observation)
    return verdicts


def row(name: str, paths: list[Path], verdicts: dict[tuple[str, Path], Verdict]) -> str:
    """A line of the table."""
    counts: Counter[tuple[bool, Outcome]] = Counter()
    congested: Counter[bool] = Counter()
    for path in paths:
        verdict = verdicts[name, path]
        is_policed = POLICED in path.name
        counts[is_policed, verdict.outcome] += 1
        congested[is_policed] += verdict.mechanism is Mechanism.CONGESTION
    policed = sum(POLICED in path.name for path in paths)
    others = len(paths) - policed
    found, alarms = counts[True, Outcome.THROTTLED], counts[False, Outcome.THROTTLED]
    open_ = counts[True, Outcome.INCONCLUSIVE], counts[False, Outcome.INCONCLUSIVE]
    return (
        f"| `{name}` | {found} of {policed} | {alarms} of {others} | {open_[0]} and {open_[1]} | "
        f"{congested[True]} and {congested[False]} |"
    )


def main() -> None:
    """Judge, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captures", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--detector", action="append", default=[], metavar="NAME")
    parser.add_argument("--detail", action="store_true", help="list every capture that was missed or raised an alarm")
    arguments = parser.parse_args()
    names = arguments.detector or list(DETECTORS)
    paths = captures_in(arguments.captures)
    verdicts = judge(paths, names)
    policed = sum(POLICED in path.name for path in paths)
    print(f"{len(paths)} captures, {policed} policed, {len(paths) - policed} not\n")
    print("| detector | found | false alarms | inconclusive (policed and not) | called congestion (policed and not) |")
    print("|---|---|---|---|---|")
    for name in names:
        print(row(name, paths, verdicts))
    if arguments.detail:
        for (name, path), verdict in verdicts.items():
            if (POLICED in path.name) != (verdict.outcome is Outcome.THROTTLED):
                print(f"{name}: {verdict.outcome}: {path.name}: {verdict.why}", file=sys.stderr)


if __name__ == "__main__":
    main()
