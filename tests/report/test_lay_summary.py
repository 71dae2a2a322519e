from __future__ import annotations

from typing import Any

import pytest

from testbed.report.lay_summary import lay_summary
from tests.records.build import FREE, manifest, transfer

CONTROL = transfer(**FREE, role="control", goodput_bps=40_000.0, sni="example.com")
LOST = transfer(**FREE, ok=False, goodput_bps=None, sni="kremlin.ru", error="timed out")
RESET = transfer(ok=False, throttled=False, action="reset", goodput_bps=None, sni="twitter.com")


def sentences(*transfers: Any) -> list[str]:
    return lay_summary(manifest() | {"transfers": list(transfers)})


def test_three_sentences_say_what_was_tried_what_was_slow_and_what_failed() -> None:
    tried, slow, failed = sentences(transfer(), CONTROL)
    assert tried == (
        "On 10 March 2021 of an emulated calendar, 2 transfers of data to or from 2 sites were tried over 1 line of "
        "an Internet provider."
    )
    assert slow == (
        "A box on the way slowed down 1 of them (to or from abs.twimg.com) and threw away 1 of their packets: they "
        "went at 4 kbit/s in the middle, and what it left alone at 40 kbit/s, 10.0 times as fast."
    )
    assert failed == "Every transfer came to its end."


@pytest.mark.parametrize(
    ("transfers", "nth", "said"),
    [
        ([CONTROL], 1, "slowed down none of them; they went at 40 kbit/s in the middle."),
        ([LOST], 1, "slowed down none of them."),
        ([], 0, "0 transfers of data to or from 0 sites"),
        ([transfer()], 1, "nothing that was left alone is there to compare."),
        ([transfer(), transfer(**FREE, direction="upload", goodput_bps=9e9)], 1, "nothing that was left alone"),
        ([transfer(goodput_bps=None, ok=False)], 1, "none of them came to an end that could be timed."),
        ([LOST, RESET], 2, "2 transfers failed (kremlin.ru, twitter.com): a box had acted on 1 of them, and 1 failed"),
        ([transfer(sni=f"{n}.t.co") for n in range(6)], 1, "(to or from 0.t.co, 1.t.co, 2.t.co, 3.t.co and 2 more)"),
    ],
)  # fmt: skip
def test_each_sentence_says_what_is_so(transfers: list[Any], nth: int, said: str) -> None:
    assert said in sentences(*transfers)[nth]
