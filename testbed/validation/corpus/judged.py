"""Detectors asked about a corpus. Nothing is emulated, and nothing of what emulates is loaded: any platform will do."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from testbed.detectors.detect import judge
from testbed.detectors.program import TIMEOUT_S
from testbed.detectors.sources.observation_json import observation_from_json
from testbed.records.label import COUNTED
from testbed.validation.corpus.contents import read_truth
from testbed.validation.keeping.store import verdict_record
from testbed.validation.scoring.scores import Scored
from testbed.validation.truth import line_truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from testbed.records.label import Label, Treatment
    from testbed.validation.corpus.archive import Archive
    from testbed.validation.corpus.contents import Index

__all__ = ["OBSERVATION", "judged"]

OBSERVATION: Final = ".observation.json"
_MOST_BYTES: Final = 1 << 30  # of an observation


def judged(
    archive: Archive,
    index: Index,
    detectors: Sequence[str],
    *,
    counted: Mapping[Treatment, Label] = COUNTED,
    timeout_s: float = TIMEOUT_S,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Iterator[Scored]:
    """Yield what detectors say of each line that has a label.

    Args:
        archive: The corpus.
        index: Of it.
        detectors: Names.
        counted: How treatments count.
        timeout_s: What a program may take for one observation.
        progress: Called with how many cells are done, of how many.

    Raises:
        InputError: The corpus is damaged, or a detector is none. `MissingError`: A program cannot be started.
    """
    for done, cell in enumerate(index["cells"]):
        progress(done, len(index["cells"]))
        record = read_truth(archive, cell)["record"]
        for line in record["observations"]:
            truth = line_truth(record["transfers"], record["limits"], line, counted)
            if truth.label == "left out":
                continue
            name = f"{cell['folder']}/{line}{OBSERVATION}"
            data = archive.read(name, most_bytes=_MOST_BYTES)
            observation = observation_from_json(data, where=f"{archive.path}: {name}")
            # Two lines with one history are one piece of evidence: the table counts histories by this.
            digest = hashlib.sha256(data).hexdigest()
            for detector in detectors:
                verdict, failed = judge(detector, observation, timeout_s=timeout_s)
                said = verdict_record(detector, verdict, failed=failed)
                yield Scored(cell["part"], cell["condition"], cell["id"], line, digest, detector, truth, said)
    progress(len(index["cells"]), len(index["cells"]))
