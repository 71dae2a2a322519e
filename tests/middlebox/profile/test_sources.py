from __future__ import annotations

import pytest

from testbed.conformance import ELSEWHERE, ROWS
from testbed.middlebox.profile.sources import SOURCES, keys_in
from testbed.scenario.evidence import statements
from tests.middlebox.build import graded_profile, profile_names

SOURCED = (
    [(row.name, row.source) for row in ROWS]
    + [(f"{name} {each.key}", each.source) for name in profile_names() for each in statements(graded_profile(name))[0]]
    + [(fact, source) for fact, source, _ in ELSEWHERE]
)


@pytest.mark.parametrize(("where", "source"), SOURCED, ids=[where for where, _ in SOURCED])
def test_every_key_of_a_source_is_in_the_legend(where: str, source: str) -> None:
    assert set(keys_in(source)) <= set(SOURCES), where


def test_a_key_is_told_from_other_words_in_capitals() -> None:
    assert keys_in("X21 §6.2, CP21; OONI-KZ; TCP, RST/ACK, SNI-II, X22: SYN-SENT, RFC 9001") == [
        "X21",
        "CP21",
        "OONI-KZ",
        "X22",
    ]


def test_every_source_has_an_address_and_is_cited() -> None:
    cited = {key for _, source in SOURCED for key in keys_in(source)}
    assert cited <= set(SOURCES)
    assert all(source.url.startswith("https://") for source in SOURCES.values())
