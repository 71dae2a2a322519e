from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.recognise import Hello
from testbed.middlebox.recognise.tls import join_records, recognise
from testbed.traffic.evasion.tls_split import TlsSplit
from tests.traffic.evasion.talk import played


def shown_name(data: bytes) -> object:
    result = recognise(data)
    return result.name if isinstance(result, Hello) else result


@given(at=st.integers(1, 511))
def test_a_split_message_is_whole_again_when_its_records_are_joined(at: int) -> None:
    [sent] = played(TlsSplit(at=at).passage("twitter.com")).sent()
    assert shown_name(sent) != "twitter.com"
    assert shown_name(join_records(sent)) == "twitter.com"
