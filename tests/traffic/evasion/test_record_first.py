from __future__ import annotations

import pytest

from testbed.middlebox.recognise import Outcome
from testbed.middlebox.recognise.tls import recognise
from testbed.traffic.evasion.record_first import RecordFirst
from testbed.traffic.hello import client_hello
from tests.traffic.evasion.talk import played

HELLO = client_hello("twitter.com")


@pytest.mark.parametrize(
    ("record", "first_byte"), [("change_cipher_spec", 20), ("alert", 21), ("application_data", 23)]
)
def test_a_valid_record_hides_the_hello_from_a_reader_of_the_first(record: str, first_byte: int) -> None:
    [sent] = played(RecordFirst(record=record).passage("twitter.com")).sent()
    assert sent[0] == first_byte
    assert sent.endswith(HELLO)
    assert recognise(sent) is Outcome.VALID
