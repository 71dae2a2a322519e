"""The label of a transfer: whether a detector should call it throttled, by what acted on it.

The one place where ground truth becomes a label. First the truth is put in one of a few treatments; then whoever scores
says how those count about which reasonable people differ. docs/reference/labels.md has the rule in words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

from testbed.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from testbed.records.influence import Influence
    from testbed.records.manifest import TransferSummary

__all__ = ["COUNTED", "Label", "Treatment", "label", "parse_counts", "treatment"]

Treatment = Literal["slowed", "frozen", "reset", "altered", "delayed handshake", "unslowed", "untouched"]
"""What was done to a transfer by a censor. Of several, the first here is meant."""

Label = Literal["throttled", "not throttled", "left out"]

COUNTED: Final[Mapping[Treatment, Label]] = {
    "slowed": "throttled",
    "frozen": "left out",
    "reset": "left out",
    "altered": "left out",
    "delayed handshake": "left out",
    "unslowed": "not throttled",
    "untouched": "not throttled",
}
"""How treatments count unless whoever scores says otherwise."""

_FREEZING: Final = {"drop", "byte_quota", "packet_quota"}
_AS_FAST: Final = 0.95
"""A transfer that had so much of its twin's goodput was not slowed: two runs differ by a few percent in any case."""


def treatment(transfer: TransferSummary) -> Treatment:
    """Return what censors did to a transfer.

    What links, ends and the subscriber's own tariff do is no censor's doing, and leaves it untouched. Where a twin run
    says what the transfer would have been without boxes, one that was as fast was not slowed, whatever a box dropped.
    """
    if "influences" not in transfer:  # of a run that was made before these were written down
        return "slowed" if transfer["throttled"] else "altered" if transfer["action"] else "untouched"
    found = {_treatment(each, transfer) for each in transfer["influences"] if each["who"] == "censor"}
    return next(each for each in get_args(Treatment) if each in {*found, "untouched"})


def _treatment(influence: Influence, transfer: TransferSummary) -> Treatment:
    if influence["packets"] == 0:
        return "unslowed"  # a limit that was never reached: nothing can be seen of it
    if influence["effect"] == "ends":
        if influence["what"] == "reset":
            return "reset"
        return "frozen" if influence["what"] in _FREEZING else "altered"
    if influence["effect"] != "slows":
        return "altered"
    if influence["only_handshake"]:
        return "delayed handshake"
    return "unslowed" if _as_fast_as_its_twin(transfer) else "slowed"


def _as_fast_as_its_twin(transfer: TransferSummary) -> bool:
    twin, goodput_bps = transfer.get("without_boxes"), transfer["goodput_bps"]
    if not transfer["ok"] or twin is None or twin["goodput_bps"] is None or goodput_bps is None:
        return False
    return goodput_bps >= _AS_FAST * twin["goodput_bps"]


def label(transfer: TransferSummary, counted: Mapping[Treatment, Label] = COUNTED) -> Label:
    """Return the label of a transfer. One that did not run is left out."""
    return "left out" if transfer["start_s"] is None else counted[treatment(transfer)]


def parse_counts(words: Iterable[str]) -> dict[Treatment, Label]:
    """Return how treatments count, from words such as ``frozen=throttled``; what they do not name counts as usual.

    Raises:
        InputError: An unknown treatment or label, or a treatment of which nobody disputes how it counts.
    """
    counted = dict(COUNTED)
    # Nobody disputes how these two count: with them turned round, no score would mean anything.
    known: dict[str, Treatment] = {each: each for each in COUNTED if each not in {"slowed", "untouched"}}
    labels: dict[str, Label] = {each: each for each in get_args(Label)}
    for word in words:
        name, _, value = word.partition("=")
        if name not in known:
            raise InputError(f"--count {word}: no treatment {name!r}; expected one of {', '.join(known)}")
        if value not in labels:
            raise InputError(f"--count {word}: expected {name}= and one of {', '.join(labels)}, got {value!r}")
        counted[known[name]] = labels[value]
    return counted
