"""The arguments of ``lab``."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.cli.arguments import make_parser


def test_a_pack_and_a_key_are_files() -> None:
    found = make_parser().parse_args(
        ["lab", "start", "1", "--from", "labs.zip", "--key", "class.key", "--student", "ann"]
    )
    assert (found.lab, found.pack, found.key, found.student) == ("1", Path("labs.zip"), Path("class.key"), "ann")


@pytest.mark.parametrize(
    "words",
    [
        ["lab"], ["lab", "start"], ["lab", "check", "1"], ["lab", "pack"], ["lab", "try", "x"],
        ["lab", "try", "x", "--evade", "plain", "--probe", "ttl"], ["lab", "start", "1", "--seed", "0"],
        ["lab", "start", "1", "--seed", str(1 << 63)], ["lab", "try", "x", "--probe", "fields"],
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        make_parser().parse_args(words)
    assert caught.value.code == 2
    assert capsys.readouterr().err
