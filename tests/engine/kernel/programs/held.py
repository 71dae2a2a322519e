"""Sends from pages that it overwrites while the packet waits in its own netem; reports what arrives."""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import struct
import subprocess

from tests.engine.kernel.programs.first_process import answer, mount

FAKE, TRUE = b"fake", b"true"
CLONE_NEWNET = 0x40000000
ETHERTYPE = 0x88B5  # for local experiments
SO_ZEROCOPY, MSG_ZEROCOPY = 60, 0x4000000
SOL_PACKET, PACKET_TX_RING = 263, 13
SEND_REQUEST, FRAME_BYTES, HEADER_BYTES = 1, 4096, 32
DELAY = "100ms"
libc = ctypes.CDLL(None, use_errno=True)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def serve(line: socket.socket) -> None:
    """The far end: says the first four bytes of each thing that arrives."""
    libc.unshare(CLONE_NEWNET)
    line.send(b"+")
    line.recv(1)
    ip("addr", "add", "10.0.0.2/24", "dev", "far")
    ip("link", "set", "far", "up")
    server = socket.create_server(("10.0.0.2", 80))
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE))
    line.send(b"+")
    while order := line.recv(1):
        if order == b"t":
            connection, _ = server.accept()
            line.send(connection.recv(4))
        else:
            line.send(wire.recv(4096)[14:18])


class Pages:
    """Pages of a memfd, holding the fake until `overwrite`."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("fake")
        os.ftruncate(self.fd, mmap.PAGESIZE)
        self.memory = mmap.mmap(self.fd, mmap.PAGESIZE)
        self.memory[:4] = FAKE

    def overwrite(self) -> None:
        self.memory[:4] = TRUE


def connected() -> socket.socket:
    line.send(b"t")
    return socket.create_connection(("10.0.0.2", 80))


def arrived() -> str:
    return line.recv(4).decode()


def by_sendfile() -> str:
    pages = Pages()
    with connected() as connection:
        os.sendfile(connection.fileno(), pages.fd, 0, 4)
        pages.overwrite()
        return arrived()


def by_vmsplice() -> str:
    class Vector(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))

    pages = Pages()
    base = ctypes.addressof(ctypes.c_char.from_buffer(pages.memory))
    read, write = os.pipe()
    with connected() as connection:
        assert libc.vmsplice(write, ctypes.byref(Vector(base, 4)), 1, 0) == 4
        assert os.splice(read, connection.fileno(), 4) == 4
        pages.overwrite()
        return arrived()


def by_zerocopy() -> str:
    pages = Pages()
    with connected() as connection:
        connection.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
        connection.send(memoryview(pages.memory)[:4], MSG_ZEROCOPY)
        pages.overwrite()
        return arrived()


def by_packet_ring() -> str:
    """The ring's header is a tpacket_hdr: status, length, then the frame after 32 bytes."""
    line.send(b"p")
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    ring = struct.pack("IIII", FRAME_BYTES, 1, FRAME_BYTES, 1)
    wire.setsockopt(SOL_PACKET, PACKET_TX_RING, ring)
    wire.bind(("near", ETHERTYPE))
    with mmap.mmap(wire.fileno(), FRAME_BYTES) as memory:
        frame = b"\xff" * 6 + b"\x02" * 6 + struct.pack("!H", ETHERTYPE) + FAKE + bytes(60)
        memory[HEADER_BYTES : HEADER_BYTES + len(frame)] = frame
        memory[:12] = struct.pack("QI", SEND_REQUEST, len(frame))
        wire.send(b"", socket.MSG_DONTWAIT)
        memory[HEADER_BYTES + 14 : HEADER_BYTES + 18] = TRUE
        return arrived()


def again_after_a_loss() -> str:
    """What TCP sends again is what the pages hold by then, as on any machine."""
    pages = Pages()
    with connected() as connection:
        subprocess.run(
            ["tc", "qdisc", "change", "dev", "near", "root", "netem", "delay", DELAY, "loss", "100%"], check=True
        )
        os.sendfile(connection.fileno(), pages.fd, 0, 4)
        pages.overwrite()
        subprocess.run(
            ["tc", "qdisc", "change", "dev", "near", "root", "netem", "delay", DELAY, "loss", "0%"], check=True
        )
        return arrived()


mount()
line, far = socket.socketpair()
child = os.fork()
if child == 0:
    line.close()
    serve(far)
    os._exit(0)
far.close()
line.recv(1)
ip("link", "add", "near", "type", "veth", "peer", "name", "far")
ip("link", "set", "far", "netns", str(child))
ip("addr", "add", "10.0.0.1/24", "dev", "near")
ip("link", "set", "near", "up")
line.send(b"+")
line.recv(1)
subprocess.run(["tc", "qdisc", "add", "dev", "near", "root", "netem", "delay", DELAY], check=True)
answer({
    "sendfile": by_sendfile, "vmsplice": by_vmsplice, "zerocopy": by_zerocopy, "packet_ring": by_packet_ring,
    "again": again_after_a_loss,
})  # fmt: skip
