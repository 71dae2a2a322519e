from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from testbed.detectors.observation import Observation, Role
from testbed.detectors.sources.observation_json import observation_to_json
from testbed.detectors.sources.observe import observe
from testbed.errors import InputError
from tests.detectors.build import observation, steady
from tests.detectors.files import connection, ooni, write

if TYPE_CHECKING:
    from pathlib import Path


def test_one_file_given_twice_is_one_transfer(tmp_path: Path) -> None:
    path = write(tmp_path / "one.pcap", connection(at_server=True))
    assert len(observe([path, path]).transfers) == 1


def test_roles_come_from_server_names_suffixes_and_file_names(tmp_path: Path) -> None:
    mixed = connection(at_server=True) + connection(at_server=True, name="example.com", port=2, start_us=10**6)
    paths = [
        write(tmp_path / "mixed.pcap", mixed),
        write(tmp_path / "other.pcap", connection(at_server=True, name="a.b", port=3)),
    ]
    observed = observe(paths, targets=["twimg.com"], controls=["example.com", "other.pcap"])
    assert [item.role for item in observed.transfers] == [Role.TARGET, Role.CONTROL, Role.CONTROL]
    assert observed.transfers[1].started_s == pytest.approx(1.0)
    assert {item.role for item in observe(paths, targets=["img.com"]).transfers} == {Role.UNKNOWN}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("{}", "no OONI measurement"),
        ('{"Download": {"ServerMeasurements": [{"TCPInfo": {"ElapsedTime": "x"}}]}}', "ElapsedTime is 'x'"),
        (json.dumps(ooni(network_events=[{"operation": "read"}])), "t is absent"),
        (json.dumps(ooni(network_events="x")), "network_events is 'x', expected a list"),
    ],
)
def test_measurements_that_contradict_their_format_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        observe([path])


def test_an_observation_file_is_read_back_and_mixed_with_captures(tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    saved.write_text(observation_to_json(observation(steady("saved", rate_bps=1e6, duration_s=1))))
    both = observe([saved, write(tmp_path / "one.pcap", connection(at_server=True))])
    assert [item.id for item in both.transfers] == ["saved", "one.pcap#0"]
    with pytest.raises(InputError, match="two transfers are called 'saved'"):
        observe([saved, saved])


def test_nothing_and_absent_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to observe"):
        observe([])
    for name in ("absent.json", "absent.pcap", "absent.csv"):
        with pytest.raises(InputError, match="absent"):
            observe([tmp_path / name])


def test_an_empty_observation_file_is_an_observation(tmp_path: Path) -> None:
    path = tmp_path / "empty.json"
    path.write_text(observation_to_json(Observation(source="x")))
    assert observe([path]).transfers == ()


def test_two_files_of_one_name_are_two(tmp_path: Path) -> None:
    paths = []
    for folder, port in (("mon", 1), ("tue", 2)):
        (tmp_path / folder).mkdir()
        paths.append(write(tmp_path / folder / "a.pcap", connection(at_server=True, port=port)))
    observed = observe(paths, targets=["mon/a.pcap"], controls=["tue/a.pcap"])
    assert [(item.id, item.role) for item in observed.transfers] == [
        ("mon/a.pcap#0", Role.TARGET), ("tue/a.pcap#0", Role.CONTROL),
    ]  # fmt: skip


def test_one_file_under_two_names_is_read_once_and_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcap", connection(at_server=True))
    (tmp_path / "b.pcap").hardlink_to(path)
    observed = observe([path, tmp_path / "b.pcap"])
    assert len(observed.transfers) == 1
    assert any("the same file as" in note for note in observed.notes)
