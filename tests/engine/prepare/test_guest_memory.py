"""A guest has the memory that its plan needs, known before it boots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.engine.prepare.guest_memory import LEAST_MIB, describe_lack_of_memory, guest_memory_mib
from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from testbed.scenario.plan import Plan


def lines(count: int) -> str:
    return f"lines=[{', '.join(f'{{name: l{number}, kind: mobile, tspu: true}}' for number in range(count))}]"


def fetched(size: str) -> str:
    return f"measurements=[{{fetch: twitter.com, role: target, size: {size}}}]"


def planned(*settings: str, command: list[str] | None = None) -> Plan:
    path = library.find("scenarios", "2021-03-10")
    return make_plan(path, ["recordings=[]", *settings], seed=None, engine="virtual", command=command)


def test_the_first_day_has_what_every_guest_has() -> None:
    plan = make_plan(library.find("scenarios", "2021-03-10"), [], seed=None, engine="virtual", command=None)
    assert guest_memory_mib(plan) == LEAST_MIB


def test_each_thing_that_takes_memory_adds_to_it() -> None:
    many = lines(100), fetched("20 kB")  # memory is given in steps: with many lines, each thing is worth one
    base = guest_memory_mib(planned(*many))
    assert base > LEAST_MIB
    assert guest_memory_mib(planned(*many, "captures=[]")) < base
    assert guest_memory_mib(planned(*many, "censors={}")) < base
    assert guest_memory_mib(planned(lines(100), fetched("31 MB"), "origins.origin.serves=[twitter.com]")) >= base
    assert guest_memory_mib(planned(lines(130), fetched("20 kB"))) > base


def test_a_large_object_takes_no_memory_however_many_fetch_it() -> None:
    assert guest_memory_mib(planned(lines(1), fetched("1 GB"))) == LEAST_MIB
    assert guest_memory_mib(planned(lines(20), fetched("1 GB"))) == guest_memory_mib(
        planned(lines(20), fetched("1 kB"))
    )


def test_what_is_recorded_counts_twice_where_it_arrives() -> None:
    record = "recordings=[{name: long, line: l0, sni: twitter.com, size: 120 MB}]"
    path = library.find("scenarios", "2021-03-10")
    plan = make_plan(path, [record, lines(1), fetched("1 kB")], seed=None, engine="virtual", command=None)
    assert guest_memory_mib(plan) >= 2 * 115 + 64


def test_connections_side_by_side_count_each() -> None:
    together = "measurements=[{fetch: twitter.com, role: target, size: 100 kB, parallel: 100}]"
    assert guest_memory_mib(planned(lines(1), together)) > guest_memory_mib(planned(lines(1), fetched("4 MB")))


def test_a_program_of_the_users_has_room() -> None:
    assert guest_memory_mib(planned(command=["true"])) > LEAST_MIB


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", None),
        ("reboot: Power down", None),
        ("[1.0] Out of memory: Killed process 42 (curl) total-vm:1kB\n", "ended curl (process 42)"),
        (
            "Out of memory: Killed process 42 (a)\nOut of memory: Killed process 7 (b c)\n",
            "ended a (process 42), b c (pr",
        ),
        ("Kernel panic - not syncing: System is deadlocked on memory", "the guest ran out of memory"),
    ],
)
def test_what_the_kernel_says_of_a_lack_of_memory_is_told(log: str, said: str | None) -> None:
    told = describe_lack_of_memory(log)
    assert (told is None) if said is None else said in str(told)
