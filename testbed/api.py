"""The testbed from Python: ``from testbed import load, run``, for notebooks and scripts.

    result = run("2021-03-10", seed=7)
    for transfer in result.transfers:
        print(transfer.line, transfer.name, transfer.goodput_bps, transfer.throttled)
    pandas.DataFrame(result.table())

A run is a process of our own kernel and a folder; what is returned reads from that folder.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import yaml

from testbed.engine.engine import DEFAULT_ENGINE, ENGINES
from testbed.engine.run import run_plan
from testbed.engine.twin import add_twin, require_a_twin
from testbed.errors import InputError, InvalidRunError
from testbed.records.label import label, parse_counts
from testbed.records.run import RunDirectory
from testbed.report.tidy import tidy_rows
from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from testbed.records.influence import Influence, Unboxed
    from testbed.records.label import Label
    from testbed.records.manifest import Manifest, TransferSummary
    from testbed.records.measurements import Measurement
    from testbed.records.truth import TruthRecord
    from testbed.report.tidy import Cell
    from testbed.scenario.plan import Plan

__all__ = ["Result", "Transfer", "load", "plan_of", "run"]

_SILENCE_S = 120.0  # of a guest, before it is ended; as the command line's --watchdog


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What one transfer came to. The fields are those of the manifest (docs/reference/run-directory.md).

    ``throttled``, ``action``, ``rule``, ``drops``, ``hello`` and ``influences`` are ground truth, ``without_boxes`` is
    of the twin run; all else is what its client saw.
    """

    id: str
    name: str
    line: str
    role: str
    kind: str
    sni: str | None
    direction: str
    ok: bool
    bytes: int
    start_s: float | None
    end_s: float | None
    duration_s: float | None
    goodput_bps: float | None
    handshake_s: float | None
    error: str | None
    throttled: bool
    action: str | None
    rule: str | None
    drops: int
    hello: str | None
    influences: list[Influence]
    without_boxes: Unboxed | None = None
    published: str | None = None
    protocol: str | None = None
    ip: int = 4
    group: str | None = None

    def label(self, counts: Mapping[str, str] | None = None) -> Label:
        """Return whether a detector should call it throttled, by what acted on it.

        Args:
            counts: How treatments count, as ``testbed table --count`` has it: ``{"frozen": "throttled"}``.

        Raises:
            InputError: An unknown treatment or label.
        """
        counted = parse_counts(f"{name}={value}" for name, value in (counts or {}).items())
        return label(cast("TransferSummary", asdict(self)), counted)

    @classmethod
    def of(cls, summary: TransferSummary) -> Transfer:
        """Return a transfer as the manifest has it."""
        return cls(**summary)


@dataclass(frozen=True, slots=True)
class Result:
    """A run that is over.

    Attributes:
        path: Its run directory.
    """

    path: Path

    @property
    def manifest(self) -> Manifest:
        """All that is known of the run as a whole."""
        return self._run.manifest()

    @property
    def valid(self) -> bool:
        """Whether it may be scored."""
        return self.manifest.get("valid", False)

    @property
    def problems(self) -> list[str]:
        """Why it may not; empty for a valid run."""
        return self.manifest.get("problems", [])

    @property
    def transfers(self) -> list[Transfer]:
        """What each transfer came to, in the plan's order."""
        return [Transfer.of(each) for each in self.manifest.get("transfers", [])]

    def truth(self, box: str | None = None) -> list[TruthRecord]:
        """Return the ground truth, packet by packet, of all boxes or of one.

        Raises:
            InputError: The run has no such box.
        """
        records = self._run.truth()
        # A box that saw nothing has no records, and is in the certificate all the same.
        boxes = {*self.manifest.get("certificate", {}).get("boxes", {})}
        boxes |= {each["box"] for each in records if each["box"] is not None}  # an event of the network is no box's
        _require("box", box, sorted(boxes))
        return [each for each in records if box in {None, each["box"]}]

    def measurements(self, transfer: str | Transfer | None = None) -> list[Measurement]:
        """Return what clients saw, of all transfers or of one.

        Raises:
            InputError: The run has no such transfer.
        """
        name = transfer.id if isinstance(transfer, Transfer) else transfer
        _require("transfer", name, [each.id for each in self.transfers])
        return self._run.measurements(name)

    def table(self) -> list[dict[str, Cell]]:
        """Return a row a transfer, for ``pandas.DataFrame``; the columns are those of `testbed table`."""
        return tidy_rows([self.path])

    @property
    def _run(self) -> RunDirectory:
        return RunDirectory.open(self.path)


def _require(kind: str, name: str | None, there: Collection[str]) -> None:
    if name is not None and name not in there:
        raise InputError(f"no {kind} {name!r} in this run; there are: {', '.join(there) or 'none'}")


def load(path: str | Path) -> Result:
    """Open a run directory.

    Raises:
        RecordError: It is none.
    """
    result = Result(Path(path))
    result.manifest  # noqa: B018 - raises now, not at the first look
    return result


def run(
    scenario: str | Path | Mapping[str, object],
    *,
    settings: Mapping[str, object] | None = None,
    seed: int | None = None,
    engine: str = DEFAULT_ENGINE,
    command: Sequence[str] | None = None,
    line: str | None = None,
    output: str | Path | None = None,
    twin: bool = False,
    must_be_valid: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> Result:
    """Run a scenario.

    Args:
        scenario: The name of a packaged one, the path of a file, or what would stand in a file.
        settings: Values to change, by dotted key, as ``--set`` does: ``{"measurements.0.size": "60 kB"}``.
        seed: Overrides the scenario's.
        engine: A name of `testbed list engines`.
        command: A program and its arguments, to run on a line in place of the measurements.
        line: The line that the command runs on; None: the scenario's first.
        output: The run directory to make; None: a new one in the folder for temporary files.
        twin: Run it again with all boxes off: `Transfer.without_boxes` says what each transfer would have been.
        must_be_valid: Raise if the run may not be scored.
        progress: Called with a line of text now and then while the kernel is built or the guest runs.

    Raises:
        ScenarioError: The scenario cannot be used; file, line, key and what was expected.
        MissingError: This machine lacks something; says what, and how to get it.
        InvalidRunError: The run failed, or may not be scored.
    """
    plan = plan_of(scenario, settings=settings, seed=seed, engine=engine, command=command, line=line)
    if twin:
        require_a_twin(plan)
    kernel = ENGINES[engine].prepare(progress)
    # Not in the current folder, as the command line does: a notebook's folder is often under version control.
    folder = Path(tempfile.mkdtemp(prefix="testbed-")) / "run" if output is None else Path(output)
    make = functools.partial(
        run_plan, kernel=kernel, silence_s=_SILENCE_S,
        progress=lambda message: progress(str(message.get("what", message["kind"]))),
    )  # fmt: skip
    manifest = make(plan, folder=folder)
    if twin and manifest["valid"]:
        add_twin(plan, RunDirectory.open(folder), make)
    if must_be_valid and not manifest["valid"]:
        raise InvalidRunError(f"{folder}: do not score this run: {'; '.join(manifest['problems'])}")
    return Result(folder)


def plan_of(
    scenario: str | Path | Mapping[str, object],
    *,
    settings: Mapping[str, object] | None = None,
    seed: int | None = None,
    engine: str = DEFAULT_ENGINE,
    command: Sequence[str] | None = None,
    line: str | None = None,
) -> Plan:
    """Return what `run` would run; the arguments are its own.

    Raises:
        ScenarioError: The scenario cannot be used; file, line, key and what was expected.
    """
    if engine not in ENGINES:
        raise InputError(f"engine={engine!r}: no such engine; expected one of {', '.join(ENGINES)}")
    if settings is not None and not isinstance(settings, Mapping):
        raise InputError(f"settings: expected a mapping of dotted keys to values, got {type(settings).__name__}")
    changes = [
        f"{key}={_written(f'settings: {key}', value, in_one_line=True)}" for key, value in (settings or {}).items()
    ]
    # The scenario's own folder is a temporary one: nothing that the user has may be written over.
    with tempfile.TemporaryDirectory(prefix="testbed-") as written:
        return make_plan(
            _file_of(scenario, Path(written)), changes,
            seed=seed, engine=engine, command=None if command is None else list(command), line=line,
        )  # fmt: skip


def _file_of(scenario: str | Path | Mapping[str, object], folder: Path) -> Path:
    """Return the scenario's file. A mapping is written into the folder, so that its errors have a file and a line."""
    if isinstance(scenario, str | Path):
        return library.find("scenarios", str(scenario))
    if not isinstance(scenario, Mapping):
        raise InputError(f"scenario: expected a name, a path or a mapping, got {type(scenario).__name__}")
    path = folder / "scenario.yaml"
    path.write_text(_written("scenario", dict(scenario), in_one_line=False))
    return path


class _Dumper(yaml.SafeDumper):
    """PyYAML's, which writes a value out each time: the reader of scenarios knows no aliases."""

    def ignore_aliases(self, _: object) -> bool:
        return True


def _written(name: str, value: object, *, in_one_line: bool) -> str:
    """Return a value as YAML.

    Raises:
        InputError: It holds something that YAML has no plain form for.
    """
    try:
        text: str = yaml.dump(
            value, Dumper=_Dumper, default_flow_style=in_one_line, width=1 << 20, allow_unicode=True, sort_keys=False
        )
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(
            f"{name}: cannot be written as YAML: {error}; use text, numbers, lists and mappings"
        ) from error
    return text.removesuffix("\n").removesuffix("\n...")
