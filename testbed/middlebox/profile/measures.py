"""What a profile says is done to flows that match: the action and, if it needs one, the meter. Read strictly.

Combinations that cannot be honoured are refused here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from testbed.middlebox.enforcement.meters import ByteQuotaSpec, CoarseRefillSpec, RandomPassSpec, TokenBucketSpec
from testbed.middlebox.enforcement.shaper import ShaperSpec
from testbed.middlebox.packet import Direction

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.middlebox.profile.section import Section

__all__ = [
    "METERED",
    "MOST_BPS",
    "MOST_BYTES",
    "ActionSpec",
    "MeterChoice",
    "MeterSpec",
    "PolicerSpec",
    "read_directions",
]

PolicerSpec = TokenBucketSpec | CoarseRefillSpec | RandomPassSpec | ByteQuotaSpec
MeterSpec = PolicerSpec | ShaperSpec

METERED = "throttle"
_KINDS = (METERED, "delay", "drop", "reset", "rewrite", "block_page")
_SLOWING = frozenset({METERED, "delay"})  # these let the packet that matched pass: nobody published that it is dropped
_DIRECTIONS = {direction.value: direction for direction in Direction}
_COUNTS = ("ip_length", "payload", "frame_length")
MOST_BPS = 32_000_000_000  # tc counts bytes per second in 32 bits
MOST_BYTES = 1 << 40
_MOST_TICKS = (1 << 32) - 1  # so does it the time that a burst takes, in ticks of 64 ns
_LONGEST_PAGE = 1200  # bytes: with its head and the packet's it has to fit into 1500
_RATES = frozenset({"token_bucket", "coarse_refill", "shaper"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """What is done to a flow that matched.

    ``residual_s`` is None where the flow is treated so until it is idle. ``after_packets``, ``reset_to``, ``delay_s``
    and ``page`` belong to one kind each and are empty for the others.
    """

    kind: str
    directions: frozenset[Direction]
    scope: str
    trigger_packet: str
    residual_s: float | None
    after_packets: tuple[int, int]
    reset_to: frozenset[str]
    delay_s: float
    page: str

    @classmethod
    def read(cls, section: Section) -> ActionSpec:
        """From the section ``action``."""
        kind = section.choice("kind", _KINDS)
        directions = read_directions(section)
        if kind == "rewrite" and Direction.UP in directions:
            raise section.error("directions", "rewrite turns the server's packets into resets; expected [down]")
        scope = section.choice("scope", ("flow", "subscriber", "line") if kind == METERED else ("flow",))
        return cls(
            kind=kind,
            directions=directions,
            scope=scope,
            trigger_packet=section.choice("trigger_packet", ("passes",) if kind in _SLOWING else ("passes", "dropped")),
            residual_s=_residual_s(section, scope),
            after_packets=section.range("after_packets", least=0) if kind == "drop" else (0, 0),
            reset_to=frozenset(section.choices("reset_to", ("inside", "outside"))) if kind == "reset" else frozenset(),
            delay_s=section.seconds("delay_s") if kind == "delay" else 0.0,
            page=_page(section) if kind == "block_page" else "",
        )


def _residual_s(section: Section, scope: str) -> float | None:
    if scope == "line" and section.has("residual_s"):
        raise section.error("residual_s", "a box that meters a whole line remembers no flow; remove it")
    return section.seconds_or_none("residual_s")


def _page(section: Section) -> str:
    page = section.text("page")
    try:
        size = len(page.encode())
    except UnicodeEncodeError as error:
        raise section.error("page", f"{error.object[error.start]!a} at {error.start} is no character") from error
    if size > _LONGEST_PAGE:
        raise section.error("page", f"{size} bytes are too many for one packet; expected {_LONGEST_PAGE} or less")
    return page


def read_directions(section: Section) -> frozenset[Direction]:
    """The key ``directions`` of a section."""
    return frozenset(_DIRECTIONS[name] for name in section.choices("directions", tuple(_DIRECTIONS)))


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterChoice:
    """All meters that a profile describes, and the one that is used."""

    kind: str
    counts: str
    described: dict[str, MeterSpec]

    @property
    def spec(self) -> MeterSpec:
        """The meter that is used."""
        return self.described[self.kind]

    def with_kind(self, kind: str) -> MeterChoice:
        """Another of the meters that are described."""
        return replace(self, kind=kind)

    @classmethod
    def read(cls, section: Section) -> MeterChoice:
        """From the section ``meter``; the meters that are described but not used are checked too."""
        counts = section.choice("counts", _COUNTS)
        kinds = tuple(kind for kind in _READERS if section.has(kind))
        kind = section.choice("kind", kinds or tuple(_READERS))
        if not kinds:
            raise section.error(kind, "missing")
        if "byte_quota" in kinds and _RATES & set(kinds):
            raise section.error("byte_quota", "a quota and a rate exclude each other; describe one of them")
        described = {each: section.read(each, _READERS[each]) for each in kinds}
        if kind == "token_bucket" and counts != "ip_length":
            raise section.error("counts", f"tc police at ingress counts the IP length, not {counts}")
        return cls(kind=kind, counts=counts, described=described)


def _rate(section: Section) -> int:
    rate_bps = section.integer("rate_bps", least=8, most=MOST_BPS)
    if rate_bps % 8:
        raise section.error("rate_bps", f"{rate_bps} is no multiple of 8; tc counts whole bytes per second")
    return rate_bps


def _size(section: Section, key: str, *, least: int = 1) -> int:
    return section.integer(key, least=least, most=MOST_BYTES)


def _burst(section: Section, spec: MeterSpec) -> None:
    """Refuse a burst whose sending time the kernel cannot hold."""
    if isinstance(spec, TokenBucketSpec | ShaperSpec) and spec.start().burst_ticks > _MOST_TICKS:
        longest = spec.rate_bps // 8 * _MOST_TICKS * 64 // 1_000_000_000
        problem = f"{spec.burst_bytes} is too large for tc at {spec.rate_bps} bit/s; expected {longest} or less"
        raise section.error("burst_bytes", problem)


def _token_bucket(section: Section) -> TokenBucketSpec:
    rate_bps, burst_bytes = _rate(section), _size(section, "burst_bytes")
    start_bytes = section.integer("start_bytes", least=0, most=burst_bytes) if section.has("start_bytes") else None
    spec = TokenBucketSpec(rate_bps=rate_bps, burst_bytes=burst_bytes, start_bytes=start_bytes)
    _burst(section, spec)
    return spec


def _coarse_refill(section: Section) -> CoarseRefillSpec:
    period_s = section.seconds("period_s")
    return CoarseRefillSpec(
        quantum_bytes=_size(section, "quantum_bytes"),
        period_s=period_s,
        cap_bytes=_size(section, "cap_bytes"),
        phase_s=section.number("phase_s", least=-period_s, most=period_s),
    )


def _shaper(section: Section) -> ShaperSpec:
    spec = ShaperSpec(
        rate_bps=_rate(section),
        burst_bytes=_size(section, "burst_bytes"),
        queue_bytes=_size(section, "queue_bytes"),
    )
    _burst(section, spec)
    return spec


def _random_pass(section: Section) -> RandomPassSpec:
    return RandomPassSpec(pass_share=section.number("pass_share", least=0, most=1))


def _byte_quota(section: Section) -> ByteQuotaSpec:
    return ByteQuotaSpec(quota_bytes=_size(section, "quota_bytes", least=0))


_READERS: dict[str, Callable[[Section], MeterSpec]] = {
    "token_bucket": _token_bucket,
    "coarse_refill": _coarse_refill,
    "shaper": _shaper,
    "random_pass": _random_pass,
    "byte_quota": _byte_quota,
}
