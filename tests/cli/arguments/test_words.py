from __future__ import annotations

import pytest

from testbed.cli.arguments import make_parser


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "2021-03-10", "--seeed", "3"], ["usage: testbed run", "arguments: --seeed 3; did you mean --seed"]),
        (["run", "2021-03-10", "--outptu=x"], ["arguments: --outptu=x; did you mean --output? There are: -h, "]),
        (["corpus", "build", "smoke", "-o", "x", "--strore", "t"], ["testbed corpus build", "did you mean --store?"]),
        (["doctor", "--nothing-like-it"], ["--nothing-like-it; there are: -h, --help, --json, "]),
        (["list", "scenarios", "more"], ["unrecognized arguments: more\n"]),
        (["rnu", "2021-03-10"], ["invalid choice: 'rnu'; did you mean run? There are: "]),
    ],
)  # fmt: skip
def test_what_may_have_been_meant_by_a_word_is_said_with_the_commands_own_usage(
    words: list[str], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        make_parser().parse_words(words)
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert [part for part in said if part not in printed] == []


@pytest.mark.parametrize("command", ["run", "inspect", "probe", "demo", "lab"])
def test_help_fits_a_terminal_and_examples_stay_as_they_are_typed(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        make_parser().parse_words([command, "--help"])
    printed, _, examples = capsys.readouterr().out.partition("\nexamples:\n")
    about, _, _ = printed.partition("\nprobes:\n")  # typed as examples are
    assert [line for line in about.splitlines() if len(line) > 80] == []
    assert all(line.startswith("  ") for line in examples.splitlines())
