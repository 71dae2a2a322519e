"""Any program behind a policer, and the proof that the policer acted: packets of the program's own that it dropped.

A test of what a program does under throttling passes just as well where nothing throttles it: the name was not found
in its hello, it fetched less than the bucket holds, it asked another server. Such a run is in doubt, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.api import run
from testbed.errors import InputError
from testbed.quantities import parse_rate, parse_size
from testbed.validation.checkers.checker import Subject, filled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from testbed.api import Result, Transfer

__all__ = ["Policed", "ThrottledRun", "run_policed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policed:
    """A network of one line, with a policer on it that acts on one name.

    Attributes:
        rate: Of the policer; None: there is none, and all else is the same.
        burst: What it lets pass at once.
        target: The name that it acts on, wherever it stands in a TLS or QUIC hello.
        control: A name that it leaves alone, on the same server.
        size: Of the object that both serve.
        line_rate: Of the line, downwards.
        seed: Of the run.

    Raises:
        InputError: A value is no quantity, or the policer would not be slower than the line.
    """

    rate: str | None
    burst: str
    target: str
    control: str
    size: str
    line_rate: str
    seed: int

    def __post_init__(self) -> None:
        try:
            parse_size(self.size)
            if self.rate is not None and parse_rate(self.rate) >= parse_rate(self.line_rate):
                raise InputError(f"rate={self.rate!r}: the line has {self.line_rate}, so this would limit nothing")
        except ValueError as error:
            raise InputError(f"throttled_network: {error}") from error

    @property
    def subject(self) -> Subject:
        """What a program may fetch."""
        size = parse_size(self.size)
        return Subject(self.target, self.control, f"/{size}.bin", size)

    def scenario(self) -> dict[str, object]:
        """Return the network as a scenario."""
        censor: dict[str, object] = {
            "based_on": "ru-tw-2021b",
            "trigger": {"recognisers": ["tls", "quic"], "names_from": ["tls", "quic"]},
            # Hellos of today take two packets and more; here no program is to slip through.
            "inspection": {"reassembly": "records"},
            "rules": [{"id": "target", "exact": self.target}],
            "meter": {"token_bucket": {"rate": self.rate, "burst": self.burst}},
        }
        return {
            "format": 1,
            "title": "A program behind a policer",
            "about": "What throttled_network of the pytest plugin makes.",
            "date": "2021-03-12T09:00Z",
            "network": {"topology": "dumbbell"},
            "lines": [{"name": "line", "kind": "landline", "tspu": True, "down": self.line_rate}],
            "censors": {"tspu": "none" if self.rate is None else censor},
            "origins": {"server1": {"serves": [self.target, self.control]}},
            "measurements": [{"fetch": self.target, "size": self.size, "role": "target"}],
        }


@dataclass(frozen=True, slots=True)
class ThrottledRun:
    """A program that has run.

    Attributes:
        network: That it ran in.
        result: The run, with truth and captures.
    """

    network: Policed
    result: Result

    @property
    def status(self) -> int:
        """The program's exit status; 128 + n for signal n."""
        return self.result.manifest["certificate"].get("command_status") or 0

    @property
    def stdout(self) -> str:
        """What it printed."""
        return _text(self.result.path / "command.stdout")

    @property
    def stderr(self) -> str:
        """What it complained of."""
        return _text(self.result.path / "command.stderr")

    @property
    def output(self) -> Path:
        """The folder with what it left in ``/run/output``."""
        return self.result.path / "output"

    @property
    def flows(self) -> list[Transfer]:
        """Its connections, with what was done to each."""
        return self.result.transfers

    @property
    def drops(self) -> int:
        """How many of its packets the policer dropped."""
        return sum(flow.drops for flow in self.flows)

    def doubt(self) -> str | None:
        """Say why the program was not throttled, or was where no policer stands; None: all is well."""
        if (self.drops > 0) == (self.network.rate is not None):
            return None
        if self.network.rate is None:
            return f"{self.drops} packets were dropped where no policer stands ({self.result.path})"
        # The first of these that holds is the nearest cause: without a connection no hello was sent, and so on.
        asked = [flow for flow in self.flows if flow.sni == self.network.target]
        if not self.flows:
            why = "the program made no connection"
        elif not asked:
            names = ", ".join(sorted({flow.sni or "no name" for flow in self.flows}))
            why = f"no hello of its {len(self.flows)} flows bears the name {self.network.target} (there: {names})"
        elif hello := next((flow.hello for flow in asked if flow.hello), None):
            why = f"its hello was not found: {hello}"
        else:
            most = max(flow.bytes for flow in asked)
            why = f"it moved at most {most} bytes on a connection, and the bucket holds {self.network.burst}"
        said = f"; it ended with status {self.status}: {self.stderr.strip()[-300:]}" if self.status else ""
        return f"the policer of {self.network.rate} dropped no packet: {why}{said} ({self.result.path})"


def run_policed(network: Policed, program: Sequence[str], folder: Path) -> ThrottledRun:
    """Run a program in a policed network.

    Args:
        network: What stands around it.
        program: Program and arguments, with places such as ``{target_url}`` (docs/how-to/score-a-checker.md).
        folder: The run directory to make.

    Raises:
        InputError: The program or a value cannot be used. `InvalidRunError`: Nothing may be concluded from the run.
    """
    command = filled(program, network.subject)
    return ThrottledRun(network, run(network.scenario(), seed=network.seed, command=command, output=folder))


def _text(path: Path) -> str:
    """Return what a program printed; nothing where it printed nothing."""
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
