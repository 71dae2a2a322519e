"""Reports what the kernel has of what tools ask for, and that it lacks what no guest needs."""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
import subprocess
from pathlib import Path

from tests.engine.kernel.programs.first_process import answer, mount

TCP_MD5SIG = 14
RULES = """\
table inet tool {
  chain out {
    type filter hook postrouting priority mangle
    tcp dport 443 ct original packets 1-6 meta mark and 0x40000000 == 0 queue num 200 bypass
    ct state new ct mark set meta mark
    tcp dport 443 ct original bytes < 3000 @th,96,8 0x50 counter
  }
  chain in {
    type nat hook prerouting priority dstnat
    tcp dport 80 redirect to :8080
  }
  chain away {
    type nat hook postrouting priority srcnat
    masquerade
  }
  chain no {
    udp dport 443 reject
  }
}
"""
libc = ctypes.CDLL(None, use_errno=True)


def refuses(number: int) -> str:
    libc.syscall(number, 0, 0, 0)
    return errno.errorcode[ctypes.get_errno()]


def md5_signatures() -> str:
    with socket.socket() as server:
        address = struct.pack("!HH4s8x112x", socket.htons(socket.AF_INET), 443, socket.inet_aton("10.0.0.2"))
        option = address + struct.pack("=BBHI80s", 0, 0, 3, 0, b"key")
        server.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, option)
    return "accepted"


def rules() -> str:
    done = subprocess.run(["nft", "-f", "-"], input=RULES, capture_output=True, text=True, check=False)
    return "accepted" if done.returncode == 0 else done.stderr.replace("\n", " | ")


mount()
answer({
    "md5sig": md5_signatures,
    "nft": rules,
    "tun": lambda: Path("/sys/class/misc/tun").exists(),
    "mem": lambda: [name for name in ("mem", "kmem", "port", "kcore") if Path("/dev", name).exists()],
    "kcore": lambda: Path("/proc/kcore").exists(),
    "kexec_load": lambda: refuses(246),
    "init_module": lambda: refuses(175),
    "finit_module": lambda: refuses(313),
    "bpf": lambda: refuses(321),
    "perf_event_open": lambda: refuses(298),
    "userfaultfd": lambda: refuses(323),
    "io_uring_setup": lambda: refuses(425),
})  # fmt: skip
