"""A real scheduler with two workers, one of which is killed in the middle, and a scheduler that dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from distributed import wait

from testbed.errors import MissingError
from testbed.validation.running import dask

if TYPE_CHECKING:
    from collections.abc import Iterator

# Each worker's processes run this in place of the testbed; it writes down what it makes.
PROGRAM = """
import json, os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
for line in sys.stdin:
    cell = line.strip()
    if cell == "slow" and not (folder / "slow").exists():
        (folder / "slow").write_text(str(os.getppid()))
        time.sleep(600)
    (folder / cell).write_text(str(os.getppid()))
    print(json.dumps({"cell": cell, "problem": "bad" if cell == "bad" else None})); sys.stdout.flush()
"""
CLUSTER = """
import json, pathlib, sys
import testbed.validation.running.dask as dask
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster:
        print(json.dumps({"address": cluster.scheduler_address}), flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, Any]]:
    """The address of a scheduler, and its process."""
    path = tmp_path / "cluster.py"
    path.write_text(CLUSTER)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(
        [sys.executable, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=environment, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["address"], process
        os.killpg(process.pid, signal.SIGKILL)


def test_cells_are_made_by_workers_although_one_of_them_dies(
    tmp_path: Path, cluster: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, _ = cluster
    looks = []

    def watched(*arguments: object, **options: object) -> object:
        looks.append(arguments)
        return wait(*arguments, **options)

    monkeypatch.setattr(dask, "wait", watched)
    arguments = ["-c", PROGRAM, str(tmp_path)]
    carried = dask.DaskCluster(address, program=[sys.executable]).carry(["slow", "a", "bad", "b"], arguments)
    found = dict([next(carried), next(carried), next(carried)])
    assert found == {"a": None, "bad": "bad", "b": None}
    os.kill(int((tmp_path / "slow").read_text()), signal.SIGKILL)  # the worker that had it
    assert list(carried) == [("slow", None)]
    most_looks = 50  # whoever does not wait, but asks again and again, takes a processor from the runs
    assert 0 < len(looks) < most_looks


def test_a_scheduler_that_dies_is_told(tmp_path: Path, cluster: tuple[str, Any]) -> None:
    address, process = cluster
    carried = dask.DaskCluster(address, program=[sys.executable]).carry(["a", "slow"], ["-c", PROGRAM, str(tmp_path)])
    assert next(carried) == ("a", None)
    os.killpg(process.pid, signal.SIGKILL)
    with pytest.raises(MissingError, match="the same command makes the rest"):
        list(carried)


def test_nobody_who_answers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "_CONNECT_S", 1)
    with pytest.raises(MissingError, match="no Dask scheduler answers"):
        dask.DaskCluster("tcp://127.0.0.1:9")
