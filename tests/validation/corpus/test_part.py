"""A part of a corpus, from a real run: the same transfers in every format, and no label but in its own file."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from testbed.detectors.detect import judge
from testbed.detectors.observation import Role
from testbed.detectors.sources.marks import Marks
from testbed.detectors.sources.observation_json import observation_from_json
from testbed.detectors.sources.observe import observe
from testbed.errors import InvalidRunError
from testbed.records.capture_file import read_frames
from testbed.validation.corpus import part
from testbed.validation.corpus.part import make_part, part_key
from testbed.validation.keeping.folders import all_folders
from testbed.validation.keeping.store import Store
from tests.validation.running.test_work import CELL

if TYPE_CHECKING:
    from testbed.detectors.observation import Transfer
    from testbed.engine.kernel import KernelInfo

POLICED = replace(CELL, settings=("measurements.0.size=100 kB", "measurements.0.repeat=1"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def headers(store: Store, kernel: KernelInfo) -> Path:
    return make_part(POLICED, kernel, store, "headers")


@pytest.fixture(scope="module")
def whole(store: Store, kernel: KernelInfo) -> Path:
    return make_part(POLICED, kernel, store, "whole")


def truth(folder: Path) -> Any:
    return json.loads((folder / "truth.json").read_text())


def test_a_part_has_every_format(headers: Path) -> None:
    assert sorted(path.name for path in headers.iterdir()) == [
        "line-client.pcap", "line-client.pcapng", "line.01.ndt7.json", "line.02.ndt7.json", "line.observation.json",
        "line.ooni.jsonl", "server1-server.pcap", "server1-server.pcapng", "server2-server.pcap",
        "server2-server.pcapng", "truth.json",
    ]  # fmt: skip
    found = truth(headers)
    assert found["labels"] == {"line": "throttled"}
    places = [(each["ooni"], each["ndt7"]) for each in found["measurements"]]
    assert places == [(1, "line.01.ndt7.json"), (2, "line.02.ndt7.json")]
    assert {each["role"]: each["label"] for each in found["measurements"]} == {
        "target": "throttled", "control": "not throttled",
    }  # fmt: skip
    for path in headers.iterdir():
        if path.name != "truth.json":
            assert b"throttled" not in path.read_bytes()
            assert b"token_bucket" not in path.read_bytes()


def roles(folder: Path) -> dict[str, Any]:
    return {each["role"]: each for each in truth(folder)["measurements"]}


def test_ooni_and_ndt7_have_the_speeds_that_were_measured(headers: Path) -> None:
    observed = observation_from_json((headers / "line.observation.json").read_bytes())
    speeds = {each.role: speed(each) for each in observed.transfers}
    ooni = observe([headers / "line.ooni.jsonl"]).transfers
    for role in (Role.TARGET, Role.CONTROL):
        measured = roles(headers)[role]
        found = ooni[measured["ooni"] - 1]
        assert found.server_name == measured["name"]
        assert speed(found) == pytest.approx(speeds[role], rel=0.01)
    slow, fast = (observe([headers / roles(headers)[role]["ndt7"]]).transfers[0] for role in ("target", "control"))
    assert speeds[Role.CONTROL] > 4 * speeds[Role.TARGET]
    assert speed(fast) > 4 * speed(slow)


def speed(item: Transfer) -> float:
    assert item.goodput_bps is not None
    return item.goodput_bps


@pytest.mark.parametrize("suffix", ["pcap", "pcapng"])
def test_a_detector_says_the_same_of_captures(headers: Path, whole: Path, suffix: str) -> None:
    marks = Marks(("twitter.com",), ("example.com",))
    for folder in (headers, whole):
        captures = [folder / f"line-client.{suffix}", folder / f"server1-server.{suffix}"]
        said = [judge(name, marks.assigned(observe(captures)))[0] for name in ("joint", "pd", "ooni")]
        whole_observation = observation_from_json((folder / "line.observation.json").read_bytes())
        assert [each.outcome for each in said] == [
            judge(name, whole_observation)[0].outcome for name in ("joint", "pd", "ooni")
        ]
        assert said[0].outcome == "throttled"


def test_captures_are_cut_to_headers_and_say_how_long_packets_were(headers: Path, whole: Path) -> None:
    for name in ("line-client", "server1-server"):
        with (headers / f"{name}.pcapng").open("rb") as cut, (whole / f"{name}.pcapng").open("rb") as full:
            pairs = list(zip(read_frames(cut), read_frames(full), strict=True))
        assert all(one.t_ns == other.t_ns and other.data.startswith(one.data) for one, other in pairs)
        assert all((one.length or len(one.data)) == len(other.data) for one, other in pairs)
        assert sum(len(one.data) for one, _ in pairs) < 0.4 * sum(len(other.data) for _, other in pairs)
        with (whole / f"{name}.pcapng").open("rb") as fine, (whole / f"{name}.pcap").open("rb") as classic:
            assert [(each.t_ns // 1000, each.data) for each in read_frames(fine)] == [
                (each.t_ns // 1000, each.data) for each in read_frames(classic)
            ]


def test_keys_are_there_where_there_is_something_to_decrypt(headers: Path, whole: Path) -> None:
    assert not (headers / "tls-keys.txt").exists()
    keys = (whole / "tls-keys.txt").read_bytes()
    assert keys.startswith((b"SERVER_", b"CLIENT_", b"EXPORTER_"))
    assert keys.splitlines()[0] in (whole / "line-client.pcapng").read_bytes()
    assert keys.splitlines()[0] not in (headers / "line-client.pcapng").read_bytes()


def test_a_part_is_made_once_and_the_same_every_time(
    headers: Path, store: Store, kernel: KernelInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = make_part(POLICED, kernel, Store(tmp_path / "another"), "headers")
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in headers.iterdir()
    }
    monkeypatch.setattr(part, "run_cell", None)  # it would fail to be called
    assert make_part(POLICED, kernel, store, "headers") == headers
    assert list((store.path / "work").iterdir()) == []
    cells = POLICED, replace(POLICED, seed=9)
    assert len({part_key(cell, kernel, captures) for cell in cells for captures in ("none", "whole")}) == 4


def test_a_scenario_of_ones_own_comes_along_without_its_place(tmp_path: Path, kernel: KernelInfo) -> None:
    own = tmp_path / "mine.yaml"
    shutil.copy(Path(__file__).resolve().parents[3] / "scenarios" / "throttling" / "policed.yaml", own)
    folder = make_part(replace(POLICED, scenario=str(own)), kernel, Store(tmp_path / "store"), "none")
    assert (folder / "mine.yaml").read_bytes() == own.read_bytes()
    assert truth(folder)["record"]["scenario"] == "mine.yaml"
    assert str(tmp_path) not in (folder / "truth.json").read_text()
    assert not list(folder.glob("*.pcap*"))


def test_an_invalid_run_is_no_part(tmp_path: Path, kernel: KernelInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part, "run_cell", lambda *_: ({"valid": False, "problems": ["a clock ran late"]}, {}))
    store = Store(tmp_path)
    with pytest.raises(InvalidRunError, match="policed/1: do not score this run: a clock ran late"):
        make_part(POLICED, kernel, store, "none")
    assert list(all_folders(store)) == []
