"""Packets of which something is still to come: a record finds its packet, and a packet that left the exit due."""

from __future__ import annotations

from testbed.records.crossings import Crossing, crossing
from testbed.records.packet_log import LoggedPacket
from testbed.records.unsettled import Candidates, Entry, Exit, Exits
from tests.records.build import frame


def packet(t_ns: int, *, seq: int = 1, ip_id: int = 7) -> Crossing:
    return crossing(frame(1, 0.0, down=True, seq=seq, ip_id=ip_id).data[14:], t_ns, upwards=False)


def record(t_ns: int, *, seq: int | None = 1) -> LoggedPacket:
    return LoggedPacket("packet_dropped", "down", 7, 1040, seq=seq, t_ns=t_ns)


def test_of_packets_alike_a_record_is_about_the_last_before_it() -> None:
    candidates, entries = Candidates(), [Entry(packet(t_ns)) for t_ns in (10_000, 20_000, 30_000)]
    for each in entries:
        candidates.add(each)
    assert candidates.take(record(25_000)) is entries[1]
    assert candidates.take(record(25_000)) is entries[0]
    assert candidates.take(record(25_000)) is None


def test_a_record_may_stand_a_microsecond_before_its_packet_and_no_more() -> None:
    candidates, entry = Candidates(), Entry(packet(20_000))
    candidates.add(entry)
    assert candidates.take(record(18_999)) is None
    assert candidates.take(record(19_000)) is entry


def test_a_record_without_a_sequence_number_agrees_with_any() -> None:
    candidates, entry = Candidates(), Entry(packet(1, seq=5))
    candidates.add(entry)
    assert candidates.take(record(1, seq=6)) is None
    assert candidates.take(record(1, seq=None)) is entry


def test_a_packet_that_is_forgotten_gets_no_record() -> None:
    candidates, entry = Candidates(), Entry(packet(1))
    candidates.add(entry)
    candidates.forget(entry)
    assert candidates.take(record(1)) is None


def test_of_equal_packets_the_first_due_leaves_first_and_another_is_not_due() -> None:
    exits = Exits()
    due = [Exit(t_ns, packet(t_ns).identity, None) for t_ns in (30, 10, 20)]
    for each in due:
        exits.add(packet(0).data, each)
    assert exits.take(packet(5, seq=2)) is None
    assert exits.take(packet(5)) is due[1]
    assert list(exits.rest()) == [due[2], due[0]]
