"""What the guest and the host say to each other while a run goes on: one JSON object a line, over a serial port.

Each message has a ``kind``. Times ``t`` are seconds since the start of the run, negative before it.
"""

# No postponed annotations: `testbed.records.shape` reads them, and the names in them have to be there.

from typing import Literal, TypedDict

from testbed.records.certificate import GuestCertificate
from testbed.records.shape import shaped

__all__ = [
    "AliveMessage", "CommandOrder", "EndedMessage", "FailedMessage", "FinishedMessage", "GuestMessage", "HostMessage",
    "LeaveMessage", "Message", "OpenMessage", "OutputMessage", "ProgressMessage", "ResizedMessage", "SignalMessage",
    "StallMessage", "StartMessage", "StopMessage", "Stream", "TransferMessage", "TypedMessage", "guest_message",
]  # fmt: skip


Stream = Literal["stdout", "stderr", "terminal"]


class ProgressMessage(TypedDict):
    """From the guest: what the run does now, in words."""

    kind: Literal["progress"]
    what: str
    t: float


class TransferMessage(TypedDict):
    """From the guest: a transfer begins or ends. ``transfer``: its id."""

    kind: Literal["transfer"]
    state: Literal["begins", "ends"]
    transfer: str
    t: float


class AliveMessage(TypedDict):
    """From the guest: time passes, though nothing else is to be told."""

    kind: Literal["alive"]
    t: float


class OpenMessage(TypedDict):
    """From the guest: the network is up, and programs may be started on its nodes."""

    kind: Literal["open"]
    t: float


class EndedMessage(TypedDict):
    """From the guest: a program of a shell has ended.

    Keys:
        problem: Why it could not be started; empty if it was.
        taken: How many typed bytes its terminal was given.
        unread: Those of them that it has not read, in hexadecimal digits.
    """

    kind: Literal["ended"]
    number: int
    status: int
    problem: str
    unread: str
    taken: int
    began_s: float
    t: float


class FinishedMessage(TypedDict):
    """From the guest, its last message: the run is done; what the guest saw of it, and how long it took."""

    kind: Literal["finished"]
    certificate: GuestCertificate
    emulated_s: float


class FailedMessage(TypedDict):
    """From the guest, its last message: the run is not done. ``error``: the name of the error's class."""

    kind: Literal["failed"]
    error: str
    message: str


class StallMessage(TypedDict):
    """Of the host's own: what a guest does that has been silent for a while, seen from outside."""

    kind: Literal["stall"]
    what: str


class OutputMessage(TypedDict):
    """Of the host's own: what a user's command has printed since."""

    kind: Literal["output"]
    stream: Stream
    data: bytes


class StopMessage(TypedDict):
    """To the guest: end the run in good order."""

    kind: Literal["stop"]


class TypedMessage(TypedDict):
    """To the guest: what the user typed for the command, in hexadecimal digits: it may be no text."""

    kind: Literal["typed"]
    data: str


class ResizedMessage(TypedDict):
    """To the guest: the user's window has another size."""

    kind: Literal["resized"]
    rows: int
    columns: int


class StartMessage(TypedDict):
    """To the guest: start a program on a node; ``orders/NUMBER.json`` has its `CommandOrder`."""

    kind: Literal["start"]
    number: int
    node: str


class SignalMessage(TypedDict):
    """To the guest: send a signal, by its number, to a program that has no terminal."""

    kind: Literal["signal"]
    number: int
    signal: int


class LeaveMessage(TypedDict):
    """To the guest: no more programs will come; end those that run, and then the run."""

    kind: Literal["leave"]


class CommandOrder(TypedDict):
    """What the guest is told of a user's program, in a file of its own (``command.json``).

    Keys:
        program: Its file; ``argv[0]`` is what the user called it.
        folder: Where it starts.
        uid, gid: Whom it runs as.
        terminal: Rows and columns of its terminal; None: it has none.
        privileged: It runs as root and sees everything; for programs of the testbed alone.
        reads_all: It may read what only root may, in what it sees at all.
        hidden: Folders that it finds empty, and may write to.
        visible: What it finds all the same, though a folder around it is hidden.
        sealed: What is hidden even where a visible folder holds it.
        most_bytes: Of one file that it writes.
        open_files: How many files it may have open.
    """

    argv: list[str]
    program: str
    environment: dict[str, str]
    folder: str
    uid: int
    gid: int
    terminal: list[int] | None
    privileged: bool
    reads_all: bool
    hidden: list[str]
    visible: list[str]
    sealed: list[str]
    most_bytes: int
    open_files: int


GuestMessage = (
    ProgressMessage | TransferMessage | AliveMessage | OpenMessage | EndedMessage | FinishedMessage | FailedMessage
)
Message = GuestMessage | StallMessage | OutputMessage
HostMessage = StopMessage | TypedMessage | ResizedMessage | StartMessage | SignalMessage | LeaveMessage

_OF_GUEST: dict[str, type[GuestMessage]] = {
    "progress": ProgressMessage,
    "transfer": TransferMessage,
    "alive": AliveMessage,
    "open": OpenMessage,
    "ended": EndedMessage,
    "finished": FinishedMessage,
    "failed": FailedMessage,
}


def guest_message(value: object) -> GuestMessage:
    """Return a message of the guest, as it was read.

    Raises:
        ValueError: It is none; the message says why.
    """
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in _OF_GUEST:
        raise ValueError(f"expected an object with a kind of message, got {value!r:.60}")
    return shaped(value, _OF_GUEST[kind])
