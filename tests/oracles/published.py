"""Where published data of others lie, and how to get them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_SOURCES = {
    "policing-lab": (
        "data/validation/*.pcap.xz and the matching rows of data/validation/validation.csv.gz (as expected.csv, with a"
        " header line) of https://github.com/USC-NSL/policing-detection"
    ),
    "twitter-crowd-2021": "data/2021-03/*.csv (as 2021-03-13.csv ...) of https://github.com/4ndv/russia-twitter-throttle",
}


def published_data(name: str) -> Path:
    """Return the folder of a data set, or skip the test with a sentence that says how to get it."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("TESTBED_DATA", beside)) / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: put {_SOURCES[name]} there, or set TESTBED_DATA to the folder above it")
    return folder
