"""The runs of a demonstration, one after the other, and what browsers have to be told of them.

Each run is `testbed run` in a process of its own: it can be stopped, its memory is given back, and what it says on
standard error is what the page shows. Browsers that come late are told all of the run from its beginning.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from testbed.demo.growing import GrowingRun, read_plan
from testbed.demo.network_drawing import draw_network
from testbed.demo.outcome import outcome
from testbed.demo.scene import SCENARIO, VOTES, Choice, settings
from testbed.errors import InputError, MissingError, RecordError, TestbedError
from testbed.plain_text import one_line
from testbed.records.plan import planned_transfers
from testbed.records.run import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from testbed.demo.feed import PageRecord
    from testbed.records.plan import PlanDocument

__all__ = ["Session", "head"]

_LOOK_S = 0.1  # how often records are looked for: more than four times a second
_BEAT_S = 1.0  # a browser that hears nothing for longer is gone, or its line is
_MOST_RECORDS = 100_000  # of one run: a box under a program's control could write without end
_MOST_VOTERS = 1000
_WITHOUT_A_GUEST = ". Recorded runs need none of it: end this, and call `testbed demo RUN` with the folder of one."
_ENDED = frozenset({"over", "failed"})
_OF_THE_BOX = frozenset("exp")  # kinds of records that tell where the box is, or that there is one


def head(plan: PlanDocument, *, is_hidden: bool) -> dict[str, object]:
    """Return what the page has to know of a run before its records."""
    return {
        "kind": "head",
        "title": "Guess first: what is wrong here?" if is_hidden else one_line(plan["title"]),
        "start_ms": plan["start_ns"] // 1_000_000,
        "network": draw_network(plan, with_boxes=not is_hidden),
        "transfers": [
            {key: one_line(str(each[key])) for key in ("id", "name", "line", "role")}
            for each in planned_transfers(plan)
        ],
    }


class Session:
    """One demonstration.

    Args:
        folder: Where the run directories go; made if need be.
        program: The words that call our command line.
    """

    def __init__(self, folder: Path, program: Sequence[str] = (sys.executable, "-m", "testbed.cli")) -> None:
        self._folder = folder
        self._program = program
        self._changed = threading.Condition()
        self._log: list[tuple[bool, str]] = []  # what was told: whether it tells of the box, and the message
        self._epoch = 0  # browsers begin anew when it changes
        self._state: dict[str, object] = {"phase": "idle", "says": "Choose, and press Start."}
        self._choice = Choice()
        self._is_hidden = False
        self._voters: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._player: threading.Thread | None = None
        self._runs = self._unread = self._untold = 0
        self._is_closed = False

    def start(self, choice: Choice) -> None:
        """Begin a run.

        Raises:
            InputError: Another one goes on.
        """
        with self._changed:
            if self._goes_on():
                raise InputError("a run goes on; stop it first, or wait for its end")
            # Who looks on begins anew with the new epoch, so nothing of the run before may be left to tell.
            self._choice, self._is_hidden = choice, choice.is_guess
            self._log.clear()
            self._voters.clear()
            self._epoch += 1
            self._runs += 1
            while (self._folder / f"run-{self._runs}").exists():  # of an earlier demonstration: it is kept
                self._runs += 1
            self._set("starting", "the kernel boots")
            self._player = threading.Thread(
                target=self._play, args=(choice, self._folder / f"run-{self._runs}"), daemon=True
            )
            self._player.start()

    def _goes_on(self) -> bool:
        """Return whether there is a run that has not told its end."""
        if self._player is None or not self._player.is_alive():
            return False
        if self._state["phase"] not in _ENDED:
            return True
        self._player.join()  # who was told of the end may press Start before the thread that told it is gone
        return False

    def stop(self) -> None:
        """End the run that goes on, if any; its records stay, marked incomplete."""
        process = self._process
        if process is not None and process.poll() is None:
            # as Ctrl-C would: the run ends its guest, and marks what was recorded as incomplete
            process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """End everything, and wait for it."""
        self._is_closed = True
        self.stop()
        if self._player is not None:
            self._player.join()
        with self._changed:
            self._changed.notify_all()

    def vote(self, voter: str, vote: object) -> None:
        """Count a vote; a second one of the same browser takes the place of its first.

        Raises:
            InputError: No such vote, or too many voters.
        """
        if vote not in VOTES:
            raise InputError(f"vote: expected one of {', '.join(VOTES)}, got {vote!r}")
        with self._changed:
            if voter not in self._voters and len(self._voters) >= _MOST_VOTERS:
                raise InputError(f"vote: more than {_MOST_VOTERS} voters")
            self._voters[voter] = str(vote)
            self._changed.notify_all()

    def reveal(self) -> None:
        """Show the box, and what was kept back: every browser is told the whole run again."""
        with self._changed:
            if self._is_hidden:
                self._is_hidden = False
                self._epoch += 1
                self._changed.notify_all()

    def messages(self) -> Iterator[str]:
        """Yield what a browser has to be told, as JSON, from the beginning of the run on and without end."""
        epoch, told, state = -1, 0, ""
        while not self._is_closed:
            with self._changed:
                self._changed.wait_for(lambda: (epoch, told) != (self._epoch, len(self._log)), timeout=_BEAT_S)  # noqa: B023
                if epoch != self._epoch:
                    epoch, told = self._epoch, 0
                    yield json.dumps({"kind": "reset"})
                fresh = [text for is_secret, text in self._log[told:] if not (is_secret and self._is_hidden)]
                told = len(self._log)
                state = self._state_message()
            # Told outside the lock: a browser that takes its time must not hold up the others.
            yield from fresh
            yield state

    def _state_message(self) -> str:
        votes = Counter(self._voters.values())
        shown: dict[str, object] = {"hidden": self._is_hidden, "votes": [[name, votes[name]] for name in VOTES]}
        if not self._is_hidden:
            words = " ".join(f"--set '{each}'" for each in settings(self._choice))
            shown["command"] = f"testbed run {SCENARIO} --engine realtime {words}"
        return json.dumps({"kind": "state", **self._state, **shown})

    def _set(self, phase: str, says: str) -> None:
        self._state = {"phase": phase, "says": one_line(says)[:600]}
        self._changed.notify_all()

    def _tell(self, message: dict[str, object], *, is_secret: bool = False) -> None:
        with self._changed:
            self._log.append((is_secret, json.dumps(message, separators=(",", ":"))))
            self._changed.notify_all()

    def _say(self, phase: str, says: str) -> None:
        with self._changed:
            self._set(phase, says)

    def _play(self, choice: Choice, folder: Path) -> None:
        """Make a run, tell of it while it goes on, and of its outcome when it is over."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            words = [word for each in settings(choice) for word in ("--set", each)]
            last = self._call(["run", SCENARIO, "--engine", "realtime", "--json", "-o", str(folder), *words], folder)
            self._conclude(folder, last)
        except (TestbedError, OSError) as error:
            self._say("failed", str(error))

    def _call(self, arguments: list[str], folder: Path) -> str:
        """Run a command of ours while its run directory is read; return the last line that it said."""
        process = subprocess.Popen(
            [*self._program, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._process = process
        said = [""]
        reader = threading.Thread(target=self._listen, args=(process, said), daemon=True)
        with process:
            reader.start()
            self._follow(process, folder)
            reader.join()
        return said[0]

    def _follow(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        """Tell browsers of a run's records as they come, until the process that makes it has ended."""
        growing: GrowingRun | None = None
        count = self._unread = self._untold = 0
        is_over = False
        while not is_over:
            is_over = process.poll() is not None  # asked first: what it wrote last is read after its end
            growing = growing or self._open(folder)
            records = [] if growing is None else growing.new()
            fitting = records[: max(0, _MOST_RECORDS - count)]
            count += len(fitting)
            self._untold += len(records) - len(fitting)
            self._tell_records(fitting)
            if not is_over:
                time.sleep(_LOOK_S)
        if growing is not None:
            self._unread = growing.unread
            growing.close()

    def _listen(self, process: subprocess.Popen[bytes], said: list[str]) -> None:
        for line in process.stderr or ():
            said[0] = line[:600].decode("utf-8", "replace").strip()
            with self._changed:
                if self._state["phase"] == "starting":
                    self._set("starting", said[0])

    def _open(self, folder: Path) -> GrowingRun | None:
        """Return the run's records as soon as there is a plan, and tell browsers what will come."""
        try:
            plan = read_plan(folder)
        except RecordError:
            return None  # not yet written, or half
        # Both heads are in the log: while the box is hidden, the second is kept back.
        self._tell(head(plan, is_hidden=True))
        self._tell(head(plan, is_hidden=False), is_secret=True)
        return GrowingRun(folder, plan)

    def _tell_records(self, records: list[PageRecord]) -> None:
        # Apart from the others: what tells of the box stays here while a class guesses.
        for is_secret in (False, True):
            some = [each for each in records if (str(each[0]) in _OF_THE_BOX) == is_secret]
            if some:
                self._tell({"kind": "records", "r": some}, is_secret=is_secret)
        if records and self._state["phase"] == "starting":
            self._say("running", "the run goes on, at the pace of the clock on the wall")

    def _conclude(self, folder: Path, last: str) -> None:
        """Tell how the run ended: the truth of it, and what detectors say."""
        manifest_is_there = (folder / "manifest.json").exists()
        manifest = RunDirectory.open(folder).manifest() if manifest_is_there else None
        if manifest is None or manifest.get("state") != "complete":
            is_missing = self._process is not None and self._process.returncode == MissingError.exit_status
            self._say("failed", (last or "the run ended without a word") + (_WITHOUT_A_GUEST if is_missing else ""))
            return
        self._say("judging", "detectors look at what the clients saw")
        # In a process of its own, too: what detectors load would stay in the memory of a server that runs all day.
        with contextlib.suppress(OSError):
            self._process = subprocess.Popen(
                [*self._program, "detect", str(folder), "--even-if-invalid", "--json"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            self._process.wait()
        verdicts = RunDirectory.open(folder).verdicts()
        told = outcome(manifest, verdicts, self._choice, unread=self._unread, untold=self._untold)
        self._tell(told, is_secret=True)
        self._say("over", f"The run is over; its records are in {folder}")
