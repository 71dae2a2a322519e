"""Captures as numpy arrays: records, packets, flows, losses, round-trip times. No opinion on what they mean."""

from __future__ import annotations

from testbed.capture.files import CaptureNotes, RecordChunk, read_records
from testbed.capture.flows import Capture, Flow, group_flows, iter_packets, read_capture
from testbed.capture.packets import ACK, FIN, PSH, RST, SYN, Packets, concatenate
from testbed.capture.tcp import NEVER, Sent, segment_size, sent_by

__all__ = [
    "ACK",
    "FIN",
    "NEVER",
    "PSH",
    "RST",
    "SYN",
    "Capture",
    "CaptureNotes",
    "Flow",
    "Packets",
    "RecordChunk",
    "Sent",
    "concatenate",
    "group_flows",
    "iter_packets",
    "read_capture",
    "read_records",
    "segment_size",
    "sent_by",
]
