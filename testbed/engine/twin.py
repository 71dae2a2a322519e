"""The twin of a run: the same plan and seed with every box a cable, which says what each transfer would have been.

It is a run directory of its own in the run's folder, and what came of it stands with each transfer of the run
(``without_boxes``). What a box costs a transfer is a difference between the two, and so a cause, not a correlation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from testbed.errors import InputError, InvalidRunError

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.influence import Unboxed
    from testbed.records.manifest import Manifest, TransferSummary
    from testbed.records.run import RunDirectory
    from testbed.scenario.plan import Plan

__all__ = ["TWIN", "add_twin", "has_twin", "require_a_twin"]

TWIN = "twin"
"""The twin's folder, in that of its run."""


class _Make(Protocol):
    """Carries out a plan in a folder."""

    def __call__(self, plan: Plan, *, folder: Path) -> Manifest: ...


def require_a_twin(plan: Plan) -> None:
    """Refuse a plan that has no twin.

    Raises:
        InputError: A command's flows are its own: those of two runs cannot be told to be the same. Without boxes a twin
            would be the run itself.
    """
    if plan.command is not None:
        raise InputError("--twin: the flows of a command in two runs cannot be told to be the same; leave it out")
    if not plan.data["boxes"]:
        raise InputError("--twin: no box stands in this scenario, so its twin would be the same run; leave it out")


def has_twin(manifest: Manifest) -> bool:
    """Return whether the transfers of a run have been compared with its twin's."""
    return all("without_boxes" in each for each in manifest.get("transfers", []))


def add_twin(plan: Plan, run: RunDirectory, make: _Make) -> Manifest:
    """Make the twin of a run, and write down with each transfer of the run what it was there; return the manifest.

    Args:
        plan: Of the run.
        run: Complete and valid.
        make: As `run_plan`, with all but plan and folder given.

    Raises:
        InvalidRunError: The twin may not be scored; the run stays as it is, and says so in its notes.
    """
    manifest = run.manifest()
    try:
        twin = make(plan.without_boxes(), folder=run.path / TWIN)
    except InvalidRunError as error:
        _note(run, manifest, str(error))
        raise
    if not twin["valid"]:
        _note(run, manifest, "; ".join(twin["problems"]))
        raise InvalidRunError(f"{run.path / TWIN}: do not score this twin: {'; '.join(twin['problems'])}")
    unboxed = {each["id"]: _unboxed(each) for each in twin["transfers"]}
    for transfer in manifest["transfers"]:
        transfer["without_boxes"] = unboxed[transfer["id"]]
    run.write_manifest(manifest)
    return manifest


def _note(run: RunDirectory, manifest: Manifest, why: str) -> None:
    manifest["notes"] = [*manifest.get("notes", []), f"the twin run failed: what boxes cost is not known: {why}"]
    run.write_manifest(manifest)


def _unboxed(transfer: TransferSummary) -> Unboxed:
    return {
        "ok": transfer["ok"],
        "duration_s": transfer["duration_s"],
        "goodput_bps": transfer["goodput_bps"],
        "handshake_s": transfer["handshake_s"],
    }
