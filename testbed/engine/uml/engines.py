"""The engines that run our own kernel as an ordinary process: in virtual time, and at the pace of the wall clock.

They need no privilege, change nothing on the host, and differ in their clocks alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.engine.host_machine import require_host_machine
from testbed.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.engine.engine import GuestSetup
    from testbed.engine.kernel import KernelInfo
    from testbed.engine.uml.guest import Guest
    from testbed.records.plan import Clock

__all__ = ["REALTIME", "VIRTUAL", "UmlEngine"]

_SETTLE_S = 5.0  # from boot to t = 0, at least: links come up within; a run begins at a round instant


@dataclass(frozen=True, slots=True, kw_only=True)
class UmlEngine:
    """An engine on our own kernel (`testbed.engine.engine.Engine` says what each attribute means).

    Attributes:
        is_virtual: With time travel: the clock stands still while anything computes, and jumps when nothing does.
        watches_timers: Whether timers that fire late are counted, against ``late_s``.
    """

    name: str
    summary: str
    is_virtual: bool
    late_s: float
    watches_timers: bool
    has_terminal: bool
    why_unequal: str | None

    @property
    def clock(self) -> Clock:
        """What the guest has to know of its clock."""
        watched = self.late_s if self.watches_timers else None
        return {"is_virtual": self.is_virtual, "settle_s": _SETTLE_S, "late_s": watched}

    def prepare(self, say: Callable[[str], None]) -> KernelInfo:
        """Build the kernel, if that has not been done."""
        require_host_machine("a run")
        from testbed.engine.kernel import ensure_kernel, kernel_info  # noqa: PLC0415 - `testbed --help` reads the engines

        found = kernel_info()
        if found.path is None:
            ensure_kernel(progress=say)
            found = kernel_info()
        return found

    def require(self, kernel: KernelInfo, memory_mib: int) -> None:
        """Check the kernel, and what the machine must grant a guest."""
        from testbed.engine.prepare.environment import require_environment  # noqa: PLC0415 - as above

        if kernel.path is None:
            raise MissingError("the kernel is not built; run: testbed kernel build")
        require_environment(guest_mib=memory_mib)

    def start(self, setup: GuestSetup) -> Guest:
        """Start our kernel."""
        from testbed.engine.uml.guest import Guest  # noqa: PLC0415 - as above

        return Guest(setup, settle_s=setup.settle_s if self.is_virtual else None)


VIRTUAL = UmlEngine(
    name="virtual",
    summary="a clock that jumps over idle time and stands still while anything computes",
    is_virtual=True,
    late_s=1e-4,  # each look at the guest's clock moves it on by 256 ns, and a packet in user space costs some
    watches_timers=False,  # none can be late
    has_terminal=False,
    why_unequal=None,
)

REALTIME = UmlEngine(
    name="realtime",
    summary="the pace of the wall clock",
    is_virtual=False,
    late_s=0.02,  # a tenth of the round-trip time of the published measurements
    watches_timers=True,
    has_terminal=True,
    why_unequal="no two runs in real time are equal",
)
