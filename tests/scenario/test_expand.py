"""Measurements that stand for several: each repetition draws for itself, a pair has what was drawn in common."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml

from testbed.errors import ScenarioError
from testbed.records.plan import planned_transfers
from testbed.scenario.document import Document
from testbed.scenario.expand import expand_repetitions
from testbed.scenario.model import scenario_schema
from testbed.scenario.plan import Plan, make_plan

if TYPE_CHECKING:
    from pathlib import Path

SCENARIO = """\
format: 1
title: pairs
about: pairs and repetitions
date: 2021-03-10T09:00Z
network: {{topology: russia2021}}
lines: [{{name: mobile, kind: mobile, tspu: true}}]
censors: {{tspu: ru-tw-2021}}
origins: {{origin: {{serves: [twitter.com, example.com]}}}}
measurements:
  - {}
  - {}
"""
CONTROL = "{fetch: example.com, role: control}"
PAIR = "pair: {target: twitter.com, control: example.com}"


def planned(tmp_path: Path, first: str, second: str = CONTROL, *, seed: int = 1) -> Plan:
    path = tmp_path / "s.yaml"
    path.write_text(SCENARIO.format(first, second))
    return make_plan(path, [], seed=seed, engine="virtual", command=None)


def transfers(plan: Plan) -> list[tuple[str, str | None, int, float]]:
    return [
        (each["role"], each["sni"], each["size"], each.get("pause_s", 0.0))
        for each in planned_transfers(plan.data)
        if each["kind"] == "fetch"
    ]


def test_a_measurement_is_repeated_with_pauses_and_draws_of_its_own(tmp_path: Path) -> None:
    first = "{fetch: twitter.com, role: target, size: 'uniform(20 kB, 900 kB)', repeat: 3, pause: 5 s}"
    plan = planned(tmp_path, first)
    found = transfers(plan)
    assert [(role, pause) for role, _, _, pause in found] == [("target", 5.0)] * 3 + [("control", 0.0)]
    assert len({size for _, _, size, _ in found[:3]}) == 3
    assert [draw["key"] for draw in plan.data["drawn"]] == [f"measurements.{index}.size" for index in range(3)]


def test_a_pair_is_a_target_and_a_control_of_one_size(tmp_path: Path) -> None:
    pair = f"{{{PAIR}, size: 'uniform(20 kB, 900 kB)', repeat: 4, pause: 1 min}}"
    found = transfers(planned(tmp_path, pair))[:8]
    assert [role for role, *_ in found] == ["target", "control", "control", "target"] * 2
    assert [sni for role, sni, *_ in found if role == "target"] == ["twitter.com"] * 4
    sizes = [size for _, _, size, _ in found]
    assert sizes[::2] == sizes[1::2]
    assert len(set(sizes)) == 4
    assert [pause for *_, pause in found] == [60.0, 0.0] * 4


@pytest.mark.parametrize(
    ("order", "roles"), [("target first", ["target", "control"] * 3), ("control first", ["control", "target"] * 3)]
)
def test_the_order_of_a_pair_may_be_fixed(tmp_path: Path, order: str, roles: list[str]) -> None:
    pair = f"{{{PAIR}, repeat: 3, order: {order}}}"
    assert [role for role, *_ in transfers(planned(tmp_path, pair))[:6]] == roles


def test_a_shuffled_order_is_the_seeds(tmp_path: Path) -> None:
    pair = f"{{{PAIR}, repeat: 40, order: shuffled}}"
    first, again, other = (
        [role for role, *_ in transfers(planned(tmp_path, pair, seed=seed))[:80:2]] for seed in (1, 1, 2)
    )
    assert first == again != other
    assert 8 < first.count("target") < 32


@pytest.mark.parametrize(
    ("first", "problem"),
    [
        (
            "{fetch: t.co, role: target, repeat: 0}",
            "10: measurements.0.repeat: expected a whole number from 1 to 10000",
        ),
        ("{fetch: t.co, role: target, repeat: many}", "10: measurements.0.repeat: expected a whole number"),
        ("{pair: twitter.com}", "10: measurements.0.pair: expected a target and a control, got 'twitter.com'"),
        ("{pair: {target: twitter.com}}", "10: measurements.0.pair: expected a target and a control"),
        ("{pair: {target: a.com, control: b.com}, order: random}", "measurements.0.order: expected one of alternating"),
        ("{pair: {target: a.com, control: b.com}, role: target}", "measurements.0.role: a pair says this already"),
        (f"{{{PAIR}, speed: 3}}", "10: measurements.0.speed: unknown key"),
        ("{fetch: nowhere.com, role: target, repeat: 9}", "10: measurements.0.fetch: no origin serves nowhere.com"),
        ("{fetch: twitter.com, role: target, repeat: 9, size: 'uniform(2 s, 1 s)'}", "the bounds are turned round"),
        (f"{{{PAIR}, _nth: 7}}", "10: measurements.0._nth: unknown key"),
        ("{fetch: twitter.com, role: target, _round_s: [0, 5]}", "10: measurements.0._round_s: unknown key"),
        ("{fetch: twitter.com, role: target, order: shuffled}", "10: measurements.0.order: unknown key"),
    ],
)
def test_errors_name_what_was_written(tmp_path: Path, first: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(problem)) as refusal:
        planned(tmp_path, first)
    assert len(str(refusal.value).splitlines()) == 1


def test_an_error_behind_a_repeated_measurement_has_its_own_index(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"s\.yaml:11: measurements\.1\.fetch: no origin serves nowhere\.com"):
        planned(tmp_path, "{fetch: twitter.com, role: target, repeat: 5}", "{fetch: nowhere.com, role: control}")


def test_the_schema_knows_what_is_expanded(tmp_path: Path) -> None:
    schema = scenario_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for first in (f"{{{PAIR}, repeat: 3, order: shuffled}}", "{fetch: twitter.com, role: target, repeat: 2}"):
        planned(tmp_path, first)
        validator.validate(yaml.safe_load(SCENARIO.format(first, CONTROL)) | {"date": "2021-03-10T09:00Z"})
    wrong = yaml.safe_load(SCENARIO.format(f"{{{PAIR}, order: random}}", CONTROL)) | {"date": "2021-03-10T09:00Z"}
    assert not validator.is_valid(wrong)


def test_repetitions_are_counted_before_they_are_written_out() -> None:
    items = ", ".join(["{fetch: a, repeat: 10000}"] * 11)
    document = Document.parse("s.yaml", f"measurements: [{items}]")
    with pytest.raises(ScenarioError, match=r"measurements\.10\.repeat: more than 100000 measurements in all"):
        expand_repetitions(document)
