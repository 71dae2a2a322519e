"""The command line: exit statuses, and what goes to stdout and stderr, in good times and bad."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from testbed.cli import main, runs
from testbed.cli.arguments import make_parser
from testbed.cli.examples import EXAMPLES
from testbed.doctor import Check
from testbed.engine.kernel import KernelInfo
from testbed.scenario import library
from tests.records.build import CHECKS, manifest, transfer, write_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Runner

REPOSITORY = Path(__file__).resolve().parents[2]
TWITTER, EXAMPLE = "{fetch: twitter.com, role: target, size: 60 kB}", "{fetch: example.com, role: control, size: 60 kB}"
SMALL = [
    "--set", "recordings=[]", "--set", "lines=[{name: mobile, kind: mobile, tspu: true}]",
    "--set", f"measurements=[{TWITTER}, {EXAMPLE}]",
]  # fmt: skip
TRANSFER_KEYS = [
    "name", "line", "sni", "direction", "role", "ok", "bytes", "duration_s", "goodput_bps", "handshake_s", "throttled",
    "rule", "drops", "hello", "error",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _keep_the_signal_handler() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def command(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command as a program of its own."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    argv = [sys.executable, "-m", "testbed.cli", *arguments]
    return subprocess.run(argv, text=True, check=False, env=environment, stderr=subprocess.PIPE, **options)


def status(*arguments: str) -> int:
    """The exit status of a command, run here."""
    try:
        return main(arguments)
    except SystemExit as end:
        return int(end.code or 0)


# Bad input.


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["dance"], "invalid choice: 'dance'"),
        (["run"], "the following arguments are required: scenario"),
        (["run", "nosuch"], "testbed: no scenario 'nosuch'; there are: "),
        (["run", "2021-03-10", "--set", "titel=x"], "--set titel=x: titel: unknown key; remove it or correct"),
        (["run", "2021-03-10", "--set", "title"], "--set 'title': expected key=value, as in date="),
        (["run", "2021-03-10", "--set", "date=2021-13-45"], "'2021-13-45' is no timestamp"),
        (["run", "2021-03-10", "--set", "measurements.0.at=290"], "measurements.0.at: expected a duration such as"),
        (["run", "2021-03-10", "--set", "measurements.0.timeout=0 s"], "measurements.0.timeout: expected greater than"),
        (["run", "2021-03-10", "--seed", "0"], "expected a whole number from 1 to 2**63 - 1, got '0'"),
        (["run", "2021-03-10", "--seed", "many"], "expected a whole number from 1 to 2**63 - 1, got 'many'"),
        (["run", "2021-03-10", "--seed", str(1 << 63)], "expected a whole number from 1 to 2**63 - 1"),
        (["run", "2021-03-10", "--engine", "warp"], "invalid choice: 'warp' (choose from"),
        (["run", "2021-03-10", "--watchdog", "0"], "expected a number of seconds, got '0'"),
        (["run", "2021-03-10", "--watchdog", "nan"], "expected a number of seconds, got 'nan'"),
        (["run", "2021-03-10", "--watchdog", "soon"], "expected a number of seconds, got 'soon'"),
        (["report", "nosuch"], "testbed: nosuch is no run directory: manifest.json: No such file or directory"),
        (["inspect", "a.pcap"], "the following arguments are required: --profile"),
        (["inspect", "nosuch.pcap", "--profile", "ru-tw-2021a"], "nosuch.pcap: cannot be read: No such file"),
        (["inspect", "README.md", "--profile", "ru-tw-2021a"], "README.md: not a capture at byte 0: it begins with "),
        (["inspect", "README.md", "--profile", "nosuch"], "testbed: no profile 'nosuch'; there are: "),
        (["inspect", "README.md", "--profile", "ru-tw-2021a", "--inside", "home"], "expected a prefix such as"),
        (["show", "nosuch"], "testbed: nothing is called 'nosuch'; there are: "),
        (["list", "planets"], "invalid choice: 'planets'"),
        (["schema", "planet"], "invalid choice: 'planet'"),
        (["kernel", "destroy"], "invalid choice: 'destroy'"),
        (["conformance", "--profile", "nosuch"], "nothing was published about a profile 'nosuch'"),
        (["list", "scenarios", "--", "true"], "only 'testbed run' takes a command after --"),
    ],
)  # fmt: skip
def test_input_that_cannot_be_used_ends_with_status_2_and_says_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], problem: str
) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert status(*arguments) == 2
    output = capsys.readouterr()
    assert problem in output.err
    assert output.out == ""


@pytest.mark.parametrize(
    ("was", "becomes", "problem"),
    [
        ("title:", "titel:", "titel: unknown key; remove it or correct its spelling"),
        ("20 s, at: 290 s", "20 s, at: 290", "measurements.12.at: expected a duration such as '95 ms', got 290"),
        ("size: 383 kB", "size: 383 kbit/s", "recordings.0.size: expected a size such as '383 kB', got '383 kbit/s'"),
        ("topology: russia2021", "topology: atlantis", "network.topology: no topology 'atlantis'; there are: "),
        ("tspu: ru-tw-2021", "tspu: nosuch", "censors.tspu: no censor profile or family 'nosuch'; there are: "),
        ("fetch: t.co", "fetch: t.com", "measurements.4.fetch: no origin serves t.com; add it to an origin's 'serves'"),
        ("format: 1", "format: 1\nformat: 1", "the key 'format' stands twice"),
    ],
)  # fmt: skip
def test_a_scenario_that_cannot_be_used_is_refused_with_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, was: str, becomes: str, problem: str
) -> None:
    text = library.find("scenarios", "2021-03-10").read_text()
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(was, becomes))
    line = text[: text.index(was)].count("\n") + 1 + becomes.count("\n")
    assert status("run", str(path)) == 2
    assert f"{path}:{line}: {problem}" in capsys.readouterr().err


def test_a_file_with_the_ending_of_a_scenario_that_is_none_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text("[1, 2")
    assert status("run", str(tmp_path / "a.yaml")) == 2
    assert "a.yaml:1: not YAML: " in capsys.readouterr().err


# What the machine lacks.


def test_without_a_kernel_and_its_source_the_status_is_3_and_the_command_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("testbed.engine.kernel.build.find_source", lambda: None)
    monkeypatch.setattr("testbed.engine.kernel.source.find_source", lambda _: None)
    monkeypatch.chdir(tmp_path)
    assert status("run", "2021-03-10") == 3
    assert "apt-get install linux-source-6.12" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def pretended_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A kernel that is said to be there; what happens before the guest starts needs no other."""
    program = tmp_path / "linux"
    info = KernelInfo(path=program, hash="0", version="", source="", options=(), size_bytes=0, built="")
    monkeypatch.setattr("testbed.engine.kernel.ensure_kernel", lambda **_: program)
    monkeypatch.setattr("testbed.engine.kernel.kernel_info", lambda: info)
    return program


@pytest.mark.usefixtures("pretended_kernel")
def test_without_a_program_of_the_guests_the_status_is_3_and_nothing_is_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("testbed.engine.prepare.programs.GUEST_PATH", str(tmp_path))
    assert status("run", "2021-03-10", "-o", str(tmp_path / "run")) == 3
    assert (
        "not on this machine: curl, nft, nginx, openssl; run: sudo apt-get install curl nftables nginx-light openssl"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("ok", "required", "expected"), [(True, True, 0), (False, False, 0), (False, True, 3)])
def test_doctor_ends_with_status_3_if_something_required_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, ok: bool, required: bool, expected: int
) -> None:
    check = Check("nft", ok=ok, found="not found", remedy="sudo apt-get install nftables", required=required)
    monkeypatch.setattr("testbed.doctor.diagnose", lambda: [check])
    assert status("doctor") == expected
    assert "nft" in capsys.readouterr().out
    assert status("doctor", "--json") == expected
    assert json.loads(capsys.readouterr().out) == [
        {"name": "nft", "ok": ok, "found": "not found", "remedy": "sudo apt-get install nftables", "required": required}
    ]


# Where a run cannot be written.


@pytest.mark.usefixtures("pretended_kernel")
@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("file/run", "Not a directory; choose another folder with -o"),
        ("file", "File exists; choose another folder with -o"),
        ("full", "is not empty; runs are never overwritten: choose another folder with -o"),
        ("x" * 300, "File name too long; choose another folder with -o"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_with_the_remedy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, output: str, problem: str
) -> None:
    monkeypatch.setattr("testbed.engine.run.require_programs", lambda _: None)
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").touch()
    assert status("run", "2021-03-10", "-o", str(tmp_path / output)) == 2
    assert problem in capsys.readouterr().err
    assert [each.name for each in (tmp_path / "full").iterdir()] == ["precious"]
    assert not list(tmp_path.glob("*/.guest"))


@pytest.mark.parametrize("arguments", [["report", "{run}", "-o", "{file}/x"], ["report", "{run}", "-o", "{file}"]])
def test_a_report_that_cannot_be_written_is_an_error_and_no_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str]
) -> None:
    write_run(tmp_path / "run")
    (tmp_path / "file").touch()
    arguments = [*arguments, "--even-if-invalid"]  # a run made by hand has no captures
    assert status(*(each.format(run=tmp_path / "run", file=tmp_path / "file") for each in arguments)) == 2
    assert f"testbed: cannot write to {tmp_path / 'file'}" in capsys.readouterr().err


def test_a_conformance_table_that_cannot_be_written_is_an_error_and_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("testbed.conformance.run", lambda *_: [])
    assert status("conformance", "-o", str(tmp_path / "no" / "table.md")) == 2
    assert "table.md: No such file or directory; choose another file with -o" in capsys.readouterr().err


@pytest.mark.parametrize("state", ["running", "incomplete"])
def test_a_run_that_died_has_no_report(capsys: pytest.CaptureFixture[str], tmp_path: Path, state: str) -> None:
    write_run(tmp_path / "run", state=state, problems=["the guest hung"] if state == "incomplete" else [])
    assert status("report", str(tmp_path / "run")) == 4
    error = capsys.readouterr().err
    assert "do not score this run" in error
    assert ("the guest hung" in error) is (state == "incomplete")


def test_a_reader_that_leaves_early_gets_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    result = command("list", "profiles", stdout=write)
    os.close(write)
    assert (result.returncode, result.stderr) == (1, "")


def test_output_to_a_full_disk_is_an_error_and_no_traceback() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this machine has no /dev/full; make it with: mknod /dev/full c 1 7")
    with Path("/dev/full").open("w") as full:
        result = command("schema", "scenario", stdout=full)
    assert (result.returncode, result.stderr) == (1, "testbed: [Errno 28] No space left on device\n")


# Lists and descriptions.


@pytest.mark.parametrize("kind", ["scenarios", "topologies", "profiles", "detectors"])
def test_lists_are_one_name_a_line_and_one_json_list(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    assert status("list", kind) == 0
    lines = capsys.readouterr().out.splitlines()
    assert status("list", kind, "--json") == 0
    assert json.loads(capsys.readouterr().out) == lines != []


@pytest.mark.parametrize(
    ("name", "text", "key"),
    [
        ("2021-03-10", "10 March 2021, the first day of the Twitter slowdown", "phases"),
        ("russia2021", "box_after_hop", "parameters"),
        ("ru-tw-2021a", "meter.token_bucket.rate_bps", "evidence"),
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


def test_kernel_info_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("kernel", "info", "--json") == 0
    assert set(json.loads(capsys.readouterr().out)) == {
        "path", "hash", "version", "source", "size_bytes", "built", "options",
    }  # fmt: skip


def test_an_unnamed_run_gets_a_folder_that_is_not_there_yet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/runs/a-seed7-1").mkdir(parents=True)
    assert runs.new_run_folder("a", 7) == Path("results/runs/a-seed7-2")


def test_runs_at_once_take_folders_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    folders = [runs.new_run_folder("a", 7) for _ in range(3)]  # nothing has been written to any of them yet
    assert len(set(folders)) == 3


def test_a_terminal_that_lacks_characters_is_written_to_all_the_same() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "testbed.cli", "show", "ru-tw-2021a"],
        capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": "latin-1"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert b"ru-tw-2021a" in result.stdout


@pytest.mark.parametrize("name", [*EXAMPLES, "run", "probe"])
def test_the_help_of_a_command_has_examples(capsys: pytest.CaptureFixture[str], name: str) -> None:
    with pytest.raises(SystemExit):
        main([name, "--help"])
    assert "\nexamples:\n" in capsys.readouterr().out


def test_an_example_of_the_help_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """By the parser: whatever it names need not be there."""
    del capsys
    for example in itertools.chain(*EXAMPLES.values()):
        words = shlex.split(re.split(r"[>|]", example.split("| ")[-1])[0])
        assert make_parser().parse_args(words[1:]).command


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


# Whole runs, pretended.


def pretend(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    monkeypatch.setattr("testbed.engine.run.run_plan", lambda *_, **__: manifest(**changes))


@pytest.mark.usefixtures("pretended_kernel")
def test_an_invalid_run_ends_with_status_4_and_says_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, valid=False, problems=["the guest was starved"])
    assert status("run", "2021-03-10", "-o", "somewhere") == 4
    output = capsys.readouterr()
    assert "INVALID, do not score this run:\n  the guest was starved" in output.out
    assert output.err == "invalid run: the guest was starved\n"


@pytest.mark.usefixtures("pretended_kernel")
def test_an_invalid_run_says_so_in_its_json_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, valid=False, problems=["the guest was starved"])
    assert status("run", "2021-03-10", "-o", "somewhere", "--json") == 4
    assert json.loads(capsys.readouterr().out) == {
        "run": "somewhere", "valid": False, "problems": ["the guest was starved"], "checks": CHECKS,
        "notes": None, "seed": 7, "emulated_s": 290.4, "wall_s": 5.8,
        "transfers": [{key: transfer()[key] for key in TRANSFER_KEYS}],
    }  # fmt: skip


# Whole runs, in a guest.


@dataclass(frozen=True)
class Call:
    """A finished command, and where its run is."""

    folder: Path
    result: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def json_run(run_scenario: Runner, tmp_path_factory: pytest.TempPathFactory) -> Call:
    """A small run by the command line, in a folder with a space in its name."""
    assert callable(run_scenario)  # skips where there is no kernel
    folder = tmp_path_factory.mktemp("with space") / "my run"
    arguments = ["run", "2021-03-10", *SMALL, "--seed", "7", "-o", str(folder), "--json"]
    return Call(folder, command(*arguments, stdout=subprocess.PIPE))


def test_json_is_one_object_with_the_documented_keys(json_run: Call) -> None:
    assert json_run.result.returncode == 0
    printed = json.loads(json_run.result.stdout)
    assert list(printed) == ["run", "valid", "problems", "checks", "notes", "seed", "emulated_s", "wall_s", "transfers"]
    assert [list(each) for each in printed["transfers"]] == [TRANSFER_KEYS] * 2
    assert (printed["run"], printed["valid"], printed["seed"]) == (str(json_run.folder), True, 7)
    assert [(each["sni"], each["throttled"], each["rule"] is None) for each in printed["transfers"]] == [
        ("twitter.com", True, False),
        ("example.com", False, True),
    ]


def test_progress_goes_to_stderr(json_run: Call) -> None:
    assert "building the network" in json_run.result.stderr
    assert "checking the records" in json_run.result.stderr


def test_a_run_folder_that_exists_is_refused_and_left_alone(json_run: Call) -> None:
    before = (json_run.folder / "manifest.json").read_bytes()
    result = command("run", "2021-03-10", "-o", str(json_run.folder), stdout=subprocess.PIPE)
    assert result.returncode == 2
    assert "is not empty; runs are never overwritten" in result.stderr
    assert (json_run.folder / "manifest.json").read_bytes() == before


def test_a_report_names_the_files_that_it_wrote(
    capsys: pytest.CaptureFixture[str], json_run: Call, tmp_path: Path
) -> None:
    assert status("report", str(json_run.folder), "-o", str(tmp_path / "report")) == 0
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert paths[0] == tmp_path / "report" / "report.html"
    assert all(path.is_file() for path in paths)


def test_inspect_tells_event_by_event_as_text_or_as_json(capsys: pytest.CaptureFixture[str], json_run: Call) -> None:
    capture = str(json_run.folder / "captures" / "mobile-tspu-inside.pcapng")
    arguments = ["inspect", capture, "--profile", "ru-tw-2021a", "--inside", "100.64.0.0/10"]
    assert status(*arguments) == 0
    text = capsys.readouterr().out
    assert "throttling_started" in text
    assert text.splitlines()[-1].endswith("dropped")
    assert status(*arguments, "--json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"flow_opened", "rule_matched", "throttling_started"} <= {each["event"] for each in events}


def test_a_commands_output_and_status_are_passed_on(run_scenario: Runner, tmp_path: Path) -> None:
    assert callable(run_scenario)  # skips where there is no kernel
    result = command(
        "run", "2021-03-10", *SMALL, "-o", str(tmp_path / "run"), "--",
        "sh", "-c", "echo out; echo err >&2; exit 7", stdout=subprocess.PIPE,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (7, "out\n")
    assert "\nerr\n" in result.stderr
    assert f"run directory: {tmp_path / 'run'}" in result.stderr


def test_a_command_that_is_not_there_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for name in ("/no/such", "no-such-program", str(tmp_path)):
        result = command("run", "2021-03-10", "-o", str(folder), "--", name, stdout=subprocess.PIPE)
        assert (result.returncode, result.stdout) == (2, "")
        assert f"the command {name!r}" in result.stderr
        assert not folder.exists()


IN_THREE_MEGABYTES = """
set -e
mount -t tmpfs -o size=3m none "$1"
set +e
"$2" -m testbed.cli run 2021-03-10 -o "$1/run"
echo "status $?"
"$2" - "$1/run" <<'END'
import json, pathlib, sys
from testbed.records.run import RunDirectory
run = RunDirectory.open(pathlib.Path(sys.argv[1]))
print(json.dumps([run.manifest(), len(run.measurements()), len(run.truth())]))
END
"""


def test_a_full_disk_ends_a_run_with_a_clear_error_and_readable_records(run_scenario: Runner, tmp_path: Path) -> None:
    assert callable(run_scenario)  # skips where there is no kernel
    own_mounts = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*own_mounts, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no small disk can be made; allow user namespaces: sysctl kernel.unprivileged_userns_clone=1")
    result = subprocess.run(
        [*own_mounts, "sh", "-c", IN_THREE_MEGABYTES, "sh", str(tmp_path), sys.executable],
        text=True, check=False, capture_output=True, env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert f"the disk that holds {tmp_path}/run is full: free some space, or choose another folder" in result.stderr
    first, second = result.stdout.splitlines()
    assert first == "status 4"
    written, measurements, truth = json.loads(second)
    assert (written["state"], written["valid"]) == ("incomplete", False)
    assert "is full" in written["problems"][0]
    assert min(measurements, truth) > 5
