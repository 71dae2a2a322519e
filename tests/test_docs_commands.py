"""Commands in the documents can be typed: those of README, tutorial and how-to are, all others are read by the parser.

A command is typed as it stands, in a folder that has the files of which its document speaks; `SHORTER` takes the
place of what would take minutes. What is not run stands in `NOT_RUN` with the reason.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from testbed.cli.arguments import make_parser
from testbed.engine.native.probe import _MODULES

if TYPE_CHECKING:
    from tests.conftest import Runner

ROOT = Path(__file__).resolve().parents[1]
TYPED = [
    ROOT / "README.md",
    *sorted((ROOT / "docs/tutorial").glob("*.md")),
    *sorted((ROOT / "docs/how-to").glob("*.md")),
]
READ = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FETCH = "{fetch: twitter.com, role: target, size: 60 kB}, {fetch: example.com, role: control, size: 60 kB}"
_LINE = "--set 'lines=[{name: mobile, kind: mobile, tspu: true}]'"
_SHORT = f"{_LINE} --set 'recordings=[]' --set 'measurements=[{_FETCH}]'"
SHORTER = {
    r"^(testbed run 2021-03-10)(?! --line| -- )": rf"\1 {_SHORT}",
    r"--seed 1-30": "--seed 1-2",
    r"flows=6": "flows=2",
    r"(testbed probe timeout .*)$": r"\1 --option precision='60 s'",
    r"(testbed (?:validate|corpus build)) (?:smoke|core)\b": r"\1 smoke.yaml",
    r"^(testbed evade matrix)$": r"\1 --censor ru-tw-2021a --evasion plain --evasion tcp-split",
    r"--date 2021-03-10T09:00Z --date 2021-03-12 --date 2021-04-03": "--date 2021-04-03 --evasion plain",
}
"""What is put in the place of what a document says, so that it takes seconds: fewer transfers, seeds, conditions."""

_SET_UP = "sets a machine up"
_SERVES = "serves a page until it is ended: tests/demo asks such pages"
_REAL_TIME = "in real time, where a busy machine makes a run invalid: tests/engine/test_programs.py types such lines"
_RELEASED = "installs wheels: make release-check"
_CONTAINER = "needs an image from a registry"
_MACHINE = "starts a virtual machine"
_OWN_KERNEL = (
    "needs modules of the machine's own kernel: tests/engine/native and tests/test_mininet.py run where they are"
)
_THE_SAME = "the same as another command here, in other words"
_PIPX = "pipx install --pip-args=\"--find-links '$PWD/dist'\" dist/throttling_testbed-*.whl"
_LOADS = f"sudo modprobe -a {' '.join(_MODULES.values())}"
NOT_RUN = {
    "testbed run 2021-03-10 --engine native": _OWN_KERNEL,
    'sudo .venv/bin/python "$(command -v mn)" --custom topologies/russia2021.py --topo russia2021 --link tc '
    "--controller none": _OWN_KERNEL,
    'sudo .venv/bin/python "$(command -v mn)" --custom examples/mininet/censored.py '
    "--topo censored-chain,censor=ru-tw-2021a,log=/tmp/box.jsonl --link tc --controller none": _OWN_KERNEL,
    _LOADS: _OWN_KERNEL,
    "testbed run 2021-matrix": _THE_SAME,
    r"testbed run 2021-03-10 -- curl --curves X25519 -sSo /dev/null -w '%{speed_download}\n' "
    "https://twitter.com/383000.bin": _THE_SAME,
    "testbed probe timeout 2021-03-10": _THE_SAME,
    "testbed probe ttl 2021-03-10 --set network.parameters.box_after_hop=2": _THE_SAME,
    "testbed validate smoke --detector run:examples/checker/speedcheck.yaml": _THE_SAME,
    "testbed corpus verify core.zip": "makes runs again: tests/cli/commands/test_corpus_making.py does so",
    "make run": _SET_UP,
    "make demo": _SERVES,
    "testbed demo": _SERVES,
    "testbed demo friday": _SERVES,
    "testbed demo --from labs.zip": _SERVES,
    "testbed shell 2021-03-10": _REAL_TIME,
    r"printf 'client wget -qO /dev/null https://twitter.com/383000.bin\nbox log\n' | testbed shell 2021-03-10": (
        _REAL_TIME
    ),
    "testbed run 2021-spring --by-day": "takes minutes: tests/cli/commands/test_sweeps.py makes days of a calendar",
    "testbed lab start 1": "records cases: tests/labs/test_making.py does so with every condition of each lab",
    "testbed demo friday --export site --guess": "draws an animation: tests/demo/test_animation.py draws one",
    "wireshark RUN/captures/mobile-tspu-outside.pcapng": "opens a window: tests/oracles/test_tshark.py reads captures",
    "python3 -m venv testbed": _RELEASED,
    "testbed/bin/pip install dist/throttling_testbed*.whl": _RELEASED,
    _PIPX: _RELEASED,
    "testbed/bin/testbed run 2021-03-10": _RELEASED,
    "podman build --tag throttling-testbed .": _CONTAINER,
    "podman run --rm throttling-testbed run 2021-03-10": _CONTAINER,
    "vagrant up": _MACHINE,
    "vagrant ssh -c 'cd /vagrant && make run'": _MACHINE,
    "vagrant rsync": _MACHINE,
    'make -C throttling-testbed setup VENV="$PWD/venv"': _SET_UP,
    "venv/bin/pip install .": "installs a project of the reader's: tests/test_examples.py does so with one",
    "venv/bin/testbed validate tests/conditions.yaml --detector flatline --junit scores.xml": "uses that project",
}

SAYS = {
    "testbed run 2021-03-10 -- curl --curves X25519 -so /dev/null https://twitter.com/383000.bin": (
        "THROTTLED by twitter.com"
    ),
    "testbed run 2021-03-10 --set date=2021-04-03": "THROTTLED by twitter.com",
    "testbed show ru-tw-2021a": "substring match on t.co",
    "testbed check my-censor.yaml": "my-censor.yaml",
    "testbed inspect capture.pcapng --profile ru-tw-2021a": "packets",
    "testbed probe ttl 2021-03-10": "hop",
}
"""What some of them are to say."""

_COMMAND = re.compile(
    r"(?:testbed|make|sudo|python3|pipx|printf|wireshark|podman|docker|vagrant|(?:venv|testbed)/bin/\w+)(?: |$)"
)


def blocks(document: Path) -> list[list[str]]:
    """The indented blocks of a document, line by line, but for those in fences and in lists, and for scripts."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"(?:(?<=\n\n)|\A)((?: {4}.*\n)+)", text)
    joined = [re.sub(r"\\\n +", "", block) for block in found if not block.startswith("    #!")]
    return [[line[4:] for line in block.splitlines()] for block in joined]


def commands(document: Path) -> list[str]:
    """What a document says to type, in its order, without the prompts and comments."""
    lines = [line for block in blocks(document) for line in block]
    stripped = [re.sub(r"\s+#\s.*", "", line.removeprefix("$ ")) for line in lines]
    return [line for line in stripped if _COMMAND.match(line)]


class Desk(NamedTuple):
    """A folder with what the documents speak of, and ``testbed`` on the path."""

    folder: Path
    path: str

    def type(self, command: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PATH": self.path, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            ["sh", "-c", command], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, check=False, timeout=300,
        )  # fmt: skip


_PROGRAMS = {
    "my-detector": "#!/bin/sh\nprintf '{}' >\"$2\"\n",
    "my-search": '#!/bin/sh\nexec curl --curves X25519 -so /dev/null "$2"\n',
    "probe-names": '#!/bin/sh\nwhile read -r name; do curl --curves X25519 -so /dev/null "https://$name/"; done\n',
    "tool": '#!/bin/sh\necho \'{"outcome": "throttled", "why": "it looks like it"}\'\n',
    "testbed": f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m testbed.cli "$@"\n',
}
_SUITE = """\
format: 1
title: Two conditions
about: So that no test of the documents needs twelve.
development:
  policed: {scenario: throttling/policed, draws: 1}
  clean: {scenario: confounders/clean, draws: 1}
"""


@pytest.fixture
def desk(short_run: Path, tmp_path: Path) -> Desk:
    shutil.copytree(short_run, tmp_path / "RUN")
    (tmp_path / "my-run").symlink_to("RUN")
    shutil.copy(short_run / "captures/mobile-client.pcapng", tmp_path / "capture.pcapng")
    for name in ("docs", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "docs/how-to/steady_detector.py", tmp_path / "my_detector.py")
    (tmp_path / "smoke.yaml").write_text(_SUITE)
    (tmp_path / "my-names.txt").write_text("twitter.com\nthrottletwitter.com\n")
    how_to = (ROOT / "docs/how-to/write-a-scenario.md").read_text()
    (censor,) = re.findall(r"```yaml\n(based_on: .*?)```", how_to, re.DOTALL)
    (tmp_path / "my-censor.yaml").write_text(censor)
    (within,) = re.findall(r"^ {4}(censors:\n(?: {4}.*\n)+)", how_to, re.MULTILINE)
    scenario = (ROOT / "scenarios/history/2021-03-10.yaml").read_text()
    scenario = re.sub(r"^(?:recordings|measurements|censors):.*\n(?:[ #-].*\n|\n)*", "", scenario, flags=re.MULTILINE)
    scenario += f"measurements: [{_FETCH}]\n" + re.sub(r"^ {4}", "", within, flags=re.MULTILINE)
    for name in ("my.yaml", "my-scenario.yaml"):
        (tmp_path / name).write_text(scenario)
    for name, text in _PROGRAMS.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return Desk(tmp_path, f"{tmp_path}:{os.environ['PATH']}")


@pytest.fixture(scope="module")
def short_run(run_scenario: Runner) -> Path:
    return run_scenario("recordings=[]", f"measurements=[{_FETCH}]").path


@pytest.fixture(scope="module")
def done() -> set[str]:
    """What another document has shown to work: a second time it would do the same."""
    return set()


@pytest.mark.parametrize("document", TYPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_says_can_be_typed(desk: Desk, done: set[str], document: Path) -> None:
    for command in commands(document):
        if command in NOT_RUN or command in done:
            continue
        ended = desk.type(shorter(command))
        said = f"{command}\n{ended.stdout}{ended.stderr}"
        assert ended.returncode == 0, said
        assert "Traceback" not in said
        assert SAYS.get(command, "") in said.partition("\n")[2]
        if " -o " not in command:  # what it made may be needed again
            done.add(command)


def shorter(command: str) -> str:
    for long, short in SHORTER.items():
        command = re.sub(long, short, command)
    return command


def test_modules_that_the_boxes_need_are_named_to_users_of_plain_mininet() -> None:
    assert _LOADS in commands(ROOT / "docs/how-to/use-plain-mininet.md")


def test_pipx_is_given_one_folder_whatever_its_name(tmp_path: Path) -> None:
    wheels = tmp_path / "a b ü" / "dist"
    wheels.mkdir(parents=True)
    (tmp_path / "pipx").write_text('#!/bin/sh\nprintf %s "${2#--pip-args=}"\n')  # pipx reads that as a shell would
    (tmp_path / "pipx").chmod(0o755)
    given = subprocess.run(
        ["sh", "-c", _PIPX], cwd=wheels.parent, env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert shlex.split(given.stdout) == ["--find-links", str(wheels)]


def test_what_is_said_of_commands_is_said_of_commands_that_are_there() -> None:
    typed = {command for document in TYPED for command in commands(document)}
    assert len(typed) > 50
    assert {*NOT_RUN, *SAYS} - typed == set()
    tests = {path for reason in NOT_RUN.values() for path in re.findall(r"tests/[\w/.]+\w", reason)}
    assert [path for path in tests if not (ROOT / path).exists()] == []
    assert [long for long in SHORTER if not any(re.search(long, command) for command in typed - {*NOT_RUN})] == []


@pytest.mark.parametrize("document", TYPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_block_with_commands_has_nothing_else(document: Path) -> None:
    """So that no program which `_COMMAND` does not know is left out. A block with a prompt shows what was said, too."""
    with_commands = [block for block in blocks(document) if any(map(_COMMAND.match, block))]
    assert [line for block in with_commands for line in block if not _COMMAND.match(line)] == []


@pytest.mark.parametrize("document", READ, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_parser_takes_what_a_document_says(document: Path) -> None:
    for command in commands(document):
        for before, typed in re.findall(r"(xargs [^|]*)?(?<![\w/.-])testbed ((?:'[^']*'|[^|'])+)", command):
            words = shlex.split(re.split(r" -- | >|\|\|", typed)[0])
            words += ["WORD"] if before else []  # that xargs puts there
            assert make_parser().parse_args(words).command, command


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "Say:\n\n    testbed list engines   # all\n    $ testbed doctor\n",
            ["testbed list engines", "testbed doctor"],
        ),
        ("```\n    testbed list engines\n```\n", []),
        ("    testbed show '#1'\n", ["testbed show '#1'"]),
        ("- item\n    testbed list engines\n", []),
        ("Say:\n\n    client ping origin\n    testbeds are many\n", []),
    ],
)
def test_commands_are_found(tmp_path: Path, text: str, found: list[str]) -> None:
    (tmp_path / "page.md").write_text(text)
    assert commands(tmp_path / "page.md") == found
