"""The testbed from Python: a run, and what can be asked of it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

import testbed
from testbed.api import Transfer, _written
from testbed.errors import InputError, InvalidRunError, RecordError, ScenarioError
from testbed.scenario import library
from tests.records.build import transfer, write_run

if TYPE_CHECKING:
    from testbed.engine.kernel import KernelInfo

SMALL: dict[str, object] = {
    "recordings": [],
    "lines": [{"name": "mobile", "kind": "mobile", "tspu": True}],
    "measurements": [{"fetch": "twitter.com", "role": "target", "size": "60 kB"}],
}


def test_a_scenario_runs_and_tells_what_its_transfers_came_to(kernel: KernelInfo, tmp_path: Path) -> None:
    assert kernel.path is not None
    said: list[str] = []
    result = testbed.run("2021-03-10", settings=SMALL, seed=7, output=tmp_path / "run", progress=said.append)
    assert result.valid
    [fetched] = result.transfers
    assert (fetched.line, fetched.sni, fetched.throttled, fetched.rule) == (
        "mobile",
        "twitter.com",
        True,
        "twitter.com",
    )
    assert {record["event"] for record in result.truth("mobile-tspu")} >= {"flow_opened", "throttling_started"}
    assert all(record["transfer"] == fetched.id for record in result.measurements(fetched.id))
    assert [row["seed"] for row in result.table()] == [7]
    assert "running" in said


def test_a_scenario_may_be_given_as_what_would_stand_in_a_file(kernel: KernelInfo, tmp_path: Path) -> None:
    assert kernel.path is not None
    described = yaml.safe_load(library.find("scenarios", "2021-03-10").read_text()) | SMALL
    result = testbed.run(described, seed=7, output=tmp_path / "given")
    assert [each.throttled for each in result.transfers] == [True]


def test_a_run_directory_can_be_looked_at_later(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run").path
    result = testbed.load(path)
    assert (result.path, result.valid, result.problems) == (path, True, [])
    assert result.transfers == [Transfer.of(transfer())]
    with pytest.raises(RecordError, match="is no run directory"):
        testbed.load(tmp_path)


def test_an_invalid_run_is_raised_unless_it_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: KernelInfo
) -> None:
    assert kernel.path is not None
    monkeypatch.setattr(
        "testbed.api.run_plan", lambda *_, **__: {"valid": False, "problems": ["the guest was starved"]}
    )
    with pytest.raises(InvalidRunError, match="do not score this run: the guest was starved"):
        testbed.run("2021-03-10", output=tmp_path / "run")
    assert testbed.run("2021-03-10", output=tmp_path / "run", must_be_valid=False).path == tmp_path / "run"


def test_a_mistake_has_the_place_where_it_stands(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"--set seed=0: seed: expected greater than"):
        testbed.run("2021-03-10", settings={"seed": 0}, output=tmp_path / "run")
    with pytest.raises(ScenarioError, match=r"scenario\.yaml:1: format: this key is missing"):
        testbed.run({"title": "nothing else"}, output=tmp_path / "wrong")
    for seed in (0, -1, 1 << 63, True, 1.5):
        with pytest.raises(ScenarioError, match=r"seed .*: expected a whole number from 1 to"):
            testbed.run("2021-03-10", seed=seed)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no such engine; expected one of virtual"):
        testbed.run("2021-03-10", engine="fast")
    with pytest.raises(InputError, match="settings: expected a mapping"):
        testbed.run("2021-03-10", settings=["seed=1"])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="settings: date: cannot be written as YAML"):
        testbed.run("2021-03-10", settings={"date": object()})
    with pytest.raises(InputError, match="scenario: expected a name, a path or a mapping, got int"):
        testbed.run(7)  # type: ignore[arg-type]


def test_what_the_user_has_is_not_written_over(tmp_path: Path) -> None:
    mine = tmp_path / "run.yaml"
    mine.write_text("mine")
    with pytest.raises(ScenarioError):
        testbed.run({"title": "nothing else"}, output=tmp_path / "run")
    assert mine.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [mine]


def test_a_value_that_stands_twice_is_written_out_twice() -> None:
    line = {"kind": "mobile"}
    assert yaml.safe_load(_written("lines", [line, line], in_one_line=True)) == [line, line]
    assert "&" not in _written("lines", [line, line], in_one_line=True)


def test_what_a_run_does_not_have_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "run", certificate={"boxes": {"quiet-tspu": {}}})
    result = testbed.load(tmp_path / "run")
    assert result.truth("mobile-tspu") == result.truth() != []
    assert result.truth("quiet-tspu") == []
    with pytest.raises(InputError, match="no box 'nope' in this run; there are: mobile-tspu, quiet-tspu"):
        result.truth("nope")
    with pytest.raises(InputError, match="no transfer 'nope' in this run"):
        result.measurements("nope")


@pytest.mark.parametrize(
    ("value", "text"),
    [("60 kB", "60 kB"), (3, "3"), (True, "true"), (None, "null"), ([1, "a: b"], "[1, 'a: b']"), ("yes", "'yes'")],
)
def test_settings_are_written_as_values_not_as_text(value: object, text: str) -> None:
    assert _written("key", value, in_one_line=True) == text


def test_the_package_loads_nothing_until_it_is_asked() -> None:
    program = "import sys, testbed; print(sorted(name for name in sys.modules if name.startswith('testbed.')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'walk'"):
        _ = testbed.walk  # type: ignore[attr-defined]


def test_the_documents_example_runs(kernel: KernelInfo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert kernel.path is not None
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    page = Path(testbed.__file__).parents[1] / "docs/how-to/use-from-python.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102 - the document's own code
    assert isinstance(names["result"], testbed.Result)
    assert {each.throttled for each in names["result"].transfers if each.sni == "twitter.com"} >= {True}
