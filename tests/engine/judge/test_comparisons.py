"""Logs and captures are compared while they are written; what nobody asked to keep is given back to the disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from testbed.engine.judge.comparisons import Comparisons
from testbed.errors import CaptureError, RecordError
from testbed.scenario import library
from testbed.scenario.plan import Plan, make_plan
from tests.records.build import BOX, dropped, frame, opened, pcap_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.agreement import Agreement

SIDES = [f"{BOX}-inside", f"{BOX}-outside"]
COUNT = 3_000
LAST_S = COUNT / 10
EVERY_THIRD = 3


def planned(keep: str = "compared", engine: str = "virtual") -> Plan:
    settings = [
        "lines=[{name: mobile, kind: mobile, tspu: true}]", "recordings=[]", f"captures={{box: {keep}}}",
        "measurements=[{fetch: t.co, role: target}]",
    ]  # fmt: skip
    return make_plan(library.find("scenarios", "2021-03-10"), settings, seed=None, engine=engine, command=None)


def written(folder: Path, start_ns: int) -> dict[str, Any]:
    """Write what a guest leaves of packets of which every third was dropped; return what it reports of them."""
    (folder / "captures").mkdir(parents=True)
    frames = [frame(n, n / 10, down=True, seq=n, ip_id=n, payload_bytes=100) for n in range(1, COUNT)]
    at = start_ns - (frames[0].t_ns - 100_000_000)
    frames = [each._replace(t_ns=each.t_ns + at) for each in frames]
    inside = [each for each in frames if each.number % EVERY_THIRD]
    for name, side in zip(SIDES, (inside, frames), strict=True):
        (folder / "captures" / f"{name}.pcap").write_bytes(pcap_bytes(side))
    drops = [dropped(n / 10, seq=n, ip_id=n, length=140) for n in range(EVERY_THIRD, COUNT, EVERY_THIRD)]
    (folder / "truth.jsonl").write_text("".join(json.dumps(each) + "\n" for each in (opened(0.0), *drops)))
    return {name: {"captured": len(side)} for name, side in zip(SIDES, (inside, frames), strict=True)}


def ended(comparisons: Comparisons, folder: Path, counters: Any, plan: Plan) -> Agreement:
    return comparisons.end(folder, {BOX: plan.data["start_ns"] + round(LAST_S * 1e9)}, counters)[BOX]


def size_on_disk(path: Path) -> int:
    return path.stat().st_blocks * 512


def looked_at(comparisons: Comparisons) -> None:
    """Look once at what is there, as the thread does many times."""
    for box in comparisons._boxes.values():
        box.follow(comparisons._known_ns)


@pytest.mark.parametrize("keep", ["compared", "headers"])
def test_what_was_compared_meanwhile_comes_to_the_same_as_afterwards(tmp_path: Path, keep: str) -> None:
    plan = planned(keep)
    found = []
    for name in ("meanwhile", "afterwards"):
        folder = tmp_path / name
        counters = written(folder, plan.data["start_ns"])
        comparisons = Comparisons(plan, folder)
        if name == "meanwhile":
            comparisons.hear({"kind": "alive", "t": LAST_S - 1})
            looked_at(comparisons)
        found.append(ended(comparisons, folder, counters, plan))
    assert found[0] == found[1]
    assert found[0].agrees
    assert (found[0].compared, found[0].dropped) == (COUNT - 1, (COUNT - 1) // EVERY_THIRD)
    assert len(found[0].entry_frames) == (0 if keep == "compared" else found[0].dropped)


@pytest.mark.parametrize(("keep", "is_forgotten"), [("compared", True), ("headers", False), ("whole", False)])
def test_captures_that_nobody_keeps_are_given_back_to_the_disk(
    tmp_path: Path, keep: str, *, is_forgotten: bool
) -> None:
    plan = planned(keep)
    written(tmp_path, plan.data["start_ns"])
    paths = [tmp_path / "captures" / f"{name}.pcap" for name in SIDES]
    before = [size_on_disk(path) for path in paths]
    comparisons = Comparisons(plan, tmp_path)
    comparisons.hear({"kind": "alive", "t": LAST_S})
    looked_at(comparisons)
    assert [size_on_disk(path) < size for path, size in zip(paths, before, strict=True)] == [is_forgotten] * 2
    comparisons.discard(tmp_path)
    assert [path.exists() for path in paths] == [not is_forgotten] * 2


def test_nothing_is_compared_before_the_guest_has_lived_to_see_it(tmp_path: Path) -> None:
    plan = planned()
    counters = written(tmp_path, plan.data["start_ns"])
    comparisons = Comparisons(plan, tmp_path)
    looked_at(comparisons)
    assert all(box.comparison._entered == 0 for box in comparisons._boxes.values())
    comparisons.hear({"kind": "progress", "what": "running", "t": 20.0})
    comparisons.hear({"kind": "output", "stream": "stdout", "data": b""})
    looked_at(comparisons)
    assert [box.comparison._entered for box in comparisons._boxes.values()] == [100]
    assert ended(comparisons, tmp_path, counters, plan).agrees


@pytest.mark.parametrize(("engine", "follows"), [("virtual", True), ("realtime", False)])
def test_a_guest_that_has_to_be_in_time_is_not_disturbed(tmp_path: Path, engine: str, *, follows: bool) -> None:
    plan = planned(engine=engine)
    counters = written(tmp_path, plan.data["start_ns"])
    comparisons = Comparisons(plan, tmp_path)
    with comparisons.meanwhile() as thread:
        assert (thread is not None) is follows
    assert ended(comparisons, tmp_path, counters, plan).agrees


def test_a_capture_with_other_frames_than_the_guest_counted_is_refused(tmp_path: Path) -> None:
    plan = planned()
    counters = written(tmp_path, plan.data["start_ns"])
    counters[SIDES[1]]["captured"] += 1
    with pytest.raises(CaptureError, match=rf"{SIDES[1]}: 2999 of 3000 frames were compared"):
        ended(Comparisons(plan, tmp_path), tmp_path, counters, plan)


def test_damage_that_is_found_meanwhile_is_told_in_the_end(tmp_path: Path) -> None:
    plan = planned()
    counters = written(tmp_path, plan.data["start_ns"])
    (tmp_path / "captures" / f"{SIDES[0]}.pcap").write_bytes(b"no capture, but as many bytes")
    comparisons = Comparisons(plan, tmp_path)
    looked_at(comparisons)
    looked_at(comparisons)
    with pytest.raises(CaptureError, match="not a pcap file"):
        ended(comparisons, tmp_path, counters, plan)


def test_a_log_that_was_replaced_meanwhile_is_refused(tmp_path: Path) -> None:
    plan = planned()
    counters = written(tmp_path, plan.data["start_ns"])
    comparisons = Comparisons(plan, tmp_path)
    comparisons.hear({"kind": "alive", "t": LAST_S})
    looked_at(comparisons)
    log = tmp_path / "truth.jsonl"
    copy = log.with_name("copy")
    copy.write_bytes(log.read_bytes())
    copy.replace(log)
    with pytest.raises(RecordError, match=r"truth\.jsonl is not the file that was read while the run went on"):
        ended(comparisons, tmp_path, counters, plan)
