"""What the how-to on probes and evasions shows is what its commands print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from testbed.cli import main
from testbed.traffic.evasion import EVASIONS

DOCS = Path(__file__).resolve().parents[2] / "docs"
HOW_TO = (DOCS / "how-to/probe-and-evade.md").read_text()
SHOWN = re.findall(r"^    testbed ([^\n]+)\n\n```\n(.*?)```", HOW_TO, re.MULTILINE | re.DOTALL)


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command for command, _ in SHOWN])
def test_the_document_shows_what_the_command_prints(
    command: str, shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*shlex.split(command), "-o", str(tmp_path / "run")]) == 0
    printed = iter([without_figures(line) for line in capsys.readouterr().out.splitlines()])
    for line in shown.splitlines():
        assert line == "…" or without_figures(line) in printed, line


def without_figures(line: str) -> str:
    """A line without what the timing of a single packet changes: speeds, and how many packets were dropped."""
    line = re.sub(r"[\d.]+ [kM]?bit/s|[\d.]+ s  |\d+ (packets dropped|drops)", "# ", line)
    return re.sub(r" +", " ", line).strip()


def test_the_document_has_output_to_compare() -> None:
    assert len(SHOWN) >= 6


def test_the_reference_lists_every_evasion_with_its_options() -> None:
    evasions = (DOCS / "reference/scenario.md").read_text().partition("| options (default) |\n")[2]
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| [^|]+ \|([^|]*)\|$", evasions, re.MULTILINE)
    listed = {name: set(re.findall(r"`(\w+)`", options)) for name, options in rows}
    assert listed == {name: set(cls.__dataclass_fields__) for name, cls in EVASIONS.items()}
