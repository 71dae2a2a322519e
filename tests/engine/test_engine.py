"""Engines: what each says of itself, and that another takes one file and a line of the registry."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import testbed
from testbed.engine.engine import DEFAULT_ENGINE, ENGINES
from testbed.engine.judge.compare_runs import compare_runs
from tests.engine.test_reproducible import SMALL, copied

if TYPE_CHECKING:
    from testbed.engine.kernel.cache import KernelInfo

PACKAGE = Path(testbed.__file__).parent
PATIENT = '''
"""An engine as a plug-in would bring it: real time on a slow machine, where a second late is early."""

from dataclasses import replace

from testbed.engine.uml.engines import REALTIME

PATIENT = replace(REALTIME, name="patient", summary="for slow machines", late_s=1.0, has_terminal=False)
'''
COMPARED = re.compile(
    r"""(==|!=|\bin\b|\bcase\b)\s*[\[({]?["'](virtual|realtime|native)["']|["'](virtual|realtime|native)["']\s*(==|!=|in\b)"""
)


def test_the_first_engine_is_the_default_and_runs_in_virtual_time() -> None:
    assert list(ENGINES) == ["virtual", "realtime", "native"]
    assert DEFAULT_ENGINE == "virtual"
    assert ENGINES[DEFAULT_ENGINE].clock["is_virtual"]


def test_an_engine_is_found_by_its_own_name() -> None:
    assert all(engine.name == name for name, engine in ENGINES.items())


@pytest.mark.parametrize("name", ENGINES)
def test_only_a_clock_that_stands_still_makes_equal_runs_and_only_one_that_runs_on_has_a_terminal(name: str) -> None:
    engine = ENGINES[name]
    assert engine.clock["is_virtual"] == (engine.why_unequal is None)
    assert engine.has_terminal == (not engine.clock["is_virtual"])
    assert (engine.clock["late_s"] is None) == engine.clock["is_virtual"]


def test_no_other_module_compares_an_engine_by_its_name() -> None:
    assert COMPARED.search('if engine == "virtual"')
    found = [path for path in PACKAGE.rglob("*.py") if COMPARED.search(path.read_text())]
    assert found == []


@pytest.fixture(scope="module")
def plugged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the testbed with one file more and one line more."""
    code = copied(tmp_path_factory.mktemp("plugged"))
    (code / "testbed" / "engine" / "patient.py").write_text(PATIENT)
    registry = code / "testbed" / "engine" / "engine.py"
    text = registry.read_text()
    registry.write_text(
        text.replace("        uml.REALTIME,\n", "        uml.REALTIME,\n        patient.PATIENT,\n").replace(
            "from testbed.engine.uml import engines as uml\n",
            "from testbed.engine import patient\nfrom testbed.engine.uml import engines as uml\n",
        )
    )
    return code


def called(code: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "testbed.cli", *words], cwd=code, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(code)},
    )  # fmt: skip


def test_another_engine_is_listed_and_offered(plugged: Path) -> None:
    assert called(plugged, "list", "engines").stdout.split() == ["virtual", "realtime", "patient", "native"]
    assert "patient: for slow machines" in " ".join(called(plugged, "run", "--help").stdout.split())
    refused = called(plugged, "run", "2021-03-10", "--engine", "hasty")
    assert refused.returncode == 2
    assert "invalid choice: 'hasty'" in refused.stderr


def test_another_engine_runs_is_certified_and_compared(plugged: Path, kernel: KernelInfo, tmp_path: Path) -> None:
    assert kernel.path is not None
    settings = [word for setting in SMALL[:2] for word in ("--set", setting)]
    words = ["run", "2021-03-10", *settings, "--set", "recordings=[]", "--set", "outages=[]", "--engine", "patient"]
    run = tmp_path / "run"
    done = called(plugged, *words, "-o", str(run))
    assert done.returncode == 0, done.stderr
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["engine"] == "patient"
    assert manifest["certificate"]["lateness"]["timers"] > 0
    about = next(each["about"] for each in manifest["checks"] if each["check"] == "clock")
    assert about == f"none of {manifest['certificate']['lateness']['timers']} timers fired late"
    compared = json.loads(called(plugged, "diff", "--json", str(run), str(run)).stdout)
    assert compared["causes"] == ["engine patient: no two runs in real time are equal"]
    assert "engine patient: it is not known here" in compare_runs(run, run).causes[0]
    shutil.rmtree(run)


def test_a_terminal_is_refused_where_the_engine_has_none(plugged: Path) -> None:
    refused = called(plugged, "run", "2021-03-10", "--engine", "patient", "--terminal", "--", "true")
    assert refused.returncode == 2
    assert "only a command with --engine realtime or native has one" in refused.stderr
