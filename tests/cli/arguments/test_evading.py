"""The arguments of ``evade``."""

from __future__ import annotations

from testbed.cli.arguments import make_parser


def test_sizes_dates_and_names_are_read_as_people_write_them() -> None:
    words = [
        "evade",
        "matrix",
        "--censor",
        "a",
        "--censor",
        "b",
        "--date",
        "2021-03-10",
        "--size",
        "60 kB",
        "--jobs",
        "2",
    ]
    read = make_parser().parse_args(words)
    assert (read.censor, read.size, read.jobs, read.evasion) == (["a", "b"], "60 kB", 2, None)
    assert read.date[0].isoformat() == "2021-03-10T00:00:00+00:00"
