"""Corpora made by hand, for tests of what reads them: nothing of them was run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from testbed.detectors.sources.observation_json import observation_to_json
from testbed.validation.corpus.archive import write_archive
from testbed.validation.keeping.store import FORMAT
from tests.records.build import transfer
from tests.validation.cells import FREE, observation

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["WORLD", "index", "members", "truth", "written"]

WORLD: Any = {
    "code": "c", "python": "3", "kernel": "k", "openssl": "o", "libc": "l", "machine": "m", "programs": {"nginx": "n"},
    "writers": "w",
}  # fmt: skip


def index(*cells: str, **changes: Any) -> Any:
    entries = [
        {
            "id": cell, "part": "development", "condition": cell.partition("/")[0], "number": 1,
            "folder": f"cells/{cell.replace('/', '-')}",
        }
        for cell in cells
    ]  # fmt: skip
    return {
        "format": 1, "title": "Small", "suite": "small", "held_out_seed": "x", "version": "0.1.0", "captures": "none",
        "world": WORLD, "cells": entries,
    } | changes  # fmt: skip


def truth(cell: str, *, is_throttled: bool, **changes: Any) -> Any:
    """A cell of one line: a target that is throttled or not, and a free control."""
    record = {
        "format": FORMAT, "scenario": "throttling/policed", "settings": [], "seed": 1, "twin": False, "valid": True,
        "problems": [], "limits": {}, "observations": {"line": "0" * 64}, "replay": f"testbed run {cell} --seed 1",
        "transfers": [
            transfer(id="line/1", line="line", role="target", **({} if is_throttled else FREE)),
            transfer(id="line/2", line="line", role="control", **FREE),
        ],
    } | changes  # fmt: skip
    label = "throttled" if is_throttled else "not throttled"
    return {"format": 1, "id": cell, "labels": {"line": label}, "measurements": [], "record": record}


def members() -> dict[str, Any]:
    """A corpus of two cells, of which one is throttled; contents that are no bytes are written as JSON."""
    return {
        "README.md": b"",
        "corpus.json": index("policed/1", "clean/1"),
        "cells/policed-1/truth.json": truth("policed/1", is_throttled=True),
        "cells/policed-1/line.observation.json": observation_to_json(observation()).encode(),
        "cells/clean-1/truth.json": truth("clean/1", is_throttled=False),
        "cells/clean-1/line.observation.json": observation_to_json(observation(target_bps=4e6)).encode(),
    }


def written(path: Path, contents: dict[str, Any] | None = None) -> Path:
    """Write a corpus; its checksums are right."""
    found = members() if contents is None else contents
    write_archive(
        path, {name: each if isinstance(each, bytes) else json.dumps(each).encode() for name, each in found.items()}
    )
    return path
