"""A run whose records are missing or malformed is refused, and nothing of it is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from testbed.engine.judge.comparisons import Comparisons
from testbed.engine.judge.judge import judge
from testbed.errors import CertificateError
from testbed.records.run import RunDirectory
from testbed.scenario import library
from testbed.scenario.plan import Plan, make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.certificate import GuestCertificate
    from testbed.records.manifest import Manifest

NOTHING = cast("GuestCertificate", {"boxes": {}, "network": {}, "captures": {}})


def planned(*settings: str) -> Plan:
    return make_plan(library.find("scenarios", "2021-03-10"), list(settings), seed=None, engine="virtual", command=None)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    found = RunDirectory.create(tmp_path / "run")
    (found.path / "guest.log").write_text("")
    return found


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        ([], r"captures/mobile-tspu-inside\.pcap"),
        (["captures/mobile-tspu-inside.pcap", "captures/mobile-tspu-outside.pcap"], r"truth\.jsonl"),
    ],
)
def test_a_record_that_is_not_there_is_no_empty_one(run: RunDirectory, there: list[str], missing: str) -> None:
    plan = planned("lines=[{name: mobile, kind: mobile, tspu: true}]", "recordings=[]", "captures=[box]",
                   "measurements=[{fetch: t.co, role: target}]")  # fmt: skip
    for name in there:
        (run.path / name).write_bytes(b"")
    with pytest.raises(CertificateError, match=f"the guest left no {missing}: what happened in this run is not known"):
        judge(run, plan, NOTHING, {"left_behind": []}, Comparisons(plan, run.path))


def test_records_that_cannot_be_read_are_named(run: RunDirectory) -> None:
    plan = planned("captures=[]")
    (run.path / "truth.jsonl").write_text("{}\n")
    (run.path / "measurements.jsonl").write_text("no JSON\n")
    run.write_manifest({"format": 1, "state": "checking"})
    with pytest.raises(CertificateError, match=r"the records of this run cannot be read: .*measurements\.jsonl:1"):
        judge(run, plan, NOTHING, {"left_behind": []}, Comparisons(plan, run.path))


def test_malformed_records_are_refused_with_the_error(run: RunDirectory) -> None:
    plan = planned("captures=[]")
    (run.path / "truth.jsonl").write_text("{}\n")
    (run.path / "measurements.jsonl").write_text('{"event": "bytes"}\n')
    run.write_manifest({"format": 1, "state": "checking"})
    manifest: Manifest = {"left_behind": []}
    with pytest.raises(CertificateError, match=r"are malformed \(KeyError: .*they are kept as they are"):
        judge(run, plan, NOTHING, manifest, Comparisons(plan, run.path))
    assert (run.path / "measurements.jsonl").exists()
