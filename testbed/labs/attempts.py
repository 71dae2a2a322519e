"""What students try by themselves: a run against the hidden condition of a case, of which they get what its client saw.

The run directory, with scenario and ground truth, is made aside and removed.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from testbed.engine.engine import DEFAULT_ENGINE, ENGINES
from testbed.engine.run import run_plan
from testbed.errors import InputError, InvalidRunError
from testbed.labs.desk import hidden_settings
from testbed.labs.making import scenario_of
from testbed.labs.tried import TRIES
from testbed.probing.probe import ProbeRequest, plan_probe, read_findings
from testbed.quantities import format_rate, shown
from testbed.records.run import RunDirectory
from testbed.report.table import format_table
from testbed.scenario.plan import make_plan
from testbed.traffic.evasion import EVASIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from testbed.engine.kernel import KernelInfo
    from testbed.labs.lab import LabFile
    from testbed.labs.tried import Attempt
    from testbed.scenario.plan import Plan

__all__ = ["attempt_evasion", "attempt_probe", "attempt_table", "keep_attempt"]

_SILENCE_S: Final = 120.0
_SIZE, _TIMEOUT = "100 kB", "60 s"
_CLIENT_SEES = ("name", "role", "ok", "bytes", "duration_s", "goodput_bps", "error")
_NOT_CONCLUDED = frozenset(
    {"router", "ttl", "held_back", "name", "idle_s", "opened_from", "hello_by", "before", "flows", "read"}
)


def attempt_evasion(lab: LabFile, seed: int, case: str, name: str, say: Callable[[str], None], *, sni: str) -> Attempt:
    """Bring a hello past the box in one way, with an ordinary one and a harmless one beside it.

    Raises:
        InputError: The lab has no such try, or there is no such evasion or case. `TestbedError`: The run failed.
    """
    _require(lab, "evade")
    if name not in EVASIONS:
        raise InputError(f"--evade {shown(name)}: no such evasion; there are: {', '.join(EVASIONS)}")
    pick, settings, run_seed = hidden_settings(lab, seed, case)
    # In one run, one after the other, so that both meet the same line.
    target = {"evade": name, "role": "target", "sni": sni, "size": _SIZE, "timeout": _TIMEOUT}
    control = {"evade": "other-name", "role": "control", "size": _SIZE, "timeout": _TIMEOUT}
    changes = ["recordings=[]", f"measurements={json.dumps([target, control])}"]
    plan = make_plan(
        scenario_of(lab, pick.condition), [*settings, *changes], seed=run_seed, engine=DEFAULT_ENGINE, command=None
    )
    with tempfile.TemporaryDirectory(prefix="testbed-lab-") as aside:
        folder = Path(aside) / "run"
        _run(plan, ENGINES[DEFAULT_ENGINE].prepare(say), folder)
        found = RunDirectory.open(folder).manifest()["transfers"]
    # The manifest has the truth beside what the client saw: what is taken is named, not what is left out.
    summaries: list[Mapping[str, object]] = [*found]
    seen = [{key: each[key] for key in _CLIENT_SEES} for each in summaries]
    return {"format": 1, "lab": lab.name, "case": case, "what": "evade", "name": name, "seen": seen}


def attempt_probe(
    lab: LabFile,
    seed: int,
    case: str,
    probe: str,
    say: Callable[[str], None],
    *,
    sni: str,
    names: Path | None,
    options: list[str],
) -> Attempt:
    """Probe the box from the client; return what its conversations showed, and no conclusion.

    Raises:
        InputError: The lab has no such try, or there is no such case. `TestbedError`: The run failed.
    """
    _require(lab, f"probe {probe}")
    pick, settings, run_seed = hidden_settings(lab, seed, case)
    request = ProbeRequest.from_words(probe, options, line=None, sni=sni, names=names)
    plan = plan_probe(scenario_of(lab, pick.condition), list(settings), request, seed=run_seed, engine=DEFAULT_ENGINE)
    with tempfile.TemporaryDirectory(prefix="testbed-lab-") as aside:
        folder = Path(aside) / "run"
        _run(plan, ENGINES[DEFAULT_ENGINE].prepare(say), folder)
        found = read_findings(plan, folder)
    # "Free" would say nothing where nothing is held back.
    if not found["plain_held_back"]:
        raise InputError(
            "the probe saw no difference between a plain hello and a harmless one: nothing is held back here"
        )
    # Each probe lists its conversations under a key of its own; its conclusion stands beside that, and stays here.
    listed = next(value for key, value in found.items() if key in {"tried", "names", "cases", "steps"})
    seen = [{key: value for key, value in each.items() if key in _NOT_CONCLUDED} for each in listed]
    return {"format": 1, "lab": lab.name, "case": case, "what": "probe", "name": probe, "seen": seen}


def _require(lab: LabFile, what: str) -> None:
    if what not in lab.lab.tries:
        allowed = ", ".join(lab.lab.tries) or "none; everything that it needs is in the folder"
        raise InputError(f"{what}: no try of {lab.name}; there are: {allowed}")


def _run(plan: Plan, kernel: KernelInfo, folder: Path) -> None:
    manifest = run_plan(plan, kernel, folder, silence_s=_SILENCE_S, progress=lambda _: None)
    if not manifest["valid"]:
        raise InvalidRunError(f"this try says nothing: {'; '.join(manifest['problems'])}; try again")


def attempt_table(attempt: Attempt) -> str:
    """Return what was seen, for people."""
    if attempt["what"] == "evade":
        rows = [
            (
                str(each["name"]), str(each["role"]), "arrived" if each["ok"] else str(each["error"]),
                format_rate(each["goodput_bps"]) if isinstance(each["goodput_bps"], float) else "–",
            )
            for each in attempt["seen"]
        ]  # fmt: skip
        return format_table(("what the client did", "role", "", "goodput"), rows)
    heads = tuple(attempt["seen"][0]) if attempt["seen"] else ()
    return format_table(
        [each.replace("_", " ") for each in heads], [[_cell(each[head]) for head in heads] for each in attempt["seen"]]
    )


def _cell(value: object) -> str:
    return (
        {True: "yes", False: "no"}[value]
        if isinstance(value, bool)
        else f"{value:.4g}"
        if isinstance(value, float)
        else str(value)
    )


def keep_attempt(folder: Path, attempt: Attempt) -> Path:
    """Keep a try in the student's folder, beside earlier ones; return the file.

    Raises:
        InputError: The folder cannot be written.
    """
    place = folder / TRIES
    try:
        place.mkdir(exist_ok=True)
        # None is written over: they are the history of what somebody thought.
        number = 1 + sum(1 for _ in place.glob("*.json"))
        path = place / f"{number:03}.json"
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(attempt, indent=1) + "\n")
    except OSError as error:
        raise InputError(f"cannot write to {place}: {error.strerror}") from error
    return path
