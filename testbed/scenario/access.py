"""What a scenario may say of access lines: of one line alone, and of all lines of a kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    WithJsonSchema,
)

from testbed.quantities import parse_duration, parse_rate, parse_share, shown

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "CongestionControl",
    "Line",
    "LineKind",
    "LineName",
    "LineValues",
    "Strict",
    "base_kind",
    "line_values",
    "text_like",
    "topology_values",
]

_MOST_QUEUE = 999_999  # packets


class Strict(BaseModel):
    """A mapping in a scenario: an unknown key is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


CongestionControl = Literal["cubic", "bbr", "reno"]


def _text(parse: Callable[[object], object]) -> BeforeValidator:
    """Check a quantity and keep it as it is written: a topology reads its parameters itself."""

    def check(value: object) -> str:
        parse(value)
        return str(value)

    return BeforeValidator(check)


RateText = Annotated[str, _text(parse_rate)]
DurationText = Annotated[str, _text(parse_duration)]
ShareText = Annotated[str, _text(parse_share)]


def text_like(pattern: str, wanted: str) -> tuple[AfterValidator, WithJsonSchema]:
    """Say that a text has to match a pattern as a whole, and how that is said in words."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(f"expected {wanted}, got {shown(text)}")
        return text

    return AfterValidator(check), WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


LineName = Annotated[
    str, *text_like("[a-z][a-z0-9]{0,15}", "a name of 1 to 16 lower-case letters and digits, with a letter first")
]


class LineValues(Strict):
    """What may be said of one line, or of all lines of a kind; the topology says which of it it can honour.

    ``censor`` and ``blocker``: the profiles of the line's own boxes, in place of those under ``censors``.
    ``censor_share``: of the line's flows, on which the TSPU acts, in place of what its profile says.
    """

    down: RateText | None = None
    up: RateText | None = None
    delay: DurationText | None = None
    queue: StrictInt | None = Field(default=None, ge=1, le=_MOST_QUEUE)
    loss: ShareText | None = None
    hops: StrictInt | None = Field(default=None, ge=1)
    box_after_hop: StrictInt | None = Field(default=None, ge=1)
    blocker_after_hop: StrictInt | None = Field(default=None, ge=1)
    congestion_control: CongestionControl | None = None
    censor: str | None = None
    blocker: str | None = None
    censor_share: ShareText | None = None


class LineKind(LineValues):
    """A kind of line: values that its lines have unless they say otherwise, and what censors take it for."""

    like: Literal["mobile", "landline"]


class Line(LineValues):
    """An access line and whether a TSPU stands on it."""

    name: LineName
    kind: str
    tspu: StrictBool


_BOX_KEYS = {"censor", "blocker", "censor_share", "congestion_control"}


def line_values(line: Line, kinds: dict[str, LineKind]) -> dict[str, object]:
    """Return what holds for a line: what it says itself, else what its kind says; nothing else."""
    preset = kinds.get(line.kind)
    found: dict[str, object] = {}
    for name in LineValues.model_fields:
        value = getattr(line, name)
        # None is "not said". A default here would hide what the kind says, and that of a kind the topology's parameter.
        if value is None and preset is not None:
            value = getattr(preset, name)
        if value is not None:
            found[name] = value
    return found


def base_kind(line: Line, kinds: dict[str, LineKind]) -> str | None:
    """``mobile`` or ``landline``, whatever the kind is called; None: there is no such kind."""
    if line.kind in kinds:
        return kinds[line.kind].like
    return line.kind if line.kind in {"mobile", "landline"} else None


def topology_values(line: Line, kinds: dict[str, LineKind]) -> dict[str, object]:
    """Return a line as its topology is given it."""
    values = {key: value for key, value in line_values(line, kinds).items() if key not in _BOX_KEYS}
    return {"name": line.name, "kind": base_kind(line, kinds), "tspu": line.tspu, **values}
