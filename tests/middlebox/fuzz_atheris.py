"""Coverage-guided fuzzing of the box: atheris looks for inputs that reach new code, and for one that raises.

An input chooses a profile and sends mutated datagrams through its box, with pauses between them. Run (options are
libFuzzer's; a folder keeps what was found, to go on from):

    pip install --editable '.[fuzz]'
    python -m tests.middlebox.fuzz_atheris -runs=1000000 [FOLDER]
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["testbed.middlebox"]):
    from testbed.middlebox.inspector import Inspector
    from testbed.middlebox.packet import Direction, Packet

from random import Random

from tests.middlebox.build import profile, profile_names
from tests.middlebox.fuzz import corpus

_TABLE_SIZE = 50
_PROFILES = [profile(name, flows__table_size=_TABLE_SIZE) for name in profile_names()]
_DIRECTIONS = tuple(Direction)
_GAP_NS = 1_000_000_000
_SEEDS = corpus(Random(1))  # noqa: S311


def one_input(data: bytes) -> None:
    """Send the datagrams through a new box."""
    source = atheris.FuzzedDataProvider(data)
    box = Inspector(_PROFILES[source.ConsumeIntInRange(0, len(_PROFILES) - 1)], seed=1)
    now_ns = 0
    while source.remaining_bytes():
        direction = _DIRECTIONS[source.ConsumeIntInRange(0, 1)]
        datagram = _SEEDS[source.ConsumeIntInRange(0, len(_SEEDS) - 1)]
        at = source.ConsumeIntInRange(0, len(datagram) - 1)
        patch = source.ConsumeBytes(source.ConsumeIntInRange(1, 64))
        packet = Packet.parse(datagram[:at] + patch + datagram[at + len(patch) :], direction)
        box.inspect(packet, now_ns)
        now_ns += _GAP_NS * source.ConsumeIntInRange(0, 300)
        box.expire(now_ns)
        if box.flow_count > _TABLE_SIZE:
            raise AssertionError(f"{box.flow_count} flows in a table of {_TABLE_SIZE}")


def main() -> None:
    """Fuzz until libFuzzer's options end it."""
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
