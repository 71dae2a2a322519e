"""Cells of a corpus made again, here and now, and compared with it byte by byte.

What a byte depends on is in the index. Where this machine has another version of it, a difference would say nothing
about the corpus: then nothing is compared, and this is said.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.errors import InputError
from testbed.quantities import shown
from testbed.scenario import library
from testbed.scenario.document import Document
from testbed.validation.cells import Cell
from testbed.validation.corpus.contents import read_truth
from testbed.validation.corpus.part import make_part, world_of
from testbed.validation.keeping.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbed.engine.kernel import KernelInfo
    from testbed.validation.corpus.archive import Archive
    from testbed.validation.corpus.contents import CellEntry, Index
    from testbed.validation.suite import Part

__all__ = ["differences", "made_by_others", "sample"]


def sample(index: Index, count: int, lot: str) -> list[CellEntry]:
    """Return some cells of a corpus, drawn; all of them, if there are no more.

    Args:
        index: Of the corpus.
        count: How many.
        lot: From which they are drawn.
    """
    # The same ones each time: who gives the command again wants to see the same thing mended.
    drawn = random.Random(lot).sample(index["cells"], min(count, len(index["cells"])))  # noqa: S311 - no secret
    return sorted(drawn, key=index["cells"].index)


def made_by_others(index: Index, kernel: KernelInfo) -> list[str]:
    """Return what the corpus was made by, where this machine has something else."""
    here = world_of(kernel)
    then = index["world"]
    found = [
        f"{name}: {then[name]}, here {here[name]}"
        for name in ("code", "kernel", "python", "openssl", "libc", "machine", "writers")
        if then[name] != here[name]
    ]
    programs = {*then["programs"], *here["programs"]}
    changed = sorted(name for name in programs if then["programs"].get(name) != here["programs"].get(name))
    return found + [f"{name}: another version" for name in changed]


def differences(archive: Archive, index: Index, cells: Sequence[CellEntry], kernel: KernelInfo) -> list[str]:
    """Make cells again; return what is not as the corpus has it, member by member.

    Args:
        archive: The corpus.
        index: Of it.
        cells: Those to make.
        kernel: Of the guest.

    Raises:
        InputError: What the corpus says of a cell cannot be run.
    """
    found: list[str] = []
    with tempfile.TemporaryDirectory(prefix="testbed-corpus-") as folder:
        # A store of its own: what this machine has kept of earlier builds would only be compared with itself.
        store = Store(Path(folder) / "store")
        for entry in cells:
            cell = _cell(archive, entry, Path(folder))
            part = make_part(cell, kernel, store, index["captures"])
            then = {name for name in archive.names if name.startswith(f"{entry['folder']}/")}
            now = {f"{entry['folder']}/{path.name}": path for path in part.iterdir()}
            found += [f"{name}: only in the corpus" for name in sorted(then - now.keys())]
            found += [f"{name}: not in the corpus" for name in sorted(now.keys() - then)]
            found += [
                f"{name}: {_difference(archive.read(name), now[name].read_bytes())}"
                for name in sorted(then & now.keys())
                if archive.read(name) != now[name].read_bytes()
            ]
    return found


def _cell(archive: Archive, entry: CellEntry, folder: Path) -> Cell:
    record = read_truth(archive, entry)["record"]
    where = f"{archive.path}: {entry['id']}"
    scenario = record["scenario"]
    own = f"{entry['folder']}/{scenario}"
    if own in archive.names:  # no packaged one: the corpus brings it
        path = folder / entry["folder"] / Path(scenario).name
        path.parent.mkdir(parents=True)
        path.write_bytes(archive.read(own))
        scenario = str(path)
    else:
        path = library.find("scenarios", scenario)
        # A path would be one of this machine's, chosen by whoever made the corpus.
        if not path.is_relative_to(library.folder("scenarios")):
            raise InputError(f"{where}: its scenario {shown(scenario)} is neither packaged nor in the corpus")
    _require_packaged_topology(where, path, record["settings"])
    if entry["part"] not in {"held_out", "development"}:
        raise InputError(f"{where}: no suite has a part {shown(entry['part'])}")
    part: Part = "held_out" if entry["part"] == "held_out" else "development"
    return Cell(part, entry["condition"], entry["number"], scenario, tuple(record["settings"]), record["seed"])


def _require_packaged_topology(where: str, path: Path, settings: Sequence[str]) -> None:
    """Refuse a topology that is no packaged one, before a plan is made of it.

    Raises:
        InputError: It is a program, which would run here: whoever made the corpus may have chosen any on this machine,
            one among them that was unpacked from it.
    """
    document = Document.load(path)
    for setting in settings:
        document.set(setting)
    network = document.data.get("network")
    topology = network.get("topology") if isinstance(network, dict) else None
    if topology not in library.names("topologies"):
        raise InputError(
            f"{where}: its topology {shown(topology)} is none of the packaged ones, and no program is run for a corpus"
        )


def _difference(then: bytes, now: bytes) -> str:
    at = next((at for at, (one, other) in enumerate(zip(then, now, strict=False)) if one != other), None)
    if at is None:
        return f"{len(then)} bytes in the corpus, {len(now)} now"
    return f"differs from byte {at} on"
