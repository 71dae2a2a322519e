"""Whether what is in a run directory may be taken at its word: complete, valid, and as it was written.

What a run concluded is in its manifest, and it can be concluded again from the records: where the two differ,
somebody changed one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from testbed.errors import CaptureError, InvalidRunError, RecordError
from testbed.records.byte_stream import opened
from testbed.records.capture_file import CaptureNotes, read_chunks
from testbed.records.transfers import summarise_transfers

if TYPE_CHECKING:
    from testbed.records.manifest import Manifest
    from testbed.records.run import RunDirectory

    Compared = Literal["ok", "bytes", "throttled", "action", "rule", "drops"]

__all__ = ["MALFORMED", "require_standing", "standing"]

_COMPARED: Final[tuple[Compared, ...]] = ("ok", "bytes", "throttled", "action", "rule", "drops")
MALFORMED: Final = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)
"""What reading a record raises whose keys are missing, or hold something else than they should."""
_MOST_NAMED: Final = 5


def require_standing(run: RunDirectory, *, even_if_invalid: bool) -> list[str]:
    """Return why a run must not be scored, as `standing` does.

    Raises:
        InvalidRunError: It must not, and ``even_if_invalid`` was not asked for.
        RecordError: Likewise, where a record cannot be read.
    """
    try:
        problems = standing(run)
    except RecordError as error:
        if not even_if_invalid:
            raise
        problems = [str(error)]
    if problems and not even_if_invalid:
        raise InvalidRunError(
            f"{run.path}: do not score this run: {'; '.join(problems[:_MOST_NAMED])}; "
            "with --even-if-invalid, detect and observe look at it all the same, and so does report if it is complete"
        )
    return problems


def standing(run: RunDirectory) -> list[str]:
    """Return why a run must not be scored, in sentences; empty for one that is complete, valid and unchanged.

    What the manifest says is looked at first, because it is read at once; records and captures are read only of a
    run that claims to be worth it.

    Raises:
        RecordError: A record cannot be read, or contradicts the run format.
    """
    manifest = run.manifest()
    state = manifest.get("state")
    if state != "complete":
        unfinished = "it is still running" if run.is_running() else "it died without a word"
        return [unfinished if state in {"running", "checking"} else f"it is {state}", *_said_problems(manifest)]
    if manifest.get("valid") is not True:  # "yes" will not do: nothing of ours writes it
        return _said_problems(manifest) or ["its manifest does not say that it is valid"]
    if _said_problems(manifest):  # whoever set "valid" by hand has forgotten these
        return ["its manifest says that it is valid, and names problems", *_said_problems(manifest)]
    try:
        return [*_changed_transfers(run, manifest), *_changed_captures(run, manifest)]
    except MALFORMED as error:
        raise RecordError(f"{run.path}: its records contradict the run format: {error!r}; run it again") from error


def _said_problems(manifest: Manifest) -> list[str]:
    problems: object = manifest.get("problems", [])  # whoever changed a manifest may have put anything there
    return [str(problem) for problem in problems] if isinstance(problems, list) else ["its problems are no list"]


def _changed_transfers(run: RunDirectory, manifest: Manifest) -> list[str]:
    """Return the transfers of which the manifest says otherwise than the records.

    Times and rates are left out: they come from the same records as the bytes.
    """
    told = {each["id"]: each for each in manifest["transfers"]}
    changed = []
    for found in summarise_transfers(run.plan, run.each_measurement(), run.each_truth()):
        # the records lead: a transfer that only the manifest has was not measured, and nothing is scored by it
        said = told.get(found["id"])
        if said is None:
            changed.append(f"its manifest lacks the transfer {found['id']}")
            continue
        changed += [
            f"its manifest and its records disagree on {found['id']}: {key} is {said[key]!r} and {found[key]!r}"
            for key in _COMPARED
            if said[key] != found[key]
        ]
    return changed


def _changed_captures(run: RunDirectory, manifest: Manifest) -> list[str]:
    """Return the captures that are not there, or hold another number of packets than were captured."""
    changed = []
    dropped = {point["name"] for point in run.plan.get("captures", []) if point.get("keep") == "nothing"}
    for name, counts in manifest["certificate"]["captures"].items():
        if name in dropped:
            continue
        notes = CaptureNotes()
        path = run.capture(name) or run.path / "captures" / f"{name}.pcapng"
        try:
            with opened(path, regular_only=True) as stream:
                for _ in read_chunks(stream, notes=notes):  # for their number, which the notes have
                    pass
        except (CaptureError, RecordError) as error:
            changed.append(str(error))
            continue
        if notes.records != counts["captured"]:
            changed.append(f"the capture {name} holds {notes.records} packets, and {counts['captured']} were captured")
    return changed
