"""Grow the tree of `testbed.detectors.methods.signatures` from the policing lab's captures, and print it.

Usage: python benchmarks/detectors_train_signatures.py FOLDER
The folder holds captures of https://github.com/USC-NSL/policing-detection, data/validation; their names are the labels.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np

from testbed.capture import read_capture
from testbed.detectors.methods.signatures import features, train, walk

LARGE_BUFFER_BYTES = 100_000


def label(name: str) -> bool | None:
    """Return whether the flow filled a buffer of its own, or None where the condition is mixed."""
    if "XT=1" in name or "LOSS=0%" not in name:
        return None
    if "PCIR=" in name:
        return False
    buffer = re.search(r"SBC=(\d+)", name)
    return True if buffer and int(buffer.group(1)) >= LARGE_BUFFER_BYTES else None


def main(folder: Path) -> None:
    """Train on every second capture, test on the others, and print the tree grown from all."""
    rows = []
    for path in sorted(folder.glob("*.pcap*")):
        known = label(path.name)
        flow = max(read_capture(path).flows, key=lambda item: int(item.payload.sum()))
        found = features(flow) if known is not None else None
        if known is not None and found is not None:
            rows.append((*found, known))
    values, labels = np.array([row[:2] for row in rows]), np.array([row[2] for row in rows])
    tree = train(values[::2], labels[::2], least=2)
    guessed = [walk(tree, (first, second)) >= 1 / 2 for first, second in values[1::2]]
    print(f"{len(rows)} flows; right on {np.mean(guessed == labels[1::2]):.0%} of the half not trained on")
    print(train(values, labels, least=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
