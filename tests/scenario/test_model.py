"""What a scenario may say; whatever else it says is refused with file, line, key, value and what was expected."""

from __future__ import annotations

import contextlib
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import ScenarioError
from testbed.scenario import library
from testbed.scenario.model import Scenario, load_scenario

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
format: 1
title: a test
about: nothing
date: 2021-03-10T09:00:00Z
network: {topology: russia2021}
lines:
  - {name: mobile, kind: mobile, tspu: true}
origins:
  origin: {serves: [twitter.com]}
measurements:
  - fetch: twitter.com
    role: target
"""
FIRST_DAY = library.find("scenarios", "2021-03-10")


def load(tmp_path: Path, text: str, *settings: str) -> Scenario:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    return load_scenario(path, list(settings))[0]


def first_day(*settings: str) -> Scenario:
    return load_scenario(FIRST_DAY, list(settings))[0]


def test_the_shortest_scenario_has_the_documented_defaults(tmp_path: Path) -> None:
    scenario = load(tmp_path, TEXT)
    assert (scenario.seed, scenario.meter, scenario.congestion_control) == (1, None, "cubic")
    assert scenario.captures == dict.fromkeys(("client", "server", "box"), "whole")
    (fetch,) = scenario.measurements
    assert (fetch.at, fetch.timeout, fetch.lines) == (0.0, 120.0, None)


@pytest.mark.parametrize("name", library.names("scenarios"))
def test_every_packaged_scenario_can_be_read(name: str) -> None:
    scenario, _ = load_scenario(library.find("scenarios", name), [])
    assert scenario.title


@pytest.mark.parametrize(
    ("line", "replacement", "problem"),
    [
        ("title: a test", "titel: a test", "a.yaml:2: titel: unknown key; remove it or correct its spelling"),
        ("title: a test", "", "a.yaml:1: title: this key is missing"),
        ("format: 1", "format: 2", "a.yaml:1: format: expected 1, got 2"),
        ("kind: mobile", "kind: mobile, down: fast", "a.yaml:7: lines.0.down: expected a rate such as '140 kbit/s'"),
        ("tspu: true", "tspu: perhaps", "a.yaml:7: lines.0.tspu: expected true or false"),
        ("name: mobile,", "name: Mobile 1,", "a.yaml:7: lines.0.name: expected a name of 1 to 16 lower-case letters"),
        ("role: target", "role: victim", "a.yaml:12: measurements.0.role: expected 'target', 'control' or"),
        ("fetch: twitter.com", "fetch: 'twitter com'", "a.yaml:11: measurements.0.fetch: expected a DNS name"),
        ("serves: [twitter.com]", "serves: [a..b]", "a.yaml:9: origins.origin.serves.0: expected a DNS name"),
        ("serves: [twitter.com]", f"serves: [{'a' * 64}.com]", "origins.origin.serves.0: expected a DNS name"),
        ("serves: [twitter.com]", "serves: [198.51.100.6]", "origins.origin.serves.0: expected a DNS name, got the"),
        ("about: nothing", "about: nothing\nseed: true", "a.yaml:4: seed: expected a whole number, got True"),
        ("about: nothing", 'about: "\\ud800"', "half of a surrogate pair stands here"),
        ("role: target", f"role: target\n    size: 1{':00' * 3000}", "measurements.0.size: expected a size such as"),
        ("2021-03-10T09:00:00Z", "2232-01-01", "a.yaml:4: date: expected an instant from 1971 to 2232"),
        ("fetch: twitter.com", "get: twitter.com", "a.yaml:11: measurements.0: expected a mapping with exactly one of"),
        ("serves: [twitter.com]", "serves: []", "a.yaml:9: origins.origin.serves: expected at least 1 item, got none"),
        ("role: target", "role: target\n    size: 383", "a.yaml:13: measurements.0.size: expected a size such as"),
        ("role: target", "role: target\n    size: 383 kbit/s", "the unit 'kbit/s' is unknown (units: B, kB"),
        ("role: target", "role: target\n    at: 5", "a.yaml:13: measurements.0.at: expected a duration such as"),
        ("role: target", "role: target\n    at: -5 s", "a.yaml:13: measurements.0.at: expected a duration"),
        ("role: target", "role: target\n    timeout: 21 d", "measurements.0.timeout: expected at most 20 d, got"),
        ("role: target", "role: target\n    at: 1001 d", "a.yaml:13: measurements.0.at: expected at most 1000 d, got"),
        ("role: target", "role: target\n    timeout: 20", "measurements.0.timeout: expected a duration such as"),
        ("role: target", "role: target\n    timeout: 0 s", "measurements.0.timeout: expected greater than 0, got 0.0"),
        ("role: target", "role: target\n    client: wget", "measurements.0.client: expected 'measure' or 'curl'"),
        ("2021-03-10T09:00:00Z", "soon", "a.yaml:4: date: expected an instant such as 2021-03-10T09:00Z, got 'soon'"),
        ("2021-03-10T09:00:00Z", "2021-13-10", "a.yaml:4: not YAML: '2021-13-10' is no timestamp: month must be"),
        ("2021-03-10T09:00:00Z", "1615366800", "a.yaml:4: date: expected an instant such as"),
        ("2021-03-10T09:00:00Z", "1969-12-31", "a.yaml:4: date: expected an instant from 1971 to 2232"),
        ("2021-03-10T09:00:00Z", "0001-01-01T00:00+05:00", "a.yaml:4: date: expected an instant from 1971 to 2232"),
        ("topology: russia2021", "topology: 7", "a.yaml:5: network.topology: expected text, got 7; write"),
        ("about: nothing", "about: nothing\nseed: 0", "a.yaml:4: seed: expected greater than or equal to 1, got 0"),
        ("about: nothing", "about: nothing\nseed: one", "a.yaml:4: seed: expected a whole number, got 'one'"),
        ("about: nothing", "about: nothing\nmeter: leaky", "a.yaml:4: meter: expected 'token_bucket' or 'coarse"),
        ("about: nothing", "about: nothing\ncaptures: [moon]", "a.yaml:4: captures: expected client, server or box"),
        ("about: nothing", "about: nothing\ncaptures: {client: compared}", "a.yaml:4: captures: a capture at a client"),
        ("about: nothing", "about: nothing\ncaptures: {box: all}", "a.yaml:4: captures.box: expected 'whole'"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_file_line_and_expectation(
    tmp_path: Path, line: str, replacement: str, problem: str
) -> None:
    with pytest.raises(ScenarioError, match=re.escape(problem)):
        load(tmp_path, TEXT.replace(line, replacement, 1))


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("measurements.8.inverted=true", "measurements.8: a replay is the control if and only if it is inverted"),
        ("outages.0.until=0 s", "outages.0: expected 'until' after 'from', got 0.0 s to 0.0 s"),
        ("outages.0.from=0.5", "outages.0.from: expected a duration such as '95 ms', got 0.5: the unit is missing"),
        ("outages.0.link=[gateway]", "outages.0.link.1: an item is missing here"),
        ("recordings.0.size=0.5 B", "recordings.0.size: expected a size of whole B, got '0.5 B'"),
        ("lines=[]", "lines: expected at least 1 item, got none"),
        ("lines.0.colour=red", "lines.0.colour: unknown key"),
        ("network.parameters=7", "network.parameters: expected a mapping, got 7"),
    ],
)
def test_a_bad_setting_is_refused_with_the_setting_as_its_place(setting: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(problem)) as refusal:
        first_day(setting)
    assert ("--set " + setting in str(refusal.value)) or "2021-03-10.yaml:" in str(refusal.value)


def test_several_mistakes_are_told_together_but_not_without_end(tmp_path: Path) -> None:
    unknown = "".join(f"key{number}: 1\n" for number in range(20))
    with pytest.raises(ScenarioError) as refusal:
        load(tmp_path, TEXT + unknown)
    messages = str(refusal.value).splitlines()
    assert len(messages) == 9
    assert messages[0].endswith("a.yaml:13: key0: unknown key; remove it or correct its spelling "
                                "(docs/reference/scenario.md lists the keys)")  # fmt: skip
    assert messages[-1] == "… and 12 more"


def test_a_long_value_is_shortened_in_the_message(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as refusal:
        load(tmp_path, TEXT.replace("role: target", f"role: {'x' * 1000}"))
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2021-03-10T09:00Z", datetime(2021, 3, 10, 9, tzinfo=UTC)),
        ("2021-03-10T12:00+03:00", datetime(2021, 3, 10, 9, tzinfo=UTC)),
        ("2021-03-10 09:00", datetime(2021, 3, 10, 9, tzinfo=UTC)),
        ("2021-04-03", datetime(2021, 4, 3, tzinfo=UTC)),
        ("'2021-04-03'", datetime(2021, 4, 3, tzinfo=UTC)),
        ("2021-03-10T09:00:00.25Z", datetime(2021, 3, 10, 9, 0, 0, 250_000, tzinfo=UTC)),
    ],
)
def test_a_date_without_a_zone_is_utc(text: str, instant: datetime) -> None:
    assert first_day(f"date={text}").date == instant


def test_the_schema_accepts_what_the_reader_accepts() -> None:
    plain = json.loads(json.dumps(yaml.safe_load(FIRST_DAY.read_text()), default=str))
    schema = Scenario.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(plain)) == []


def test_the_schema_refuses_an_unknown_key() -> None:
    errors = jsonschema.Draft202012Validator(Scenario.model_json_schema()).iter_errors({"colour": "red"})
    assert any("colour" in each.message for each in errors)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates(), st.datetimes()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
KEYS = sorted(Scenario.model_fields)


@given(key=st.sampled_from(KEYS), value=VALUES)
def test_any_value_of_a_key_is_taken_or_refused(key: str, value: object) -> None:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True).removesuffix("...\n")
    with contextlib.suppress(ScenarioError):
        assert isinstance(first_day(f"{key}={text}"), Scenario)


@pytest.mark.parametrize("browser", ["firefox", "chrome"])
def test_a_browsers_hello_is_refused_for_fetches_with_the_way_to_have_it(browser: str) -> None:
    with pytest.raises(ScenarioError, match=rf"hello: .*'evade: plain' with 'options: \{{hello: {browser}\}}'"):
        first_day(f"hello={browser}")
