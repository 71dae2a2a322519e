"""The manifest: what a run is, how it went, and what it is worth (``manifest.json``).

It is written first with what is known before the guest starts, and replaced as a whole when more is known. A run that
died has the first one: hence most keys may be missing.
"""

# No postponed annotations: `testbed.records.shape` reads them, and the names in them have to be there.

from typing import Literal, NotRequired, TypedDict

from testbed.records.certificate import Certificate, Check
from testbed.records.influence import Influence, Unboxed
from testbed.records.plan import DrawPlan, ProgramsPlan

__all__ = [
    "Fingerprint",
    "HostFound",
    "KernelFound",
    "Manifest",
    "PlanFingerprint",
    "ProcessFound",
    "RunState",
    "TransferSummary",
    "WorldFingerprint",
]

RunState = Literal["running", "checking", "incomplete", "complete"]


class TransferSummary(TypedDict):
    """What one transfer came to: the client's measurements joined with the ground truth of its flow.

    Keys:
        ok: Whether the client finished it.
        bytes: Payload bytes in the transfer's direction.
        start_s: When it began, since the start of the run; None: it did not run.
        end_s: When it was over: its last byte, or the end that the client told of.
        duration_s: From the client's SYN to the last of the bytes (where the client does something else first, as in
            an evasion, from its ``download`` event).
        goodput_bps: Bits of payload per second of ``duration_s``.
        handshake_s: From connection to the end of the TLS handshake.
        throttled: Ground truth: whether a box slowed the flow, or the whole line, down: it touched packets, and not of
            the handshake alone.
        action: Ground truth: what a box did (a meter, ``delay``, a way to end it); None: nothing.
        rule: Ground truth: the rule that matched.
        drops: Ground truth: packets that the box dropped.
        hello: Why a box that acted on nothing did not find the name in the hello; None: it did, or there was none.
        influences: Ground truth: what acted on it: boxes first, then what the plan says of links and ends on its way.
        without_boxes: What became of it in the twin run, where there is one.
        error: What the client says of a transfer that failed.
        published: What was published of such a transfer, where the scenario says it.
        ip: 6: it went over IPv6; missing: over IPv4.
        protocol: Of a download or an upload over HTTPS: http/1.1, http/2 or http/3; missing: of something else.
        group: What transfers have in common that went side by side (``parallel``); missing: it went alone.
    """

    id: str
    name: str
    line: str
    sni: str | None
    direction: Literal["download", "upload"]
    role: str
    kind: str
    ok: bool
    bytes: int
    start_s: float | None
    end_s: float | None
    duration_s: float | None
    goodput_bps: float | None
    handshake_s: float | None
    throttled: bool
    action: str | None
    rule: str | None
    drops: int
    hello: str | None
    influences: list[Influence]
    error: str | None
    without_boxes: NotRequired[Unboxed]
    published: NotRequired[str]
    protocol: NotRequired[Literal["http/1.1", "http/2", "http/3"]]
    ip: NotRequired[Literal[6]]
    group: NotRequired[str]


class KernelFound(TypedDict):
    """The guest's kernel: the hash of its recipe, and the package of its source."""

    hash: str
    source: str


class ProcessFound(TypedDict):
    """The process that makes the run: its number, and when it started (numbers are used again)."""

    pid: int
    started: int | None


class HostFound(TypedDict):
    """The machine that made the run."""

    system: str
    machine: str
    processors: int | None


class WorldFingerprint(TypedDict):
    """What the bytes of every run depend on, each as a digest or a version; see `testbed.engine.judge.fingerprint`."""

    code: str
    python: str
    kernel: str
    openssl: str
    libc: str
    machine: str
    programs: dict[str, str]


class PlanFingerprint(TypedDict):
    """What the bytes of one run depend on alone."""

    plan: str
    topology: str


class Fingerprint(PlanFingerprint, WorldFingerprint):
    """Both: two runs with one fingerprint are equal in virtual time."""


class RunFingerprint(Fingerprint):
    """That of a run that was made, with the guest's memory."""

    memory_mib: NotRequired[int]


class Manifest(TypedDict, total=False):
    """The manifest of a run, as far as the run has come. ``format`` and ``state`` are always there.

    Keys:
        start_ns: The instant that is t = 0, nanoseconds since 1970.
        programs: What served and what fetched where there is a choice: nginx and curl, or what stands in for them.
        landlock: Version of the fence around what the guest may write; 0: the machine has none.
        background: What came of background traffic, a flow each; missing: none was planned.
        left_behind: What the guest left that was not taken over.
        notes: What a reader has to know though the run is valid.
        problems: Why the run must not be scored; empty for a valid run.
        emulated_s, wall_s, guest_wall_s: How long it took: in the guest's time, in all, and until the guest had ended.
    """

    format: int
    state: RunState
    process: ProcessFound
    scenario: str
    title: str
    seed: int
    drawn: list[DrawPlan]
    engine: str
    start_ns: int
    kernel: KernelFound
    programs: ProgramsPlan
    versions: dict[str, str]
    fingerprint: RunFingerprint
    landlock: int
    host: HostFound
    left_behind: list[str]
    transfers: list[TransferSummary]
    background: list[TransferSummary]
    certificate: Certificate
    checks: list[Check]
    notes: list[str]
    problems: list[str]
    valid: bool
    emulated_s: float
    wall_s: float
    guest_wall_s: float
