"""`show` and `schema`: what is listed can be shown."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import jsonschema
import pytest

from testbed.scenario import library
from tests.cli.program import status

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "text", "key"),
    [
        ("2021-03-10", "10 March 2021, the first day of the Twitter slowdown", "phases"),
        ("russia2021", "box_after_hop", "parameters"),
        ("ru-tw-2021a", "meter.token_bucket.rate", "evidence"),
    ],
)
def test_what_is_listed_can_be_shown(capsys: pytest.CaptureFixture[str], name: str, text: str, key: str) -> None:
    assert status("show", name) == 0
    assert text in capsys.readouterr().out
    assert status("show", name, "--json") == 0
    assert json.loads(capsys.readouterr().out)[key]


def test_a_scenario_with_a_box_that_has_no_meter_can_be_shown(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "blocked.yaml"
    text = library.find("scenarios", "2021-03-10").read_text()
    path.write_text(text.replace("  tspu: ru-tw-2021\n", "  blocker: isp-block\n"))
    assert status("show", str(path)) == 0
    assert "mobile-blocker: isp-block (ISP's block page for plain HTTP)\n" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["scenario", "profile"])
def test_schemas_are_schemas(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    assert status("schema", kind) == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--show", "/no/such", "--", "true"], "--show /no/such: there is no such file or folder"),
        (["--show", "/tmp"], "there is none after --"),  # noqa: S108 - refused
    ],
)
def test_what_cannot_be_shown_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str
) -> None:
    assert status("run", "2021-03-10", *arguments) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize(("typed", "completed"), [
    ("testbed val", "validate"), ("testbed run --by", "--by-day"), ("testbed list prof", "profiles"),
    ("testbed run 2021-03", "2021-03-10"), ("testbed check history/2021-03", "history/2021-03-10"),
    ("testbed inspect --profile ru-tw-2021a", "ru-tw-2021a"), ("testbed validate smo", "smoke"),
    ("testbed report /usr/bi", "/usr/bin"), ("testbed run 2021-03-10 -o /usr/bi", "/usr/bin"),
    ("testbed detect /usr/bi", "/usr/bin"),
])  # fmt: skip
def test_bash_completes_what_is_typed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, typed: str, completed: str
) -> None:
    assert status("completion", "bash") == 0
    (tmp_path / "testbed").write_text(capsys.readouterr().out)
    words = typed.split()
    script = (
        'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        '_shtab_testbed testbed "${COMP_WORDS[COMP_CWORD]}" x; echo "${COMPREPLY[@]}"'
    )
    argv = ["bash", "-c", script, "bash", str(tmp_path / "testbed"), *words]
    found = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert completed in found.stdout.split()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_scripts_that_name_every_command(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert status("completion", shell) == 0
    script = capsys.readouterr().out
    for name in ("validate", "shrink", "completion"):
        assert name in script
