"""The engine `native`: the machine's own kernel and clock, in fresh user, network, mount and process namespaces.

It needs neither root nor a kernel of ours, so it is for machines that our kernel is not for, and to compare with. What
it measures is worth what the machine is: runs in virtual time are exact, these are as punctual as the machine is idle.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.engine.host_machine import guest_problem
from testbed.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.engine.engine import GuestSetup
    from testbed.engine.kernel import KernelInfo
    from testbed.engine.native.guest import NativeGuest
    from testbed.records.plan import Clock

__all__ = ["NATIVE", "NativeEngine"]

_SETTLE_S = 5.0  # from the guest's start to t = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeEngine:
    """An engine on the machine's kernel (`testbed.engine.engine.Engine` says what each attribute means)."""

    name: str = "native"
    summary: str = "this machine's own kernel and clock, in namespaces; for machines that our kernel is not for"
    late_s: float = 0.02  # as `realtime`
    has_terminal: bool = True
    why_unequal: str | None = "no two runs in real time are equal"

    @property
    def clock(self) -> Clock:
        """What the guest has to know of its clock."""
        return {"is_virtual": False, "settle_s": _SETTLE_S, "late_s": self.late_s, "is_machines": True}

    def prepare(self, say: Callable[[str], None]) -> KernelInfo:
        """Say what the machine's kernel is; there is nothing to make."""
        del say
        from testbed.engine.kernel import KernelInfo  # noqa: PLC0415 - `testbed --help` reads the engines

        system = os.uname()
        return KernelInfo(
            path=None, hash=f"{system.sysname}-{system.release}-{system.machine}", version=system.release,
            source=f"this machine's own: {system.release} {system.version}", options=(), size_bytes=0, built="",
        )  # fmt: skip

    def require(self, kernel: KernelInfo, memory_mib: int) -> None:
        """Try on the machine's kernel all that a run asks of it."""
        del kernel, memory_mib
        from testbed.engine.native.probe import native_checks  # noqa: PLC0415 - as above
        from testbed.engine.uml.confine import guest_identity  # noqa: PLC0415 - as above

        if guest_identity()[0] == 0:
            raise MissingError("--engine native: root cannot become nobody here; start the testbed as another user")
        other = "; or use --engine virtual" if guest_problem() is None else ""
        for check in native_checks():
            if not check.ok:
                raise MissingError(f"--engine native: {check.name}: {check.found}; mend with: {check.remedy}{other}")

    def start(self, setup: GuestSetup) -> NativeGuest:
        """Start a guest in namespaces."""
        from testbed.engine.native.guest import NativeGuest  # noqa: PLC0415 - as above

        return NativeGuest(setup, settle_s=None)


NATIVE = NativeEngine()
