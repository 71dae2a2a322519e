"""What the bytes of a run depend on, named one by one: two runs with one fingerprint are equal in virtual time.

    plan      the scenario as resolved, with seed, engine and command
    topology  the topology's source
    code      the guest's code: the testbed's own, Mininet, Python's version
    kernel    the guest's kernel
    programs  nginx, openssl, curl, libc and the libraries of TLS, each by its contents

What it leaves out is told where it is used: the command's own files and what else of the host a command reads.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import ssl
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.engine.prepare.guest_code import guest_code_digest
from testbed.engine.prepare.programs import find_guest_program
from testbed.engine.uml.confine import landlock_version

if TYPE_CHECKING:
    from testbed.engine.kernel import KernelInfo
    from testbed.records.manifest import Fingerprint, Manifest, PlanFingerprint, WorldFingerprint
    from testbed.scenario.plan import Plan

__all__ = ["describe_influences", "fingerprint", "plan_digest", "plan_fingerprint", "world_fingerprint"]

_PROGRAMS = ("nginx", "openssl", "curl")
_LIBRARIES = ("libssl.so", "libcrypto.so", "libc.so", "libcurl.so")
_DIGITS = 16


def fingerprint(plan: Plan, kernel: KernelInfo) -> Fingerprint:
    """Digests and versions of all that the bytes of a run depend on.

    Raises:
        OSError: A file cannot be read.
        MissingError: The guest's code cannot be made.
    """
    return {**plan_fingerprint(plan), **world_fingerprint(kernel)}


def plan_fingerprint(plan: Plan) -> PlanFingerprint:
    """Digests of what the bytes of one run depend on alone. Raises OSError: a file cannot be read."""
    topology = Path(plan.data["topology"]["file"]).read_bytes()
    return {"plan": plan_digest(plan), "topology": _digest(topology)}


def world_fingerprint(kernel: KernelInfo) -> WorldFingerprint:
    """Digests and versions of what the bytes of every run depend on, whatever its plan.

    Errors are those of `fingerprint`.
    """
    return {
        "code": guest_code_digest(),
        "python": platform.python_version(),
        "kernel": kernel.hash,
        "openssl": ssl.OPENSSL_VERSION,
        "libc": " ".join(platform.libc_ver()),
        "machine": platform.machine(),
        "programs": {name: _digest_of(path) for name, path in _programs()},
    }


def describe_influences(plan: Plan, kernel: KernelInfo, memory_mib: int) -> Manifest:
    """Return what a manifest says of the machine and its programs: the fingerprint, and what else may explain a run.

    Errors are those of `fingerprint`.
    """
    packages = {name: version(name) for name in ("throttling-testbed", "mininet")}
    return {
        "versions": packages | {"python": platform.python_version()},
        "fingerprint": {**fingerprint(plan, kernel), "memory_mib": memory_mib},
        "landlock": landlock_version(),
        "host": {"system": platform.platform(), "machine": platform.machine(), "processors": os.cpu_count()},
    }


def plan_digest(plan: Plan) -> str:
    """Return a digest of a plan, wherever the file of its topology lies."""
    # Where the topology lies is no cause of a difference; what it says has a digest of its own.
    data = {**plan.data, "topology": {**plan.data["topology"], "file": plan.data["topology"]["name"]}}
    return _digest(json.dumps(data, sort_keys=True).encode())


def _programs() -> list[tuple[str, str]]:
    """Programs, the interpreter, and the libraries that it has loaded: the guest's loads the same."""
    found = [(name, path) for name in _PROGRAMS if (path := find_guest_program(name)) is not None]
    found.append(("python", sys.executable))
    # By what this process has loaded: the paths of libraries differ between distributions.
    loaded = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/" in line}
    libraries = [path for path in sorted(loaded) if Path(path).name.startswith(_LIBRARIES)]
    return [*found, *((Path(path).name, path) for path in libraries)]


@cache
def _digest_of(path: str) -> str:
    return _digest(Path(path).read_bytes())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGITS]
