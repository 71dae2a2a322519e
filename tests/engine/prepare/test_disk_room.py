"""Room on the disk is asked for before a run begins, and what would take less is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.engine.prepare.disk_room import disk_need, require_cache_room, require_room
from testbed.engine.prepare.guest_code import guest_code_digest
from testbed.errors import MissingError
from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.scenario.plan import Plan
    from tests.conftest import FinishedRun

LINE = "lines=[{name: mobile, kind: mobile, tspu: true}]"
HEADERS = "captures={client: headers, box: compared}"


def planned(size: str, *settings: str) -> Plan:
    measured = f"measurements=[{{fetch: example.com, role: control, size: {size}}}]"
    path = library.find("scenarios", "2021-03-10")
    return make_plan(path, ["recordings=[]", LINE, measured, *settings], seed=None, engine="virtual", command=None)


def test_whole_captures_take_several_times_what_is_transferred() -> None:
    objects, captures = disk_need(planned("1 GB"))
    assert objects == 10**9
    assert captures > 3 * 10**9


def test_headers_take_less_than_half_of_it_even_while_the_run_lasts() -> None:
    assert disk_need(planned("1 GB", HEADERS))[1] < 0.6 * 10**9


def test_the_size_of_a_transfer_is_that_of_all_its_objects() -> None:
    whole = disk_need(planned("20 MB"))[1]
    several = disk_need(planned("4 MB, objects: 5"))[1]
    assert several == whole


def test_small_objects_lie_in_the_guests_memory() -> None:
    assert disk_need(planned("30 MB"))[0] == 0


@pytest.mark.parametrize(
    ("settings", "remedy"), [([], "keep headers alone"), ([HEADERS], "are free; transfer less, or choose")]
)
def test_a_run_that_the_disk_cannot_hold_is_refused_before_it_begins(
    tmp_path: Path, settings: list[str], remedy: str
) -> None:
    folder = tmp_path / "a" / "b"
    with pytest.raises(MissingError, match=rf"MB of the disk that holds {tmp_path} .*{remedy}"):
        require_room(planned("900000 GB", *settings), folder)
    assert not folder.exists()


def test_the_first_day_takes_no_more_than_was_asked_for(first_day: FinishedRun) -> None:
    path = library.find("scenarios", "2021-03-10")
    plan = make_plan(path, [], seed=None, engine="virtual", command=None)
    taken = sum(each.stat().st_size for each in first_day.path.rglob("*") if each.is_file())
    assert taken < sum(disk_need(plan))


class _Full:
    """What statvfs says of a disk with a megabyte left."""

    f_bavail, f_frsize = 256, 4096


def test_a_cache_on_a_full_disk_is_named_with_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    require_cache_room()
    monkeypatch.setattr("os.statvfs", lambda _: _Full())
    with pytest.raises(MissingError, match=rf"1 MB are free on the disk that holds {tmp_path}; .*XDG_CACHE_HOME"):
        require_cache_room()


def test_a_cache_that_has_the_code_may_be_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("os.statvfs", lambda _: _Full())
    (tmp_path / "throttling-testbed" / "guest" / guest_code_digest()).mkdir(parents=True)
    require_cache_room()


def test_a_cache_that_is_closed_is_named_with_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(MissingError, match=rf"{tmp_path} is closed to this user; .*export XDG_CACHE_HOME=FOLDER"):
        require_cache_room()
