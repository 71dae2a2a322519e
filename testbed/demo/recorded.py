"""Recorded runs as a site: the page with its files, for `testbed demo RUN` and for a folder on any web server or stick.

A run's records are a script of its own, since a page that was opened as a file may load no other kind.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed.demo.growing import read_plan, recorded
from testbed.demo.outcome import outcome
from testbed.demo.page import RECORDED, index_html, page_file, page_html
from testbed.demo.scene import VOTES
from testbed.demo.session import head
from testbed.errors import InputError, RecordError
from testbed.records.files import replacing
from testbed.records.plan import planned_transfers
from testbed.records.run import RunDirectory
from testbed.records.standing import MALFORMED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from testbed.demo.feed import PageRecord
    from testbed.demo.scene import Choice
    from testbed.records.plan import PlanDocument

__all__ = ["export", "run_messages", "site"]

Message = dict[str, object]


def run_messages(path: Path, *, is_guess: bool, choice: Choice | None = None) -> list[Message]:
    """Return what a browser is told of a finished run.

    Args:
        path: The run directory. An invalid run is shown, too, and says that it is one.
        is_guess: Whether box and truth wait until somebody presses Reveal. They are in the page's script all the same.
        choice: What was the matter, as the page offers it; None: it is not known.

    Raises:
        RecordError: No run directory, or a run that is not complete.
    """
    run = RunDirectory.open(path)
    manifest = run.manifest()
    if manifest.get("state") != "complete":
        raise RecordError(f"{path}: the run is {manifest.get('state')!r}, not complete; run it again")
    plan = read_plan(path)
    try:
        records, unread = recorded(path)
        told: list[Message] = [
            head(plan, is_hidden=False) | {"secret": True},
            {"kind": "records", "r": _drawn(plan, records)},
            outcome(manifest, run.verdicts(), choice, unread=unread) | {"secret": True},
        ]
    except MALFORMED as error:
        raise RecordError(f"{path}: its records contradict the run format: {error!r}; run it again") from error
    says = f"a recorded run, engine {manifest['engine']}, seed {manifest['seed']}"
    state: Message = {
        "kind": "state", "phase": "recorded", "says": says, "hidden": is_guess, "votes": [[name, 0] for name in VOTES],
    }  # fmt: skip
    return [state, *([head(plan, is_hidden=True)] if is_guess else []), *told]


def _drawn(plan: PlanDocument, records: list[PageRecord]) -> list[PageRecord]:
    """Leave out the segments of flows that the page does not draw: most of a long run is theirs."""
    target = next((each["id"] for each in planned_transfers(plan) if each["role"] == "target"), None)
    flows = {record[4] for record in records if record[0] == "t" and record[2] == target}
    return [record for record in records if record[0] != "p" or record[2] in flows]


def site(paths: Sequence[Path], *, is_guess: bool, choices: Sequence[Choice] = ()) -> dict[str, bytes]:
    """Return the files of a site that shows recorded runs, by name.

    Args:
        paths: Run directories.
        is_guess: See `run_messages`.
        choices: What was the matter in each; empty: it is not known.

    Raises:
        RecordError: As `run_messages`.
    """
    # A script with data and one with code: the data cannot end the page's own script.
    files = {name: page_file(name).encode() for name in ("demo.css", "demo.js")}
    titles = []
    for nth, path in enumerate(paths, start=1):
        messages = run_messages(path, is_guess=is_guess, choice=choices[nth - 1] if choices else None)
        data = json.dumps(messages, separators=(",", ":"), allow_nan=False)
        files[f"run-{nth}.js"] = f"globalThis.recordedRun = {data};\n".encode()
        files[f"run-{nth}.html"] = page_html(RECORDED, scripts=(f"run-{nth}.js",)).encode()
        manifest = RunDirectory.open(path).manifest()
        title = "Guess first: what is wrong here?" if is_guess else manifest["title"]
        titles.append((f"run-{nth}", f"{nth}. {title}"))
    files["index.html"] = index_html(titles).encode()
    return files


def export(
    paths: Sequence[Path], folder: Path, *, is_guess: bool, animate: Callable[[Path, Path], bool] = lambda *_: False
) -> list[Path]:
    """Write a site, and an animation beside each run that has data for one; return the files.

    Args:
        paths: Run directories.
        folder: A new or empty one.
        is_guess: See `run_messages`.
        animate: Draws a run into a file; returns whether there was anything to draw.

    Raises:
        InputError: No runs, or a folder with something in it.
        RecordError: As `run_messages`; or the folder cannot be written.
    """
    if not paths:
        raise InputError("--export: name the runs to show, such as results/runs/2021-03-10-seed1-1")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"--export {folder}: there is something already; name a new folder")
    files = site(paths, is_guess=is_guess)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            with replacing(folder / name) as file:
                file.write(data)
        drawn = [name for nth, path in enumerate(paths, 1) if animate(path, folder / (name := f"run-{nth}.gif"))]
    except OSError as error:
        raise RecordError(f"cannot write to {folder}: {error.strerror}") from error
    return [folder / name for name in (*files, *drawn)]
