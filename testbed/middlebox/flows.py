"""The flow table: what the box remembers of each five-tuple, until when, and who is forgotten when it is full.

Each flow has one expiry, pushed back by every packet. A heap holds one lower bound of it per flow, corrected when it
comes to the top, so that a packet costs one assignment. Entries are numbered, and a flow knows the number of the one
that counts: an older one with the same bound is not taken for it. Not for: deciding what to do with a flow.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.middlebox.actions import Treatment
    from testbed.middlebox.packet import FlowKey
    from testbed.middlebox.readers import Reader
    from testbed.middlebox.unread import Overlooked

__all__ = ["Flow", "FlowTable"]

# Entries of flows that are gone leave the heap late: when they outnumber the others by this, it is made anew.
_SPARE_ENTRIES = 1000


class Flow:
    """State of one five-tuple.

    ``inspections_left`` counts the payload packets that the box will still read; 0 means that it has decided.
    """

    __slots__ = (
        "bound_ns", "entry", "id", "in_handshake", "inspections_left", "is_new", "is_refreshed", "key", "last_seen_ns",
        "opened_ns", "overlooked", "packets", "reader", "timeout_ns", "treatment",
    )  # fmt: skip

    def __init__(self, number: int, key: FlowKey, now_ns: int, timeout_ns: int) -> None:
        """A flow whose first packet came at ``now_ns``."""
        self.id = number
        self.key = key
        self.opened_ns = now_ns
        self.last_seen_ns = now_ns
        self.timeout_ns = timeout_ns
        self.bound_ns = 0
        self.packets = 1  # that the box has seen; those of a flow left to the kernel are not among them
        self.entry = 0  # number of its entry in the heap
        self.inspections_left = 0
        self.reader: Reader | None = None
        self.overlooked: Overlooked | None = None
        self.treatment: Treatment | None = None
        self.is_refreshed = True  # packets push the expiry back
        self.in_handshake = False
        self.is_new = True  # its first packet is being looked at

    def saw(self, now_ns: int) -> None:
        """Count idle time from ``now_ns``, unless the flow was seen later: a live box's clocks may differ a little."""
        self.last_seen_ns = max(self.last_seen_ns, now_ns)

    @property
    def expires_ns(self) -> int:
        """When the flow will be forgotten unless a packet comes first."""
        return self.last_seen_ns + self.timeout_ns


class FlowTable:
    """Flows by five-tuple and by number, bounded in size.

    ``evicted`` counts the flows that had to go to make room.
    """

    __slots__ = ("_by_id", "_by_key", "_count", "_entries", "_heap", "_limit", "evicted")

    def __init__(self, limit: int, *, last_number: int = 0) -> None:
        """An empty table for at most ``limit`` flows, which are numbered from the one after ``last_number`` on."""
        self._limit = limit
        self._by_key: dict[FlowKey, Flow] = {}
        self._by_id: dict[int, Flow] = {}
        self._heap: list[tuple[int, int, int]] = []  # bound, flow, number of the entry
        self._count = last_number
        self._entries = 0
        self.evicted = 0

    @property
    def last_number(self) -> int:
        """The number of the flow that was opened last."""
        return self._count

    def all(self) -> list[Flow]:
        """Return every flow that is remembered, in the order in which they were opened."""
        return list(self._by_id.values())

    def __len__(self) -> int:
        """How many flows are remembered."""
        return len(self._by_key)

    def get(self, key: FlowKey) -> Flow | None:
        """Return the flow of a five-tuple, also when it is due to be forgotten."""
        return self._by_key.get(key)

    def by_id(self, number: int) -> Flow | None:
        """Return the flow with this number."""
        return self._by_id.get(number)

    def is_full(self) -> bool:
        """Return whether one has to go before another can come."""
        return len(self._by_key) >= self._limit

    def open(self, key: FlowKey, now_ns: int, timeout_ns: int) -> Flow:
        """Remember a new flow. The caller has made room."""
        self._count += 1
        flow = Flow(self._count, key, now_ns, timeout_ns)
        self._by_key[key] = self._by_id[flow.id] = flow
        self._schedule(flow)
        return flow

    def set_timeout(self, flow: Flow, timeout_ns: int) -> None:
        """Change how long a flow is remembered after its last packet."""
        flow.timeout_ns = timeout_ns
        # A later expiry needs no new entry: the one there is, too early now, is corrected when it comes to the top. An
        # earlier one does, since no entry would come up in time.
        if flow.expires_ns < flow.bound_ns:
            self._schedule(flow)

    def forget(self, flow: Flow) -> None:
        """Remove a flow; its entry in the heap goes when it comes to the top."""
        # Its entry stays in the heap, where it could be found only by a search.
        del self._by_key[flow.key]
        del self._by_id[flow.id]

    def next_expiry_ns(self) -> int | None:
        """Return when the next flow is forgotten if no packet comes; None for an empty table."""
        flow = self._earliest()
        return None if flow is None else flow.expires_ns

    def due(self, now_ns: int) -> list[Flow]:
        """Flows that have been idle for too long at ``now_ns``, earliest first, each once. They stay in the table."""
        due = []
        flow = self._earliest()
        while flow is not None and flow.expires_ns <= now_ns:
            due.append(flow)
            # Taken off, so that the next one comes up; all are put back below, since the caller may yet refresh them.
            heappop(self._heap)
            flow = self._earliest()
        for flow in due:
            self._push(flow)
        return due

    def oldest(self) -> Flow | None:
        """Return the flow to evict: the one that would be forgotten first anyway."""
        return self._earliest()

    def _schedule(self, flow: Flow) -> None:
        """Give a flow a new entry, and make the heap anew where entries without a flow outnumber the others."""
        self._push(flow)
        if len(self._heap) > 2 * len(self._by_id) + _SPARE_ENTRIES:
            self._heap = [(each.bound_ns, each.id, each.entry) for each in self._by_id.values()]
            heapify(self._heap)

    def _push(self, flow: Flow) -> None:
        """Give a flow a new entry; where one of its own was taken off before, the heap has not grown."""
        self._entries += 1
        flow.bound_ns, flow.entry = flow.expires_ns, self._entries
        heappush(self._heap, (flow.bound_ns, flow.id, flow.entry))

    def _earliest(self) -> Flow | None:
        """Return the flow that expires first, after correcting the top of the heap.

        The heap must not be made anew here: `due` has taken flows off it, which would come back.
        """
        heap = self._heap
        while heap:
            bound, number, entry = heap[0]
            flow = self._by_id.get(number)
            # A flow that was given a new entry, or is gone, left this one behind.
            if flow is not None and flow.entry == entry:
                if flow.expires_ns <= bound:
                    return flow
                heappop(heap)
                self._push(flow)
            else:
                heappop(heap)
        return None
