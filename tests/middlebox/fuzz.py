"""Millions of mutated packets through boxes of every profile: no exception, no unbounded growth.

Run: python -m tests.middlebox.fuzz --packets 10000000 --seed 1
"""

from __future__ import annotations

import argparse
import sys
import time
from random import Random

from testbed.middlebox.conformance.traces import draw_recipe, packets
from testbed.middlebox.craft import udp_datagram
from testbed.middlebox.inspector import Inspector
from testbed.middlebox.packet import Direction, Packet
from tests.middlebox.build import Connection, profile, profile_names
from tests.middlebox.recognise.test_quic import initials

_TABLE_SIZE = 2000
_GAP_NS = 1_000_000
_CORPUS_TRACES = 150


def corpus(random: Random) -> list[bytes]:
    """Datagrams to mutate: whole traces over IPv4 and IPv6, and QUIC."""
    data = [
        packet.data
        for index in range(_CORPUS_TRACES)
        for packet in packets(draw_recipe(random), _connection(index))[:12]
    ]
    quic = [*initials(), *initials(protocols=14), *initials(version=0x6B3343CF)]
    data += [
        udp_datagram(src=bytes([10, 0, 0, 1]), dst=bytes([192, 0, 2, 1]), sport=40000, dport=443, payload=each)
        for each in quic
    ]
    return data


def _connection(index: int) -> Connection:
    if index % 4 == 0:
        return Connection("2001:db8::1", "2001:db8::2", inside_port=1024 + index)
    return Connection(inside_port=1024 + index)


def mutated(data: bytes, random: Random) -> bytes:
    """A datagram with some bytes changed, cut out, or repeated; often none."""
    choice = random.random()
    if choice < 0.2:
        return data
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        # Headers and the beginning of the payload are where lengths lie.
        at = min(len(changed) - 1, int(random.expovariate(1 / 40)))
        changed[at] = random.choice((0, 0xFF, random.randrange(256), changed[at] ^ 1 << random.randrange(8)))
    if choice > 0.8:
        begin, end = sorted(random.randrange(len(changed) + 1) for _ in range(2))
        changed[begin:end] = changed[begin:end] * random.choice((0, 2))
    return bytes(changed) or b"\0"


def main(arguments: list[str]) -> int:
    """Run for as many packets as asked for, turn by turn through all profiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packets", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    random = Random(options.seed)  # noqa: S311
    seeds = corpus(random)
    boxes = [Inspector(profile(name, flows__table_size=_TABLE_SIZE), seed=1) for name in profile_names()]
    began = time.monotonic()
    events = 0
    directions = tuple(Direction)
    for index in range(options.packets):
        packet = Packet.parse(mutated(random.choice(seeds), random), random.choice(directions))
        box = boxes[index % len(boxes)]
        now_ns = index * _GAP_NS
        events += len(box.inspect(packet, now_ns))
        if index % 1000 == 0:
            events += len(box.expire(now_ns))
    seconds = time.monotonic() - began
    largest = max(box.flow_count for box in boxes)
    if largest > _TABLE_SIZE:
        sys.stderr.write(f"{largest} flows in a table of {_TABLE_SIZE}\n")
        return 1
    sys.stdout.write(
        f"{options.packets} packets, {events} events, {len(boxes)} profiles, at most {largest} flows, {seconds:.0f} s\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
