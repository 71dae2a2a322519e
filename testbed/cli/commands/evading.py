"""Ways past the boxes, all of them, before one censor after the other: ``evade``."""

from __future__ import annotations

import contextlib
import csv
import json
import multiprocessing
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from testbed import run
from testbed.api import plan_of
from testbed.cli.progress import say, show
from testbed.errors import InputError, InvalidRunError, ScenarioError
from testbed.plain_text import choices
from testbed.report.table import format_table
from testbed.scenario.profiles import load_family, load_profile, profile_for
from testbed.traffic.evasion import EVASIONS
from testbed.validation.running.carriers import processors

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from datetime import datetime

    from testbed.api import Transfer
    from testbed.middlebox.profile import Profile
    from testbed.scenario.profiles import CensorProfile

__all__ = ["evade_command"]

_CENSORS = (
    "ru-tw-2021a", "ru-tw-2021c", "ru-tw-2022-III", "ru-2022-I", "ru-2022-II", "ru-2022-IV", "ru-quic-2022",
    "ru-yt-2024-tcp", "ru-yt-2024-quic", "ru-16k-2025",
)  # fmt: skip
_AS_FAST = 0.8  # of what the same way gives on a line without a box
_TIMEOUT = "60 s"
_LITERAL = ("exact", "suffix", "substring")
_NAME = "twitter.com"
_MEGA = 1e6

Outcome = Literal["passes", "slowed", "ended", "impossible"]


class Cell(NamedTuple):
    """One way before one censor.

    Attributes:
        evasion: The way.
        censor: As it was named, with the date if there is one.
        sni: The name that was asked for.
        outcome: ``passes``: as fast as without a box. ``impossible``: it does not work without a box either.
        goodput_bps: With the box; None: the transfer failed.
        free_bps: Without; None: it failed there.
        error: Of the transfer with the box.
    """

    evasion: str
    censor: str
    sni: str
    outcome: Outcome
    goodput_bps: float | None
    free_bps: float | None
    error: str | None

    def in_words(self) -> str:
        """Return what stands in the table."""
        if self.outcome == "impossible":
            return "–"
        if self.goodput_bps is None:
            return "reset" if "reset" in str(self.error).lower() else "ended"
        rate = f"{self.goodput_bps / 1e6:.2f} M" if self.goodput_bps >= _MEGA else f"{self.goodput_bps / 1e3:.0f} k"
        return rate if self.outcome == "passes" else f"{rate} slowed"


class _Task(NamedTuple):
    censor: str
    sni: str
    document: dict[str, object]
    folder: Path
    seed: int | None


def evade_command(arguments: argparse.Namespace) -> int:
    """Try every way before every censor, and print a table."""
    ways = list(dict.fromkeys(arguments.evasion or EVASIONS))
    for way in ways:
        if way not in EVASIONS:
            raise InputError(f"--evasion {way}: no such evasion; {choices(way, EVASIONS)}")
    with tempfile.TemporaryDirectory(prefix="testbed-") as temporary:
        folder = arguments.output or Path(temporary)
        tasks = [
            _task(censor, date, ways, arguments, folder)
            for censor in dict.fromkeys(arguments.censor or _CENSORS)
            for date in dict.fromkeys(arguments.date or [None])
        ]
        # All plans first: a mistake in the last censor is told before the first has run.
        for task in tasks:
            _require_box(task)
        cells: list[Cell] = []
        invalid: list[str] = []
        # By a server that forks: to fork this process would copy what its threads hold.
        context = multiprocessing.get_context("forkserver")
        with ProcessPoolExecutor(min(len(tasks), arguments.jobs or processors()), mp_context=context) as pool:
            for done, (task, found) in enumerate(zip(tasks, pool.map(_tried, tasks), strict=True), start=1):
                if isinstance(found, str):
                    invalid.append(f"{task.censor}: {found}")
                else:
                    cells += found
                say(f"testbed: {done} of {len(tasks)} censors tried: {task.censor}")
    if arguments.json:
        show(json.dumps([cell._asdict() for cell in cells], indent=1))
    elif arguments.csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(Cell._fields)
        writer.writerows(cells)
    elif cells:
        show(_table(ways, list(dict.fromkeys(cell.censor for cell in cells)), cells))
    for why in invalid:
        say(f"invalid run: {why}")
    return 4 if invalid else 0


def _require_box(task: _Task) -> None:
    """Refuse a censor that does nothing then: every way would pass a cable.

    Raises:
        InputError: It does nothing.
        ScenarioError: The scenario cannot be used.
    """
    plan = plan_of(task.document, seed=task.seed).data
    if not any(box["profile"] is not None for box in plan["boxes"].values()):
        why = plan["without_box"].get("boxed", "it has no profile then")
        raise InputError(f"--censor {task.censor}: no box would act on a landline: {why}; choose another --date")


def _task(
    censor: str, date: datetime | None, ways: Sequence[str], arguments: argparse.Namespace, folder: Path
) -> _Task:
    name = censor if date is None else f"{censor} {date:%Y-%m-%d}"
    found = _profile(censor) if date is None else profile_for(censor, date, "landline")
    sni = arguments.sni
    if sni is None:
        sni = _NAME if found is None else _hit_name(found.profile)
    # Beside each other in one run: a way that a server does not take fails on the free line, too.
    lines = [
        {"name": line, "kind": "landline", "tspu": True, "censor": who}
        for line, who in (("boxed", censor), ("free", "none"))
    ]
    measurements = [
        {"evade": way, "role": "target", "sni": sni, "size": arguments.size, "timeout": _TIMEOUT} for way in ways
    ]
    document: dict[str, object] = {
        "format": 1, "title": f"Ways past {name}", "about": "Each way once.",
        "date": f"{date:%Y-%m-%dT%H:%M:%SZ}" if date is not None else _date_of(censor),
        "network": {"topology": "russia2021"}, "lines": lines,
        "origins": {"origin": {"serves": ["example.com"]}}, "replay_server": "university",
        "measurements": measurements, "captures": {"client": "headers", "box": "compared"},
    }  # fmt: skip
    return _Task(name, sni, document, folder / name.replace("/", "_").replace(" ", "_"), arguments.seed)


def _profile(censor: str) -> CensorProfile:
    try:
        return load_profile(censor)
    except ScenarioError as error:
        with contextlib.suppress(ScenarioError):
            members = ", ".join(each.profile.name for each in load_family(censor))
            if members:
                raise InputError(f"--censor {censor}: this is a family ({members}); say which with --date") from error
        raise


def _date_of(censor: str) -> str:
    """Return a date on which the profile is valid, as the scenario has to have one."""
    since = load_profile(censor).profile.valid_from
    return since or "2021-03-10T09:00:00Z"


def _hit_name(profile: Profile) -> str:
    """Return a name that a rule of the profile hits; where rules go by something else, any name will do."""
    # A regular expression says what it hits, and not what to write: who has one gives a name.
    for rule in profile.rules:
        if rule.kind in _LITERAL:
            pattern = str(rule.patterns[0])
            return f"www{pattern}" if pattern.startswith(".") else pattern
    return _NAME


def _tried(task: _Task) -> list[Cell] | str:
    """Run all ways before one censor, and beside it without one; return why the run must not be used, if so."""
    try:
        result = run(task.document, seed=task.seed, output=task.folder)
    except InvalidRunError as error:
        return str(error)
    by_line = {line: [each for each in result.transfers if each.line == line] for line in ("boxed", "free")}
    return [
        Cell(_way(boxed), task.censor, task.sni, _outcome(boxed, free), _speed(boxed), _speed(free), boxed.error)
        for boxed, free in zip(by_line["boxed"], by_line["free"], strict=True)
    ]


def _way(transfer: Transfer) -> str:
    return transfer.name.split(" (")[0]


def _speed(transfer: Transfer) -> float | None:
    return transfer.goodput_bps if transfer.ok else None


def _outcome(boxed: Transfer, free: Transfer) -> Outcome:
    if not free.ok:
        return "impossible"
    if not boxed.ok:
        return "ended"
    return "passes" if (boxed.goodput_bps or 0.0) >= _AS_FAST * (free.goodput_bps or 0.0) else "slowed"


def _table(ways: Sequence[str], censors: Sequence[str], cells: Sequence[Cell]) -> str:
    found = {(cell.evasion, cell.censor): cell for cell in cells}
    rows = [(way, *(found[way, censor].in_words() for censor in censors)) for way in ways]
    passing = [sum(found[way, censor].outcome == "passes" for way in ways) for censor in censors]
    rows.append(("pass", *(f"{count} of {len(ways)}" for count in passing)))
    names = {cell.censor: cell.sni for cell in cells}
    text = format_table(("way", *censors), rows, right=frozenset(range(1, len(censors) + 1)))
    asked = ", ".join(f"{censor}: {names[censor]}" for censor in censors)
    return f"{text}\n\ngoodput in bit/s; –: the way does not work without a box either\nname in the hello: {asked}"
