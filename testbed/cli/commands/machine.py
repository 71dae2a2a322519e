"""The guest's kernel and this machine: ``kernel`` and ``doctor``."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING

from testbed.cli.progress import say, show
from testbed.engine.host_machine import guest_problem, require_host_machine
from testbed.errors import InputError
from testbed.labs.laptop import append_line, as_csv, as_text, this_laptop

if TYPE_CHECKING:
    import argparse

__all__ = ["doctor_command", "kernel_command"]


def kernel_command(arguments: argparse.Namespace) -> int:
    """Build the guest's kernel, or say what is built."""
    engine = import_module("testbed.engine.kernel")
    if arguments.action == "build":
        require_host_machine("a kernel")
        engine.ensure_kernel(progress=say)
    info = engine.kernel_info()
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
    """Say what this machine has and lacks; for a class, in one line."""
    if arguments.for_class:
        return _class_line(arguments)
    if arguments.csv or arguments.name or arguments.output:
        raise InputError("doctor: --csv, --name and -o go with --class")
    # It looks at what is of Linux alone, and cannot be loaded elsewhere: there is one thing to say, and what works.
    if guest_problem() is not None:
        say(as_text(this_laptop("")))
        require_host_machine("a run")
    doctor = import_module("testbed.doctor")
    checks = doctor.diagnose()
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
        show(doctor.format_checks(checks))
    return 0 if all(check.ok or not check.required for check in checks) else 3


def _class_line(arguments: argparse.Namespace) -> int:
    if arguments.csv and arguments.json:
        raise InputError("doctor --class: --csv or --json, not both")
    # Shown as well as kept, so that whoever sits there sees what to type.
    laptop = this_laptop(arguments.name)
    form = "csv" if arguments.csv else "json" if arguments.json else "text"
    if arguments.output is not None:
        append_line(arguments.output, laptop, form)
        say(f"testbed: added to {arguments.output}")
    show(
        {"csv": as_csv(laptop, with_head=True).rstrip(), "json": json.dumps(asdict(laptop)), "text": as_text(laptop)}[
            form
        ]
    )
    return 0
