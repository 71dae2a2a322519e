"""Downloads as OONI would have recorded them: read back by our reader, and cut where that client stops."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.detectors.observation import Direction, Ending, Transfer
from testbed.detectors.outputs.ooni_json import MOST_BODY_BYTES, MOST_EVENTS, ooni_measurement
from testbed.detectors.sources.ooni import transfers_from_ooni
from tests.detectors.build import MARCH_10_S, transfer

if TYPE_CHECKING:
    from pathlib import Path

BEGUN_NS = round(MARCH_10_S * 1e9)


def download(times_s: list[float], sizes: list[int], **changes: Any) -> Transfer:
    made = transfer("line/1", times_s, sizes, ended_s=times_s[-1] if times_s else 0.1, handshake_s=0.1)
    known: dict[str, Any] = {"server_name": "twitter.com", "connect_s": 0.05}
    return replace(made, **(known | changes))


def written(item: Transfer) -> Any:
    return ooni_measurement(item, begun_ns=BEGUN_NS, version="1")


def read_back(item: Transfer, folder: Path) -> Transfer:
    path = folder / "one.json"
    path.write_text(json.dumps(written(item)))
    [found], _ = transfers_from_ooni(path)
    return found


def operations(item: Transfer, name: str) -> list[Any]:
    return [each for each in written(item)["test_keys"]["network_events"] if each["operation"] == name]


def test_a_short_download_is_read_back_as_it_was(tmp_path: Path) -> None:
    item = download([0.1, 0.15, 0.4, 0.9], [3000, 200, 50_000, 60_000], started_s=61.0)
    found = read_back(item, tmp_path)
    assert (found.server_name, found.ending) == ("twitter.com", Ending.COMPLETE)
    assert [found.connect_s, found.handshake_s] == pytest.approx([0.05, 0.1])
    assert found.times_s.tolist() == pytest.approx(item.times_s.tolist())
    assert found.bytes.tolist() == item.bytes.tolist()
    assert written(item)["measurement_start_time"] == "2021-03-10 00:01:01"
    assert written(item) == written(item)


def test_events_end_after_64_and_samples_go_on(tmp_path: Path) -> None:
    item = download([0.2 + 0.01 * number for number in range(300)], [1000] * 300)
    events = [each for each in written(item)["test_keys"]["network_events"] if "cumulative" not in each["operation"]]
    assert len(events) == MOST_EVENTS
    found = read_back(item, tmp_path)
    assert [found.total_bytes, found.duration_s] == pytest.approx([300_000, 3.19])
    assert len(found.times_s) < 100


def test_a_body_is_read_up_to_its_limit(tmp_path: Path) -> None:
    item = download([0.12, *(0.2 + 0.001 * number for number in range(800))], [4000, *[1000] * 800])
    found = read_back(item, tmp_path)
    assert MOST_BODY_BYTES <= found.total_bytes - 4000 < MOST_BODY_BYTES + 1000
    [request] = written(item)["test_keys"]["requests"]
    assert (request["response"]["body_is_truncated"], request["failure"]) == (True, None)


def test_of_what_was_complete_nothing_is_left_out(tmp_path: Path) -> None:
    """A capture's last byte may be later than the client's last word: it is dated by its acknowledgement."""
    item = download([0.12, 1.0, 2.0], [3000, 1000, 1000], ended_s=1.9999, ending=Ending.COMPLETE)
    assert read_back(item, tmp_path).total_bytes == 5000


def test_a_page_that_takes_more_than_ten_seconds_is_timed_out(tmp_path: Path) -> None:
    item = download([0.12, *range(1, 30)], [3000, *[1000] * 29])
    found = read_back(item, tmp_path)
    assert found.ending is Ending.TIMEOUT
    assert found.ended_s == pytest.approx(10.15)
    assert found.total_bytes == 13_000


@pytest.mark.parametrize(
    ("changes", "ending", "ended_s"),
    [
        ({"handshake_s": 12.0}, Ending.TIMEOUT, 10.0),
        ({"handshake_s": None, "ended_s": 20.0, "ending": Ending.TIMEOUT}, Ending.TIMEOUT, 10.0),
        ({"handshake_s": None, "ended_s": 0.3, "ending": Ending.RESET}, Ending.RESET, 0.3),
        ({"handshake_s": None, "connect_s": None, "ended_s": 3.0, "ending": Ending.TIMEOUT}, Ending.TIMEOUT, 3.0),
        ({"ended_s": 0.9, "ending": Ending.RESET}, Ending.RESET, 0.9),
    ],
)
def test_what_did_not_come_to_its_end_says_how(
    tmp_path: Path, changes: dict[str, Any], ending: Ending, ended_s: float
) -> None:
    known: dict[str, Any] = {"ended_s": 12.1}
    item = download([0.1, 0.6, 11.0], [500, 500, 500], **(known | changes))
    found = read_back(item, tmp_path)
    assert found.ending is ending
    assert found.ended_s == pytest.approx(ended_s)


def test_an_upload_is_none_of_oonis() -> None:
    assert written(download([0.2], [1], direction=Direction.UP)) is None


@given(
    st.lists(st.tuples(st.floats(0, 0.5), st.integers(0, 100_000)), max_size=80),
    st.sampled_from([None, 0.0, 0.2]), st.sampled_from([None, 0.0, 0.3]), st.sampled_from(list(Ending)),
)  # fmt: skip
def test_whatever_was_downloaded_is_no_more_and_no_earlier_in_what_is_written(
    steps: list[tuple[float, int]], connect_s: float | None, handshake_s: float | None, ending: Ending
) -> None:
    times, now = [], 0.0
    for step, _ in steps:
        now += step
        times.append(now)
    item = download(times, [size for _, size in steps], connect_s=connect_s, handshake_s=handshake_s, ending=ending)
    reads = operations(item, "read")
    assert len(reads) <= MOST_EVENTS
    total = 0
    for read in reads:
        total += read["num_bytes"]
        came = item.bytes[item.times_s <= read["t"] + 1e-6]
        assert len(came)
        assert total <= came[-1]
    for sample in operations(item, "bytes_received_cumulative"):
        assert sample["num_bytes"] <= item.total_bytes
