"""Room for captures of background traffic is reckoned from rates, times, and what captures keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.engine.prepare.background_room import background_room
from testbed.engine.prepare.disk_room import require_room
from testbed.errors import MissingError
from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.scenario.plan import Plan
    from tests.conftest import Runner

MB = 1_000_000
# 10 MB at 20 Mbit/s: four seconds at the least, and a minute at the most.
FETCH = "measurements=[{fetch: example.com, role: control, size: 10 MB, timeout: 60 s}]"
BASE = (
    "recordings=[]", "outages=[]", "lines=[{name: mobile, kind: mobile, tspu: true}]", FETCH,
    "captures=[client, server, box]",
)  # fmt: skip


def planned(background: str, *settings: str, command: list[str] | None = None) -> Plan:
    path = library.find("scenarios", "2021-03-10")
    settings = (*BASE, f"background=[{background}]", *settings)
    return make_plan(path, list(settings), seed=None, engine="virtual", command=command)


@pytest.mark.parametrize(
    ("background", "least_mb", "most_mb"),
    [
        # Five copies: client, server, both sides of the box, and one that is being converted.
        ("{bulk: [origin, mobile]}", 4 * 2.5 * 5, 60 * 2.5 * 5),
        ("{bulk: [origin, mobile], flows: 9}", 4 * 2.5 * 5, 60 * 2.5 * 5),
        ("{bulk: [mobile, origin]}", 4 * 0.625 * 5, 60 * 0.625 * 5),
        ("{bulk: [origin, mobile], until: 2 s}", 2 * 2.5 * 5, 2 * 2.5 * 5),
        ("{bulk: [origin, mobile], from: 3 s}", 1 * 2.5 * 5, 57 * 2.5 * 5),
        ("{udp: [origin, mobile], rate: 2 Mbit/s}", 4 * 0.25 * 5, 60 * 0.25 * 5),
        ("{udp: [origin, mobile], rate: 90 Mbit/s}", 4 * 2.5 * 5, 60 * 2.5 * 5),
        # 250 kB take a tenth of a second, then there are 400 ms of pause.
        ("{web: [origin, mobile], size: 250 kB, pause: 400 ms}", 4 * 0.5 * 5, 60 * 0.5 * 5),
        ("{udp: [origin, state], rate: 2 Mbit/s}", 4 * 0.25 * 3, 60 * 0.25 * 3),
    ],
)  # fmt: skip
def test_it_is_what_is_sent_while_it_goes_on_at_each_point_that_it_passes(
    background: str, least_mb: float, most_mb: float
) -> None:
    room = background_room(planned(background))
    assert room.least == pytest.approx(least_mb * MB, rel=0.08)
    assert room.most == pytest.approx(most_mb * MB, rel=0.08)


def test_headers_take_a_small_part_of_it() -> None:
    headers = planned("{bulk: [origin, mobile]}", "captures={client: headers, server: headers, box: compared}")
    assert 0 < background_room(headers).most < background_room(planned("{bulk: [origin, mobile]}")).most / 10


def test_over_links_without_a_rate_only_windows_hold_a_sender_back() -> None:
    room = background_room(planned("{bulk: [origin, university]}"))
    assert room.least == 0
    assert room.most > 10_000 * MB


def test_beside_a_measurement_it_goes_on_as_long_as_that_and_its_lead() -> None:
    beside = background_room(planned("{bulk: [origin, mobile], beside: control, lead: 2 s}"))
    assert beside.least == pytest.approx((4 + 2) * 2.5 * 5 * MB, rel=0.08)


def test_a_command_is_given_a_minute() -> None:
    room = background_room(planned("{udp: [origin, mobile], rate: 2 Mbit/s}", command=["true"]))
    assert room.least == room.most == pytest.approx(60 * 0.25 * 5 * MB, rel=0.08)


def test_without_background_traffic_there_is_none() -> None:
    path = library.find("scenarios", "2021-03-10")
    plan = make_plan(path, list(BASE), seed=None, engine="virtual", command=None)
    assert background_room(plan) == (0, 0)


def free_disk(monkeypatch: pytest.MonkeyPatch, megabytes: int) -> None:
    class Status:
        f_bavail, f_frsize = megabytes, MB

    monkeypatch.setattr("os.statvfs", lambda _: Status())


def test_what_it_takes_at_the_least_is_refused_with_remedies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plan = planned("{udp: [origin, mobile], rate: 20 Mbit/s}", "measurements.0.at=1 d")
    free_disk(monkeypatch, 50_000)
    with pytest.raises(MissingError, match=r"MB of captures of background traffic.*give background traffic a"):
        require_room(plan, tmp_path)


def test_what_it_may_take_at_the_most_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plan = planned("{bulk: [origin, mobile]}")
    free_disk(monkeypatch, 400)
    warning = require_room(plan, tmp_path)
    assert warning is not None
    assert warning.startswith("background traffic may take up to 79")
    assert "and 400 MB are free; keep headers alone" in warning
    free_disk(monkeypatch, 4000)
    assert require_room(plan, tmp_path) is None


def test_a_run_takes_no_less_than_the_least_and_no_more_than_the_most(run_scenario: Runner) -> None:
    settings = (*BASE, "measurements.0.size=2 MB", "background=[{bulk: [origin, mobile], flows: 2}]")
    run = run_scenario(*settings)
    path = library.find("scenarios", "2021-03-10")
    room = background_room(make_plan(path, list(settings), seed=None, engine="virtual", command=None))
    taken = sum(each.stat().st_size for each in (run.path / "captures").iterdir())
    assert room.least * 0.8 < taken < room.most  # of the least, a fifth is a copy that is gone by now
