"""The testbed's own Linux: a User-Mode Linux kernel with virtual time and seeded random numbers, built once and cached.

Standard library only: `make` builds the kernel with `python3 -m testbed.engine.kernel` while the packages install.
Not for: starting the kernel, which is what the engines do.
"""

from testbed.engine.kernel.build import ensure_kernel, kernel_info
from testbed.engine.kernel.cache import KernelInfo

__all__ = ["KernelInfo", "ensure_kernel", "kernel_info"]
