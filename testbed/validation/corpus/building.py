"""The parts of a suite put together: members by name, an index, and a page for whoever finds the archive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed.validation.corpus.contents import FORMAT, INDEX, TRUTH, folder_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from testbed.validation.cells import Cell
    from testbed.validation.corpus.contents import CellEntry, Index, Truth, World

__all__ = ["index_of", "members_of"]

_CAPTURES = {
    "none": "There are no captures.",
    "headers": "Captures hold headers, and of payload what opens a connection, hellos in whole.",
    "whole": "Captures are whole; `tls-keys.txt` (and the pcapng files themselves) has what decrypts them.",
}
_README = """\
# {title}

{count} runs of the suite `{suite}` of the throttling testbed {version}, with what a measurer had of each line, and what
is true of it. Held-out seeds are derived from `{seed}`.

    testbed corpus score THIS_FILE --detector exec:./my_detector.py     # how often a detector is right; nothing is run
    testbed corpus verify THIS_FILE                                     # checksums, and some runs made again
    testbed corpus fetch-from-file THIS_FILE -o corpus                  # unpacked, with every check made
    for each in cells/*/*.observation.json; do testbed detect "$each"; done   # then, inside that folder

| file of a cell | |
|---|---|
| `LINE.observation.json` | all that a detector is given: timelines, and captures of both ends as columns |
| `truth.json` | `labels` by line; `measurements`: each transfer, its label, its place in the files below |
| `LINE.ooni.jsonl` | its downloads as OONI's Web Connectivity would have recorded them: 64 events, 10 s, 2^19 bytes |
| `LINE.NN.ndt7.json` | a download as the client of an ndt7 test would have recorded it: its byte counter, 10 s |
| `*.pcapng`, `*.pcap` | captures at clients and servers; the latter in microseconds, for programs that read no pcapng |

{captures}
Nothing but `truth.json` holds a label. A line is throttled if one of its targets is; docs/reference/labels.md of the
testbed has the rule, and how treatments count about which reasonable people differ.

| cell | part | labels | made by |
|---|---|---|---|
"""


def index_of(
    cells: Sequence[Cell], *, title: str, suite: str, held_out_seed: str, version: str, captures: str, world: World
) -> Index:
    """Return the index of a corpus; the arguments are what it says."""
    entries: list[CellEntry] = [
        {
            "id": cell.id, "part": cell.part, "condition": cell.condition, "number": cell.number,
            "folder": folder_of(cell.id),
        }
        for cell in cells
    ]  # fmt: skip
    return {
        "format": FORMAT, "title": title, "suite": suite, "held_out_seed": held_out_seed, "version": version,
        "captures": captures, "world": world, "cells": entries,
    }  # fmt: skip


def members_of(index: Index, parts: Mapping[str, Path]) -> dict[str, Path | bytes]:
    """Return the members of an archive, by name.

    Args:
        index: Of the corpus.
        parts: The folder of each cell's part, by the cell's id.
    """
    members: dict[str, Path | bytes] = {INDEX: (json.dumps(index, indent=1) + "\n").encode()}
    rows = []
    for cell in index["cells"]:
        part = parts[cell["id"]]
        members |= {f"{cell['folder']}/{path.name}": path for path in part.iterdir()}
        truth: Truth = json.loads((part / TRUTH).read_text())
        labels = ", ".join(f"{line}: {label}" for line, label in truth["labels"].items())
        rows.append(f"| {cell['folder']} | {cell['part']} | {labels} | `{truth['record']['replay']}` |\n")
    head = _README.format(
        title=index["title"], count=len(index["cells"]), suite=index["suite"], version=index["version"],
        seed=index["held_out_seed"], captures=_CAPTURES[index["captures"]],
    )  # fmt: skip
    members["README.md"] = (head + "".join(rows)).encode()
    return members
