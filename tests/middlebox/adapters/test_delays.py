from __future__ import annotations

from testbed.middlebox.adapters.delays import Delays


class Queued:
    """A packet that notes when it may go."""

    def __init__(self, name: str, gone: list[str]) -> None:
        self._name, self._gone = name, gone

    def accept(self) -> None:
        self._gone.append(self._name)


def test_packets_leave_at_their_departure_in_the_order_of_time_then_of_arrival() -> None:
    delays, gone = Delays(), list[str]()
    for name, departure_ns in (("late", 30), ("first", 10), ("second", 10), ("middle", 20)):
        delays.add(Queued(name, gone), departure_ns)
    assert delays.next_ns() == 10
    delays.release(9)
    assert gone == []
    delays.release(20)
    assert gone == ["first", "second", "middle"]
    assert delays.next_ns() == 30
    delays.release(1000)
    assert (delays.next_ns(), gone[-1]) == (None, "late")
