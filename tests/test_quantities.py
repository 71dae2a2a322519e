"""Quantities are right numbers with their units, or refused with what was expected."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from testbed.quantities import Duration, Rate, Share, Size, format_rate, parse_duration, parse_rate, parse_size

Parser = Callable[[object], float]
PARSERS: list[Parser] = [parse_rate, parse_size, parse_duration]


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_rate, "140 kbit/s", 140_000),
        (parse_rate, "1.5Mbit/s", 1_500_000),
        (parse_rate, "2 kB/s", 16_000),
        (parse_rate, " 8 bit/s ", 8),
        (parse_size, "383 kB", 383_000),
        (parse_size, "16 KiB", 16_384),
        (parse_size, "17.5 kB", 17_500),
        (parse_duration, "95 ms", 0.095),
        (parse_duration, "20 s", 20.0),
        (parse_duration, "1.5 min", 90.0),
        (parse_duration, "1 ns", 1e-9),
        (parse_duration, "2 d", 172_800.0),
    ],
)
def test_a_number_with_its_unit_is_read(parse: Parser, text: str, value: float) -> None:
    assert parse(text) == value


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("zero", [0, 0.0, "0"])
def test_zero_needs_no_unit(parse: Parser, zero: object) -> None:
    assert parse(zero) == 0


@pytest.mark.parametrize(
    ("parse", "value", "problem"),
    [
        (parse_rate, 140, "got 140: the unit is missing (units: bit/s, kbit/s"),
        (parse_rate, "140 kB", "the unit 'kB' is unknown (units: bit/s, kbit/s"),
        (parse_rate, "140 kbps", "the unit 'kbps' is unknown"),
        (parse_rate, "140 Kbit/s", "the unit 'Kbit/s' is unknown"),
        (parse_size, "383 kbit/s", "a size such as '383 kB', got '383 kbit/s'"),
        (parse_duration, 95, "a duration such as '95 ms', got 95: the unit is missing"),
        (parse_duration, "95 mS", "the unit 'mS' is unknown"),
        (parse_duration, "-1 s", "got '-1 s'"),
        (parse_duration, "1e3 s", "got '1e3 s'"),
        (parse_duration, "", "got ''"),
        (parse_duration, True, "got True"),
        (parse_duration, False, "got False"),
        (parse_duration, None, "got None"),
        (parse_duration, ["1 s"], "got ['1 s']"),
        (parse_duration, "nan s", "got 'nan s'"),
        (parse_duration, f"{10**400} s", "expected a duration"),
        (parse_rate, float("inf"), "got inf"),
    ],
)
def test_what_is_no_quantity_is_refused_with_what_was_expected(parse: Parser, value: object, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        parse(value)


@pytest.mark.parametrize(
    ("parse", "text", "problem"),
    [
        (parse_rate, "0.5 bit/s", "expected a rate of whole bit/s, got '0.5 bit/s'"),
        (parse_size, "0.5 B", "expected a size of whole B, got '0.5 B'"),
        (parse_size, "1.0001 kB", "expected a size of whole B, got '1.0001 kB'"),
    ],
)
def test_a_fraction_of_a_bit_or_byte_is_refused_and_not_rounded(parse: Parser, text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        parse(text)


@given(st.integers(0, 10**12))
def test_whole_numbers_are_exact_in_every_unit(number: int) -> None:
    assert parse_size(f"{number} B") == number
    assert parse_size(f"{number} kB") == number * 1000
    assert parse_rate(f"{number} Mbit/s") == number * 1_000_000


@given(st.sampled_from(PARSERS), st.one_of(st.text(), st.integers(), st.floats(), st.binary(), st.none()))
def test_any_value_is_read_or_refused(parse: Parser, value: object) -> None:
    with contextlib.suppress(ValueError):
        assert parse(value) >= 0


@pytest.mark.parametrize(
    ("rate_bps", "text"),
    [
        (0, "0 bit/s"),
        (999.4, "999 bit/s"),
        (999.6, "1 kbit/s"),
        (1_000, "1 kbit/s"),
        (10_640, "10.6 kbit/s"),
        (139_961.5, "140 kbit/s"),
        (999_600, "1 Mbit/s"),
        (1_955_975, "1.96 Mbit/s"),
        (2e9, "2 Gbit/s"),
    ],
)
def test_a_rate_is_written_in_the_unit_that_leaves_few_digits(rate_bps: float, text: str) -> None:
    assert format_rate(rate_bps) == text


@given(st.floats(0, 9.9e11))
def test_a_written_rate_has_at_most_three_digits_before_the_point_and_is_near(rate_bps: float) -> None:
    text = format_rate(rate_bps)
    number, unit = text.split()
    assert len(number.split(".")[0]) <= 3
    scale = {"bit/s": 1, "kbit/s": 1e3, "Mbit/s": 1e6, "Gbit/s": 1e9}[unit]
    assert float(number) * scale == pytest.approx(rate_bps, rel=0.006, abs=0.5)


@dataclass(frozen=True)
class Written:
    rate_bps: Rate
    burst_bytes: Size
    period_s: Duration = 1.0
    share: Share = 1.0


def test_a_plain_dataclass_is_read_as_people_write_it() -> None:
    reader = TypeAdapter(Written)
    read = reader.validate_python({"rate_bps": "140 kbit/s", "burst_bytes": "16 KiB", "share": "2 %"})
    assert asdict(read) == {"rate_bps": 140_000, "burst_bytes": 16_384, "period_s": 1.0, "share": 0.02}
    assert reader.json_schema()["properties"]["rate_bps"]["type"] == "string"


def test_all_errors_of_a_dataclass_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Written).validate_python({"rate_bps": 140, "burst_bytes": "16 kbit", "period_s": "soon"})
    assert [(error["loc"], error["msg"].partition(":")[0]) for error in caught.value.errors()] == [
        (("rate_bps",), "Value error, expected a rate such as '140 kbit/s', got 140"),
        (("burst_bytes",), "Value error, expected a size such as '383 kB', got '16 kbit'"),
        (("period_s",), "Value error, expected a duration such as '95 ms', got 'soon'"),
    ]
