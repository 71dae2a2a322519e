"""Traces of capacity: what is read, and what is refused by file and line."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import ScenarioError
from testbed.scenario import library
from testbed.scenario.traces import LEAST_BPS, find_trace, mean_bps, read_trace

if TYPE_CHECKING:
    from pathlib import Path


def _generator() -> Any:
    path = library.folder("scenarios") / "traces" / "generate.py"
    spec = importlib.util.spec_from_file_location("generate", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["generate"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


GENERATOR = _generator()


def written(folder: Path, text: str) -> Path:
    path = folder / "trace"
    path.write_text(text, encoding="utf-8")
    return path


def test_mahimahi_has_a_packet_a_line(tmp_path: Path) -> None:
    plan = read_trace(written(tmp_path, "10\n20\n50\n51\n\n200\n"))
    assert plan == {
        "times_s": [0.0, 0.05, 0.1, 0.15], "rates_bps": [720_000, 240_000, LEAST_BPS, 240_000], "period_s": 0.2,
    }  # fmt: skip


def test_zeros_before_a_time_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    assert read_trace(written(tmp_path, f"\ufeff{'50':0>17}\n60\n")) == read_trace(written(tmp_path, "50\n60\n"))
    rows = "time_s,rate_bps\n0,5000\n1,6000\n"
    assert read_trace(written(tmp_path, f"\ufeff{rows}")) == read_trace(written(tmp_path, rows))


def test_the_last_step_ends_with_the_trace(tmp_path: Path) -> None:
    plan = read_trace(written(tmp_path, "50\n60\n"))
    assert (plan["rates_bps"], plan["period_s"]) == ([240_000, 1_200_000], 0.06)


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=400))
def test_a_trace_carries_what_its_lines_say(tmp_path_factory: pytest.TempPathFactory, times: list[int]) -> None:
    path = written(tmp_path_factory.mktemp("t"), "".join(f"{time}\n" for time in sorted(times)))
    plan = read_trace(path)
    ends = [*plan["times_s"][1:], plan["period_s"]]
    spans = [end - begin for begin, end in zip(plan["times_s"], ends, strict=True)]
    bits = sum(rate * span for rate, span in zip(plan["rates_bps"], spans, strict=True) if rate > LEAST_BPS)
    assert bits == pytest.approx(len(times) * 12_000, rel=1e-3)


def test_csv_has_a_row_a_step(tmp_path: Path) -> None:
    plan = read_trace(written(tmp_path, "# made by hand\ntime_s,rate_bps\n0,4e6\n2,0\n3.5,1000000\n"))
    assert plan == {"times_s": [0, 2, 3.5], "rates_bps": [4_000_000, LEAST_BPS, 1_000_000], "period_s": 5.0}
    assert mean_bps(plan) == pytest.approx((8e6 + 1.5e6 + 1500) / 5, abs=1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the trace is empty"),
        ("\n# only words\n", "the trace is empty"),
        ("20\n10\n", "trace:2: 10 ms after 20 ms: time goes backwards"),
        ("0\n0\n", "all packets are at 0 ms"),
        ("ten\n", "trace:1: 'ten'; expected a line for each packet"),
        ("10\n1.5\n", "trace:2: '1.5'"),
        ("10\n-5\n", "trace:2: '-5'"),
        ("٣\n", "trace:1"),
        ("99999999999999999999999\n", "a day at most"),
        ("86400001\n", "trace:1: 86400001 ms; a trace lasts a day at most"),
        ("12345678901234567\n", "trace:1: '12345678901234567' ms; a trace lasts a day at most"),
        ("9" * 5000, "a day at most"),
        ("1_000\n", "trace:1: '1_000'"),
        ("time_s,rate_bps\n0,1_000\n1,5\n", "trace:2: '0,1_000'; expected seconds and bit/s"),
        ("time_s,rate_bps\n0,5\n1,٣\n", "trace:3"),
        ("time_s,rate_bps\n0,5\n1,1e9999\n", "trace:3"),
        (f"time_s,rate_bps\n0,{'5' * 200_000}\n", "trace:2: '0,5555"),
        ("time_s,rate_bps\n0,5\n1,5\r5\n", "trace:"),
        ("time,rate\n0,1\n", "trace:1: the header is 'time,rate'; expected time_s,rate_bps"),
        ("0,1000\n1,2000\n", "trace:1: the header is '0,1000'"),
        ("time_s,rate_bps\n", "0 steps"),
        ("time_s,rate_bps\n0,5\n", "1 steps"),
        ("time_s,rate_bps\n1,5\n2,5\n", "trace:2: the trace begins at 1 s"),
        ("time_s,rate_bps\n0,5\n\n0,6\n", "trace:4: 0 s after 0 s"),
        ("time_s,rate_bps\n0,5\n3,5\n2,5\n", "trace:4: 2 s after 3 s"),
        ("time_s,rate_bps\n0,5\n1,-5\n", "trace:3: '1,-5'; expected a rate from 0"),
        ("time_s,rate_bps\n0,5\nnan,5\n", "trace:3"),
        ("time_s,rate_bps\n0,5\n1,inf\n", "trace:3"),
        ("time_s,rate_bps\n0,5 Mbit/s\n", "trace:2: '0,5 Mbit/s'; expected seconds and bit/s, two numbers"),
        ("time_s,rate_bps\n0,5\n1,5,5\n", "trace:3"),
        ("time_s,rate_bps\n0,0\n1,900\n", "nothing can ever be sent"),
    ],
)  # fmt: skip
def test_what_is_no_trace_is_refused_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ScenarioError) as error:
        read_trace(written(tmp_path, text))
    assert problem in str(error.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trace").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match="cannot read the trace"):
        read_trace(tmp_path / "trace")


def test_a_trace_beside_the_scenario_goes_before_a_packaged_one(tmp_path: Path) -> None:
    assert find_trace("cellular-slow", beside=tmp_path).parent.name == "traces"
    own = tmp_path / "cellular-slow"
    own.write_text("1\n")
    assert find_trace("cellular-slow", beside=tmp_path) == own
    with pytest.raises(ScenarioError, match=r"none is packaged .cellular-fast, cellular-moving, cellular-slow"):
        find_trace("lte", beside=tmp_path)


@pytest.mark.parametrize("name", GENERATOR.CELLS)
def test_the_packaged_traces_are_what_their_program_makes(name: str) -> None:
    path = library.folder("scenarios") / "traces" / f"{name}.csv"
    assert path.read_text() == GENERATOR.trace(name)
    assert len(read_trace(path)["times_s"]) == 600
