"""The guest"s kernel and this machine: ``kernel`` and ``doctor``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed.cli.progress import say, show
from testbed.doctor import diagnose, format_checks
from testbed.engine.kernel import ensure_kernel, kernel_info

if TYPE_CHECKING:
    import argparse

__all__ = ["doctor_command", "kernel_command"]


def kernel_command(arguments: argparse.Namespace) -> int:
    """Build the guest's kernel, or say what is built."""
    if arguments.action == "build":
        ensure_kernel(progress=say)
    info = kernel_info()
    facts = {
        "path": str(info.path) if info.path else None, "hash": info.hash, "version": info.version,
        "source": info.source, "size_bytes": info.size_bytes, "built": info.built, "options": len(info.options),
    }  # fmt: skip
    if info.unused_package:
        say(f"not used: {info.unused_package}")
    if arguments.json:
        show(json.dumps(facts))
    else:
        show(
            "\n".join(
                f"{name:11} {value if value is not None else 'not built: testbed kernel build'}"
                for name, value in facts.items()
            )
        )
    return 0


def doctor_command(arguments: argparse.Namespace) -> int:
    """Say what this machine has and lacks."""
    checks = diagnose()
    if arguments.json:
        show(
            json.dumps(
                [
                    {name: getattr(check, name) for name in ("name", "ok", "found", "remedy", "required")}
                    for check in checks
                ]
            )
        )
    else:
        show(format_checks(checks))
    return 0 if all(check.ok or not check.required for check in checks) else 3
