"""Millions of mutated packets through live boxes of every profile: no exception, no unbounded growth.

The boxes are driven as the live adapter drives them (`tests.middlebox.live`): with their kernel, their timers, late
polls, arrivals at one instant and such that step back. Every profile is tried with every policy for IP fragments.

Run: python -m tests.middlebox.fuzz --packets 10000000 --seed 1
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from random import Random
from typing import TYPE_CHECKING

from testbed.conformance.traces import draw_recipe, packets
from testbed.middlebox.craft import fragments, udp_datagram
from testbed.middlebox.packet import Direction, Packet
from tests.middlebox.build import Connection, problems, profile, profile_names
from tests.middlebox.live import LiveByHand
from tests.middlebox.recognise.test_quic import initials

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.middlebox.profile import Profile

_TABLE_SIZES = (3, 2000)
_TRACES = 150
_TRACE_PACKETS = 30
_PIECE, _LARGE_PIECE = 104, 8000  # bytes: a hello in fragments, a datagram of more than 64 kB in fragments
_POLICIES = ("pass", "drop", "hold", "reassemble")

Sequence = list[tuple[Direction, bytes]]
"""Datagrams that belong together, and which way each goes."""


def corpus(random: Random) -> list[Sequence]:
    """What is mutated: whole traces over IPv4 and IPv6, hellos in fragments, impossible datagrams, and QUIC."""
    sequences = [
        [
            (packet.direction, packet.data)
            for packet in packets(draw_recipe(random), _connection(index))[:_TRACE_PACKETS]
        ]
        for index in range(_TRACES)
    ]
    hellos = [(direction, data) for sequence in sequences for direction, data in sequence if len(data) > 3 * _PIECE]
    sequences += [
        [(direction, piece) for piece in fragments(data, _PIECE)]
        for direction, data in random.sample([each for each in hellos if each[1][0] >> 4 == 4], _TRACES // 5)
    ]
    large = udp_datagram(**_ENDS, payload=bytes(60_000))  # type: ignore[arg-type]
    sequences.append([(Direction.UP, piece) for piece in fragments(large + bytes(8000), _LARGE_PIECE)])
    quic = [initials(), initials(protocols=14), initials(version=0x6B3343CF)]
    sequences += [
        [(Direction.UP, udp_datagram(**_ENDS, payload=each)) for each in datagrams]  # type: ignore[arg-type]
        for datagrams in quic
    ]
    return sequences


_ENDS = {"src": bytes([10, 0, 0, 1]), "dst": bytes([192, 0, 2, 1]), "sport": 40000, "dport": 443}


def _connection(index: int) -> Connection:
    if index % 4 == 0:
        return Connection("2001:db8::1", "2001:db8::2", inside_port=1024 + index)
    return Connection(inside_port=1024 + index)


def mutated(data: bytes, random: Random) -> bytes:
    """A datagram with some bytes changed, cut out, or repeated."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        # Headers and the beginning of the payload are where lengths lie.
        at = min(len(changed) - 1, int(random.expovariate(1 / 40)))
        changed[at] = random.choice((0, 0xFF, random.randrange(256), changed[at] ^ 1 << random.randrange(8)))
    if random.random() < 0.2:
        begin, end = sorted(random.randrange(len(changed) + 1) for _ in range(2))
        changed[begin:end] = changed[begin:end] * random.choice((0, 2))
    return bytes(changed) or b"\0"


def step_ns(random: Random) -> int:
    """Time between two arrivals: none, a step back between two ports, a little, or longer than any timeout."""
    choice = random.random()
    if choice < 0.4:
        return 0
    if choice < 0.45:
        return -random.randrange(50_000_000)
    return random.randrange(2_000_000 if choice < 0.99998 else 1_200_000_000_000)


def profiles() -> list[Profile]:
    """Every packaged profile with every policy for fragments that it may have, with small tables and large ones."""
    found = []
    for name, policy, size in itertools.product(profile_names(), _POLICIES, _TABLE_SIZES):
        if profile(name).action.scope == "line":  # reads nothing, remembers nothing
            found.append(profile(name))
            continue
        if not problems(name, inspection__fragments=policy):  # what delays cannot reassemble
            found.append(profile(name, flows__table_size=size, inspection__fragments=policy))
    return found


def from_port(port: int, direction: Direction, data: bytes) -> bytes:
    """An IPv4 datagram of another connection of the same subscriber; checksums are left as they are."""
    at = 20 if direction is Direction.UP else 22
    is_whole = data[:1] == b"\x45" and not int.from_bytes(data[6:8], "big") & 0x1FFF
    return data[:at] + port.to_bytes(2, "big") + data[at + 2 :] if is_whole else data


def runs(sequences: list[Sequence], random: Random) -> Iterator[Sequence]:
    """Single packets, ends of sequences, and whole ones, mutated here and there."""
    while True:
        sequence = random.choice(sequences)
        begin = random.choice((0, random.randrange(len(sequence))))
        end = random.choice((begin + 1, len(sequence)))
        share = random.choice((0.0, 0.1, 0.8))
        is_turned = random.random() < 0.1
        port = random.choice((1025, random.randrange(1 << 16)))
        chosen = [(direction, from_port(port, direction, data)) for direction, data in sequence[begin:end]]
        yield [
            (direction.opposite if is_turned else direction, mutated(data, random) if random.random() < share else data)
            for direction, data in chosen
        ]


def main(arguments: list[str]) -> int:
    """Run for as many packets as asked for, by turns through all boxes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packets", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    random = Random(options.seed)  # noqa: S311
    boxes = [LiveByHand(each) for each in profiles()]
    began = time.monotonic()
    sent, arrived_ns, largest = 0, 10**9, 0
    for sequence in runs(corpus(random), random):
        if sent >= options.packets:
            break
        box = random.choice(boxes)
        for direction, data in sequence:
            arrived_ns += step_ns(random)
            late_ns = random.choice((0, 1000, 40_000_000))
            box.poll(Packet.parse(data, direction), arrived_ns, arrived_ns + late_ns)
        sent += len(sequence)
        largest = max(largest, box.execution.inspector.flow_count)
        if box.execution.inspector.flow_count > box.profile.flows.table_size:
            sys.stderr.write(f"{largest} flows in a table of {box.profile.flows.table_size}\n")
            return 1
    seconds = time.monotonic() - began
    events = sum(box.counts.total() for box in boxes)
    names = f"{len(profile_names())} profiles in {len(boxes)} boxes"
    sys.stdout.write(f"{sent} packets, {events} events, {names}, at most {largest} flows, {seconds:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
