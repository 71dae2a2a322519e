"""PD against the table that its authors published for their lab captures (Flach et al., SIGCOMM 2016)."""

from __future__ import annotations

import csv
from collections import defaultdict

from testbed.capture import read_capture
from testbed.detectors.methods.pd import segment_rows
from tests.oracles.published import published_data

SUFFIX = ".filtered"  # what the authors' table appends to a capture's name


def published_rows() -> dict[str, list[tuple[str, ...]]]:
    rows: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    with (published_data("policing-lab") / "expected.csv").open(newline="") as table:
        reader = csv.reader(table)
        next(reader)
        for name, *fields in reader:
            rows[name.removesuffix(SUFFIX)].append(tuple(",".join(fields).split(",")))
    return rows


def computed_rows(name: str) -> list[tuple[str, ...]]:
    capture = read_capture(published_data("policing-lab") / f"{name}.pcap.xz")
    rows = []
    for row in segment_rows(capture.flows):
        results = ",".join(f"{result.policed},{result}" for result in row.results)
        text = f"{row.flow},{row.segment},{row.direction},{row.packets},{row.losses},{results}"
        rows.append(tuple(text.split(",")))
    return rows


def test_every_published_row_is_reproduced() -> None:
    published = published_rows()
    differing = {name: sorted(set(rows) - set(computed_rows(name))) for name, rows in published.items()}
    assert {name: rows for name, rows in differing.items() if rows} == {}
    assert sum(map(len, published.values())) >= 195
