"""Fixtures and a marker for tests of detectors and of programs that a network may throttle.

    def test_it_finds_a_policer(observation):
        assert MyDetector().detect(observation("throttling/policed", 3)).outcome == "throttled"

    @pytest.mark.testbed_suite("smoke")
    def test_on_every_run_of_a_suite(testbed_cell):
        for line in testbed_cell.lines:
            assert MyDetector().detect(line.observation).outcome in {line.label, "inconclusive"}

    def test_my_downloader_gives_up(throttled_network):
        assert throttled_network(["./download", "{target_url}"], rate="100 kbit/s").status == 1

docs/how-to/test-with-pytest.md describes them. pytest loads this module in every session of every project, so what is
heavy is imported where it is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from testbed.api import Result
    from testbed.detectors.observation import Observation
    from testbed.pytest_plugin.shelf import LabelledCell, Shelf
    from testbed.pytest_plugin.throttled import ThrottledRun
    from testbed.validation.cells import Cell

__all__ = ["Observe", "RunScenario", "ThrottledNetwork"]

_MARKER = "testbed_suite"
_SHELF: pytest.StashKey[Shelf] = pytest.StashKey()


class RunScenario(Protocol):
    """What the fixture ``run_scenario`` gives."""

    def __call__(
        self,
        scenario: str | Path | Mapping[str, object],
        *,
        seed: int = 1,
        settings: Mapping[str, object] | None = None,
        command: Sequence[str] | None = None,
        line: str | None = None,
    ) -> Result:
        """Return a run, valid and complete. One without a command is made once and kept."""
        ...


class Observe(Protocol):
    """What the fixture ``observation`` gives."""

    def __call__(
        self,
        scenario: str | Path | Mapping[str, object],
        seed: int = 1,
        *,
        settings: Mapping[str, object] | None = None,
        line: str | None = None,
    ) -> Observation:
        """Return what a measurer on a line would have of a run: all that a detector is given."""
        ...


class ThrottledNetwork(Protocol):
    """What the fixture ``throttled_network`` gives."""

    def __call__(
        self,
        program: Sequence[str],
        *,
        rate: str | None = "140 kbit/s",
        burst: str = "16 KiB",
        target: str = "target.example",
        control: str = "control.example",
        size: str = "400 kB",
        line_rate: str = "20 Mbit/s",
        seed: int = 1,
    ) -> ThrottledRun:
        """Run a program behind a policer, and fail the test unless the policer dropped some of its packets."""
        ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what can be said on pytest's command line."""
    group = parser.getgroup("testbed", "throttling testbed")
    group.addoption(
        "--testbed-store", type=Path, metavar="DIR", help="where the testbed's runs are kept (default: a cache)"
    )
    group.addoption(
        "--testbed-held-out-seed",
        metavar="TEXT",
        help="seeds of held-out conditions are derived from it (default: the testbed's commit)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Describe the marker."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(suite, part=None, conditions=None): run the test for each run of a suite of the throttling "
        "testbed; it takes the fixture testbed_cell",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test for each cell of a suite that a marker names. Nothing is run for that."""
    marker = metafunc.definition.get_closest_marker(_MARKER)
    if marker is None:
        return
    if "testbed_cell" not in metafunc.fixturenames:
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: a test of a suite takes the fixture testbed_cell")
    # Which runs there are has to be known before any is made; pytest-xdist wants the same list from every worker.
    given = metafunc.config.getoption("--testbed-held-out-seed")
    beside = metafunc.definition.path.parent
    try:
        cells = _cells(*marker.args, beside=beside, held_out_seed=given, **marker.kwargs)
    except TypeError as error:
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: pytest.mark.{_MARKER}: {error}") from error
    metafunc.parametrize("testbed_cell", cells, ids=[cell.id for cell in cells], indirect=True)


def _cells(
    suite: str,
    part: str | None = None,
    conditions: Collection[str] | None = None,
    *,
    beside: Path,
    held_out_seed: str | None,
) -> list[Cell]:
    """Return the cells of a suite that a marker means; a suite's file is looked for beside the test first."""
    from testbed.errors import TestbedError
    from testbed.validation.cells import cells_of
    from testbed.validation.defaults import default_held_out_seed
    from testbed.validation.suite import find_suite, load_suite

    own = beside / suite
    try:
        loaded = load_suite(find_suite(str(own) if own.is_file() else suite))
    except TestbedError as error:
        raise pytest.UsageError(f"pytest.mark.{_MARKER}({suite!r}): {error}") from error
    known = {name for _, name, _ in loaded.conditions()}
    if unknown := sorted(set(conditions or ()) - known):
        raise pytest.UsageError(
            f"pytest.mark.{_MARKER}({suite!r}): no condition {unknown[0]!r}; there are {', '.join(sorted(known))}"
        )
    found = [
        cell
        for cell in cells_of(loaded, held_out_seed or default_held_out_seed())
        if part in {None, cell.part} and (conditions is None or cell.condition in conditions) and not cell.twin
    ]
    if not found:  # no test at all would look as if all had passed
        raise pytest.UsageError(f"pytest.mark.{_MARKER}({suite!r}): no run of this suite is in the part {part!r}")
    return found


@pytest.fixture
def testbed_cell(request: pytest.FixtureRequest) -> LabelledCell:
    """A run of the suite that the test's marker names: its lines, with what a detector is given and with labels."""
    if not hasattr(request, "param"):
        raise pytest.UsageError(f"{request.node.nodeid}: testbed_cell needs a marker, pytest.mark.{_MARKER}('smoke')")
    found = _shelf(request.config).cell(request.param)
    if not found.lines:
        pytest.skip(f"{found.id}: no line of it has a label; docs/reference/labels.md says what is left out")
    return found


@pytest.fixture(scope="session")
def run_scenario(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunScenario:
    """Run a scenario: ``run_scenario("throttling/policed", seed=3)`` returns what `testbed.run` does."""

    def run(
        scenario: str | Path | Mapping[str, object],
        *,
        seed: int = 1,
        settings: Mapping[str, object] | None = None,
        command: Sequence[str] | None = None,
        line: str | None = None,
    ) -> Result:
        if command is None:
            return _shelf(request.config).run(scenario, seed, settings)
        # What a program reads is in no key, so a run of one cannot be found again.
        from testbed import api

        folder = tmp_path_factory.mktemp("testbed") / "run"
        return api.run(scenario, seed=seed, settings=settings, command=command, line=line, output=folder)

    return run


@pytest.fixture(scope="session")
def observation(request: pytest.FixtureRequest) -> Observe:
    """Observe a scenario: ``observation("throttling/policed", 3)`` is what a detector is given of that run."""

    def observe(
        scenario: str | Path | Mapping[str, object],
        seed: int = 1,
        *,
        settings: Mapping[str, object] | None = None,
        line: str | None = None,
    ) -> Observation:
        return _shelf(request.config).observation(scenario, seed, settings, line)

    return observe


@pytest.fixture(scope="session")
def throttled_network(tmp_path_factory: pytest.TempPathFactory) -> ThrottledNetwork:
    """Run a program behind a policer: ``throttled_network(["curl", "-O", "{target_url}"], rate="1 Mbit/s")``."""

    def run(
        program: Sequence[str],
        *,
        rate: str | None = "140 kbit/s",
        burst: str = "16 KiB",
        target: str = "target.example",
        control: str = "control.example",
        size: str = "400 kB",
        line_rate: str = "20 Mbit/s",
        seed: int = 1,
    ) -> ThrottledRun:
        from testbed.pytest_plugin.throttled import Policed, run_policed

        network = Policed(
            rate=rate, burst=burst, target=target, control=control, size=size, line_rate=line_rate, seed=seed
        )
        found = run_policed(network, program, tmp_path_factory.mktemp("testbed") / "run")
        if problem := found.doubt():
            pytest.fail(problem, pytrace=False)
        return found

    return run


def _shelf(config: pytest.Config) -> Shelf:
    """Return the session's place for runs, made when it is first asked for: it may build a kernel."""
    if _SHELF not in config.stash:
        from testbed.pytest_plugin.shelf import Shelf

        config.stash[_SHELF] = Shelf.at(config.getoption("--testbed-store"))
    return config.stash[_SHELF]
