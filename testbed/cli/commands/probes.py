"""The command that makes a run to probe a censor: ``probe``. A module of its own: what it loads takes a while."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed.cli.commands.making import carry_out, new_run_folder
from testbed.cli.commands.runs import RUN_KEYS, run_status
from testbed.cli.progress import Progress, say, show
from testbed.engine.engine import ENGINES
from testbed.probing.check import compare
from testbed.probing.probe import ProbeRequest, plan_probe, read_findings
from testbed.report.probes import probe_table
from testbed.scenario import library

if TYPE_CHECKING:
    import argparse

__all__ = ["probe_command"]


def probe_command(arguments: argparse.Namespace) -> int:
    """Probe a censor and print what was found beside what is configured."""
    plan = plan_probe(
        library.find("scenarios", arguments.scenario),
        arguments.settings,
        ProbeRequest.from_words(
            arguments.probe, arguments.options, line=arguments.line, sni=arguments.sni, names=arguments.names
        ),
        seed=arguments.seed,
        engine=arguments.engine,
    )
    kernel = ENGINES[arguments.engine].prepare(say)
    folder = arguments.output or new_run_folder(f"{plan.name}-probe-{arguments.probe}", plan.data["seed"])
    manifest = carry_out(plan, kernel, folder, arguments, Progress(len(plan.transfers)))
    # The findings are read from the run directory, as anybody could later; the guest's answer is not passed beside it.
    result = compare(plan, read_findings(plan, folder))
    if arguments.json:
        run = {key: manifest.get(key) for key in RUN_KEYS}
        show(json.dumps({"run": str(folder), **run, **result.as_json()}))
    else:
        show(probe_table(result))
        show(f"run directory: {folder}")
    return run_status(manifest, 0 if result.agrees else 1)
