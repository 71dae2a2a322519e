"""Coverage-guided fuzzing of the box: atheris looks for inputs that reach new code, and for one that raises.

An input chooses a profile and sends mutated datagrams through its live box (`tests.middlebox.live`), with pauses
between them, none or steps back. Run (options are libFuzzer's; a folder keeps what was found, to go on from):

    pip install --editable '.[fuzz]'
    python -m tests.middlebox.fuzz_atheris -runs=1000000 [FOLDER]
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["testbed.middlebox"]):
    from testbed.middlebox.packet import Direction, Packet
    from tests.middlebox.fuzz import corpus, profiles
    from tests.middlebox.live import LiveByHand

from random import Random

_PROFILES = profiles()
_DIRECTIONS = tuple(Direction)
_STEP_NS = 10_000_000
_LATE_NS = (0, 40_000_000)
_SEEDS = [data for sequence in corpus(Random(1)) for _, data in sequence]  # noqa: S311


def one_input(data: bytes) -> None:
    """Send the datagrams through a new box."""
    source = atheris.FuzzedDataProvider(data)
    box = LiveByHand(_PROFILES[source.ConsumeIntInRange(0, len(_PROFILES) - 1)])
    arrived_ns = 10**9
    while source.remaining_bytes():
        direction = _DIRECTIONS[source.ConsumeIntInRange(0, 1)]
        datagram = _SEEDS[source.ConsumeIntInRange(0, len(_SEEDS) - 1)]
        at = source.ConsumeIntInRange(0, len(datagram) - 1)
        patch = source.ConsumeBytes(source.ConsumeIntInRange(0, 64))
        packet = Packet.parse(datagram[:at] + patch + datagram[at + len(patch) :], direction)
        # Steps of 10 ms, backwards too, and up to an hour.
        arrived_ns += _STEP_NS * source.ConsumeIntInRange(-5, 360_000) * source.ConsumeIntInRange(0, 1)
        box.poll(packet, arrived_ns, arrived_ns + _LATE_NS[source.ConsumeIntInRange(0, 1)])
        if box.execution.inspector.flow_count > box.profile.flows.table_size:
            raise AssertionError(f"{box.execution.inspector.flow_count} flows in the table")


def main() -> None:
    """Fuzz until libFuzzer's options end it."""
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
