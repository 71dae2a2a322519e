"""What `testbed shell` refuses before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.cli import main
from testbed.cli.commands.shell import _shell_on
from tests.shell.network import NETWORK

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["2021-03-10", "--node", "nobody"], "--node nobody: no such node in this scenario (there: "),
        (["2021-03-10", "--show", "/no/such/folder"], "--show /no/such/folder: there is no such file or folder"),
        (["no-such-scenario"], "no-such-scenario"),
        (["2021-03-10", "--set", "nonsense=1"], "nonsense"),
    ],
)
def test_what_cannot_be_is_refused(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["shell", *arguments, "-o", str(tmp_path / "run")]) == 2
    assert problem in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("arguments", [["--engine", "virtual"], ["--seed", "1-30"]])
def test_a_prompt_needs_a_clock_that_runs_and_one_seed(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["shell", "2021-03-10", *arguments])
    assert end.value.code == 2
    assert arguments[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("own", "found"), [("/bin/bash", "/bin/bash"), ("bash", "/bin/sh"), ("", "/bin/sh"), ("/no/such", "/bin/sh")]
)
def test_a_node_has_the_user_s_shell_where_there_is_one(own: str, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", own)
    start = _shell_on("client", NETWORK)
    assert (start.node, start.argv) == ("mobile", (found,))
