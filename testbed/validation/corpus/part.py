"""What of a cell goes into a corpus: its run, made once more with all captures, and written in every format.

Parts are kept in the store, like cells, so that a corpus that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import testbed
from testbed.detectors.outputs.ndt7_json import ndt7_result
from testbed.detectors.outputs.ooni_json import ooni_measurement
from testbed.detectors.sources.observation_json import observation_from_json
from testbed.engine.judge.captured import tls_secrets
from testbed.engine.judge.fingerprint import world_fingerprint
from testbed.errors import InvalidRunError
from testbed.records.capture_file import read_frames
from testbed.records.files import open_regular
from testbed.records.headers_only import HeadersOnly
from testbed.records.label import label
from testbed.records.pcap_writer import write_pcap
from testbed.records.pcapng import write_pcapng
from testbed.scenario import library
from testbed.validation.cells import plan_cell
from testbed.validation.corpus.contents import FORMAT, TRUTH
from testbed.validation.corpus.judged import OBSERVATION
from testbed.validation.keeping.aside import work_folder
from testbed.validation.keeping.folders import find_folder, keep_folder
from testbed.validation.running.work import run_cell
from testbed.validation.truth import line_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from testbed.engine.kernel import KernelInfo
    from testbed.records.capture_file import Frame
    from testbed.records.manifest import TransferSummary
    from testbed.validation.cells import Cell
    from testbed.validation.corpus.contents import Measured, Truth, World
    from testbed.validation.keeping.store import CellRecord, Store

__all__ = ["cut_to_headers", "make_part", "part_key", "world_of"]

_VERSION: Final = "1"  # of the testbed's own name in OONI and ndt7 files: a release must not change their bytes
_ENDS: Final = ("-client", "-server")  # a measurer's captures; those at the box are ground truth
_ROOT: Final = Path(testbed.__file__).parent
_WRITERS: Final = (
    "capture/*.py", "detectors/observation.py", "detectors/outputs/*.py", "detectors/sources/*.py", "records/*.py",
    "validation/corpus/part.py", "validation/running/work.py", "validation/truth.py",
)  # fmt: skip


def world_of(kernel: KernelInfo) -> World:
    """Return what the bytes of all parts depend on here."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _WRITERS for path in _ROOT.glob(pattern)):
        digest.update(path.read_bytes())
    return {**world_fingerprint(kernel), "writers": digest.hexdigest()[:16]}


def part_key(cell: Cell, kernel: KernelInfo, captures: str) -> str:
    """Return the key of a part: of all that its bytes depend on.

    Raises:
        ScenarioError: The cell's scenario cannot be used.
    """
    # Its name and part are in the key, for they are in its truth; the same run of another condition is another part.
    depends_on = f"{plan_cell(cell, kernel)[0]} {captures} {world_of(kernel)['writers']} {cell.id} {cell.part}"
    return hashlib.sha256(depends_on.encode()).hexdigest()[:32]


def make_part(cell: Cell, kernel: KernelInfo, store: Store, captures: str) -> Path:
    """Return the folder of a part, made now if it is not there.

    Args:
        cell: The run.
        kernel: Of the guest.
        store: Where it is kept.
        captures: ``none``, ``headers`` or ``whole``.

    Raises:
        InvalidRunError: The run must not be scored, and so is no part of a corpus.
    """
    key = part_key(cell, kernel, captures)
    if (place := find_folder(store, "parts", key)) is not None:
        return place
    with work_folder(store.path / "work") as work:
        part = work / "part"
        part.mkdir()
        _fill(part, cell, kernel, work / "run", captures)
        return keep_folder(store, "parts", key, part)


def _fill(part: Path, cell: Cell, kernel: KernelInfo, run: Path, captures: str) -> None:
    _, plan = plan_cell(cell, kernel)
    record, observations = run_cell(cell, plan, kernel, run)
    if not record["valid"]:
        raise InvalidRunError(f"{cell.id}: do not score this run: {'; '.join(record['problems'])}")
    measured: list[Measured] = []
    for line, text in observations.items():
        # Byte for byte what `testbed validate` gives detectors: scores of both must be the same.
        (part / f"{line}{OBSERVATION}").write_text(text)
        measured += _write_measurements(part, line, text, plan.data["start_ns"], record["transfers"])
    # The store's digests are shorter; here they are those of SHA256SUMS.
    record["observations"] = {line: hashlib.sha256(text.encode()).hexdigest() for line, text in observations.items()}
    _take_scenario(part, cell, record)
    truth: Truth = {
        "format": FORMAT, "id": cell.id,
        "labels": {line: line_label(record["transfers"], line) for line in observations},
        "measurements": measured, "record": record,
    }  # fmt: skip
    (part / TRUTH).write_text(json.dumps(truth, indent=1) + "\n")
    if captures != "none":
        _write_captures(part, run, is_whole=captures == "whole")


def _take_scenario(part: Path, cell: Cell, record: CellRecord) -> None:
    """Put the scenario's file beside the rest, if it is no packaged one: elsewhere nobody has it."""
    path = library.find("scenarios", cell.scenario)
    if str(path) == cell.scenario:
        (part / path.name).write_bytes(path.read_bytes())
        record["scenario"] = path.name
        record["replay"] = record["replay"].replace(cell.scenario, path.name)


def _write_measurements(
    part: Path, line: str, text: str, begun_ns: int, transfers: Sequence[TransferSummary]
) -> list[Measured]:
    """Write the downloads of a line as OONI and as ndt7 would have recorded them; return what is where."""
    labels = {each["id"]: label(each) for each in transfers}
    found: list[Measured] = []
    ooni: list[str] = []
    for number, each in enumerate(observation_from_json(text).transfers, start=1):
        measured: Measured = {
            "id": each.id, "line": line, "role": str(each.role), "name": each.server_name, "label": labels[each.id],
            "ooni": None, "ndt7": None,
        }  # fmt: skip
        if (measurement := ooni_measurement(each, begun_ns=begun_ns, version=_VERSION)) is not None:
            ooni.append(f"{json.dumps(measurement)}\n")
            measured["ooni"] = len(ooni)
        if (result := ndt7_result(each, begun_ns=begun_ns, version=_VERSION)) is not None:
            measured["ndt7"] = name = f"{line}.{number:02}.ndt7.json"
            (part / name).write_text(json.dumps(result, indent=1) + "\n")
        found.append(measured)
    if ooni:
        (part / f"{line}.ooni.jsonl").write_text("".join(ooni))
    return found


def _write_captures(part: Path, run: Path, *, is_whole: bool) -> None:
    """Write what was captured at clients and servers, each as pcapng and as classic pcap."""
    secrets = tls_secrets(run) if is_whole else b""  # without payload there is nothing to decrypt
    if secrets:
        (part / "tls-keys.txt").write_bytes(secrets)
    for path in sorted((run / "captures").glob("*.pcapng*")):
        name = path.name.partition(".pcapng")[0]
        if not name.endswith(_ENDS):
            continue
        # Read twice, since a capture may be larger than memory.
        write_pcapng(part / f"{name}.pcapng", _frames(path, is_whole), interface=name, secrets=secrets, comments={})
        write_pcap(part / f"{name}.pcap", _frames(path, is_whole))


def _frames(path: Path, is_whole: bool) -> Iterator[Frame]:  # noqa: FBT001 - of this file alone
    with open_regular(path) as file:
        yield from read_frames(file) if is_whole else cut_to_headers(read_frames(file))


def cut_to_headers(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Yield the frames of a capture with their headers alone, and what opens each connection."""
    # It remembers how connections opened, so there is one for each capture.
    headers = HeadersOnly()
    for frame in frames:
        data = frame.data[: headers.kept(frame.data)]
        yield frame._replace(data=data, length=frame.length or (len(frame.data) if len(data) < len(frame.data) else 0))
