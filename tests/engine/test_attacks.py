"""What a program tries against the host and against the truth: nothing outside is changed, nothing hangs."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from testbed.engine.prepare.command import UserCommand
from testbed.errors import InvalidRunError
from testbed.records.run import RunDirectory

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FinishedRun, Runner

SMALL = ("recordings=[]", "lines=[{name: mobile, kind: mobile, tspu: true}]")
PLAIN = "import urllib.request; urllib.request.urlopen('https://twitter.com/383000.bin').read()\n"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of the user's that no program in the guest may change."""
    path = tmp_path / "victim"
    path.write_text("precious")
    path.chmod(0o644)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    return path


def is_untouched(victim: Path) -> bool:
    status = victim.stat()
    return (victim.read_text(), status.st_mode & 0o777, status.st_mtime, status.st_uid) == (
        "precious", 0o644, 1_000_000_000, os.getuid(),
    )  # fmt: skip


def attack(run_scenario: Runner, folder: Path, script: str, *, privileged: bool = False) -> FinishedRun:
    (folder / "attack.py").write_text(script)
    python = sys.executable if not privileged else "/usr/bin/python3"
    command = UserCommand([python, str(folder / "attack.py")], folder=folder, privileged=privileged)
    return run_scenario(*SMALL, user_command=command)


PLANT = """
import os, socket
{plain}
os.chdir("/run/output")
def attempt(what, *arguments):
    try: what(*arguments)
    except OSError as error: print(error)
for name in ("manifest.json", "manifest.json.partial", "report.html.partial", "truth.jsonl", "link"):
    attempt(os.symlink, {victim!r}, name)
attempt(os.symlink, "/dev/zero", "zero")
attempt(os.mkfifo, "fifo")
attempt(os.mkfifo, "tls-secrets.txt")
attempt(os.mknod, "device", 0o20666, os.makedev(1, 5))
attempt(os.link, {victim!r}, "hard")
attempt(os.symlink, "..", "up")
attempt(os.mkdir, "deep")
open("deep/kept", "w").write("kept")
with open("sparse", "wb") as file: attempt(file.truncate, 1 << 40)
for path in ("..", "../..", "/run", {run!r}):
    attempt(lambda: open(os.path.join(path, "escaped"), "w").close())
for call in (os.chmod, os.utime):
    attempt(call, {victim!r}, 0o600 if call is os.chmod else None)
"""


def test_what_a_program_plants_in_its_folder_is_not_followed(
    run_scenario: Runner, tmp_path: Path, victim: Path
) -> None:
    script = PLANT.format(plain=PLAIN, victim=str(victim), run=str(tmp_path))
    run = attack(run_scenario, tmp_path, script)
    assert run.manifest["valid"] is True
    assert is_untouched(victim)
    taken = sorted(str(path.relative_to(run.path)) for path in (run.path / "output").rglob("*"))
    assert "output/deep/kept" in taken
    assert not any((run.path / name).is_symlink() for name in taken)
    assert not {"output/fifo", "output/device", "output/link", "output/zero"} & set(taken)
    assert not list(tmp_path.rglob("escaped"))
    assert any("link" in note for note in run.manifest["notes"])


SPY = """
import os, subprocess, sys
{plain}
seen = []
for root in ("/run", "/dev", "/proc/1", {runs!r}):
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if name in ("truth.jsonl", "plan.json", "command.json", "ttyS0") or name.endswith(".pcap"):
                seen.append(path)
for pid in filter(str.isdecimal, os.listdir("/proc")):
    command = open(f"/proc/{{pid}}/cmdline", "rb").read().replace(b"\\0", b" ").decode()
    if "nginx" in command or "testbed.guest" in command and pid != "1": seen.append(command)
root = next(line.split()[3].split(",") for line in open("/proc/mounts") if line.split()[1] == "/")
if not {{"ro", "nodev", "nosuid"}} <= set(root): seen.append(root)
for path in ("/etc/shadow", "/etc/shadow-", "/etc/gshadow-"):
    if os.path.exists(path) and (os.path.getsize(path) or os.stat(path).st_uid): seen.append(path)
try: seen.append(open("/dev/ttyS0", "wb"))
except OSError: pass
try: os.mknod("/run/tmp/ttyS0", 0o20666, os.makedev(4, 64)); seen.append("made ttyS0")
except OSError: pass
for call in (["mount", "-t", "hostfs", "none", "/mnt", "-o", "/"], ["umount", "/run"], ["kill", "-9", "-1"]):
    if call[0] != "kill" and subprocess.run(call, capture_output=True).returncode == 0: seen.append(call)
print(seen)
sys.exit(bool(seen))
"""


def test_a_program_sees_neither_plan_nor_truth_nor_other_processes(run_scenario: Runner, tmp_path: Path) -> None:
    run = attack(run_scenario, tmp_path, SPY.format(plain=PLAIN, runs=str(tmp_path.parent)))
    assert run.manifest["certificate"]["command_status"] == 0, (run.path / "command.stdout").read_text()
    assert run.manifest["valid"] is True


AS_ROOT = """
import os, subprocess
def attempt(what, *arguments):
    try: what(*arguments)
    except OSError as error: print(error)
os.makedirs("/run/host")
subprocess.run(["mount", "-t", "hostfs", "none", "/run/host", "-o", "/"])
path = "/run/host" + {victim!r}
attempt(os.chmod, path, 0o600)
attempt(os.chown, path, 1, 1)
attempt(os.utime, path)
attempt(os.truncate, path, 0)
attempt(os.unlink, path)
attempt(lambda: open(path, "a").write("x"))
attempt(os.rename, path, path + "2")
attempt(os.mknod, "/run/output/device", 0o20666, os.makedev(1, 5))
attempt(os.mknod, "/run/host" + {victim!r} + "3", 0o20666, os.makedev(1, 5))
"""


def test_root_in_the_guest_changes_nothing_on_the_host(run_scenario: Runner, tmp_path: Path, victim: Path) -> None:
    before = sorted(tmp_path.iterdir())
    run = attack(run_scenario, tmp_path, AS_ROOT.format(victim=str(victim)), privileged=True)
    if run.manifest["landlock"] == 0:
        pytest.skip("this machine's kernel has no Landlock; boot one of 5.13 or later with lsm=landlock")
    assert is_untouched(victim)
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "attack.py"])


@pytest.mark.parametrize(
    "deed",
    [
        "os.unlink('truth.jsonl')",
        "os.unlink('truth.jsonl'); os.symlink({victim!r}, 'truth.jsonl')",
        "os.unlink('truth.jsonl'); os.mkfifo('truth.jsonl')",
        "os.unlink('measurements.jsonl'); os.symlink('/dev/zero', 'measurements.jsonl')",
        "open('truth.jsonl', 'w').write('nonsense\\n')",
        "open('truth.jsonl', 'w').write('[1]\\n')",
        'open("truth.jsonl", "w").write(\'{{"event": "flow_opened"}}\\n\')',
        'open("measurements.jsonl", "w").write(\'{{"t": 1}}\\n\')',
        "os.rename('captures', 'other'); os.symlink({folder!r}, 'captures')",
        "os.unlink('captures/mobile-client.pcap')",
        "open('captures/mobile-client.pcap', 'w').write('nonsense')",
        "os.unlink('captures/origin-server.pcap'); os.symlink({victim!r}, 'captures/origin-server.pcap')",
    ],
)
def test_records_that_are_missing_or_forged_make_the_run_invalid(
    run_scenario: Runner, tmp_path: Path, victim: Path, deed: str
) -> None:
    """As root in the guest, after some traffic; a user's program cannot get that far."""
    script = (
        "import os, subprocess\n"
        "subprocess.run(['curl', '-so', '/dev/null', '--cacert', '/run/output/ca.pem', 'https://twitter.com/383000.bin'])\n"
        "os.chdir('/run/output')\n" + deed.format(victim=str(victim), folder=str(tmp_path)) + "\n"
    )
    with pytest.raises(InvalidRunError):
        attack(run_scenario, tmp_path, script, privileged=True)
    assert is_untouched(victim)


@pytest.mark.parametrize(
    ("name", "said"),
    [("nginx", "nginx on "), ("middlebox", "the middlebox mobile-tspu"), ("capturing", "the capturing process")],
)
def test_a_part_of_the_world_that_dies_ends_the_run_at_once(
    run_scenario: Runner, tmp_path: Path, request: pytest.FixtureRequest, name: str, said: str
) -> None:
    if name == "nginx":
        request.getfixturevalue("nginx")
    script = f"""
import os, signal, time
for pid in sorted(map(int, filter(str.isdecimal, os.listdir("/proc")))):
    if {name!r} in open(f"/proc/{{pid}}/comm").read():
        os.kill(pid, signal.SIGKILL); break
time.sleep(1000)
"""
    with pytest.raises(InvalidRunError, match=f"{said}.* ended before the run did"):
        attack(run_scenario, tmp_path, script, privileged=True)


ELSEWHERE = """
import subprocess
print(subprocess.run("ip link add here link-netnsid 0 type veth peer name there", shell=True).returncode)
"""


def test_a_program_makes_no_link_in_the_node_beside_its_own(run_scenario: Runner, tmp_path: Path) -> None:
    run = attack(run_scenario, tmp_path, PLAIN + ELSEWHERE)
    assert (run.path / "command.stdout").read_text() == "2\n"
    assert run.manifest["valid"] is True
    assert run.manifest["certificate"]["network"]["changed_by_command"] == []


def test_what_a_program_changed_on_its_own_node_is_said(run_scenario: Runner, tmp_path: Path) -> None:
    run = attack(
        run_scenario, tmp_path, "import os\nos.system('tc qdisc del dev eth0 root; ip link add x type veth')\n"
    )
    (about,) = (each["about"] for each in run.manifest["checks"] if each["check"] == "network")
    assert "until the command changed its own node" in about
    assert "no netem there" in about
    assert "interfaces: planned ['eth0', 'lo']" in about


def test_a_run_whose_link_a_program_removed_is_not_valid(run_scenario: Runner, tmp_path: Path) -> None:
    with pytest.raises(InvalidRunError, match=r"did not stay as planned: .*mobile-r1:eth0: the interface is gone"):
        attack(run_scenario, tmp_path, PLAIN + "import os; os.system('ip link del eth0')\n")


FILTERED = """
import os, socket
os.system("nft 'table ip own { chain out { type filter hook output priority 0; udp sport 53 drop; }; }'")
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.settimeout(1)
asking.sendto(bytes.fromhex("000101000001000000000000076578616d706c6503636f6d0000010001"), ("127.0.0.1", 53))
try: asking.recv(512)
except TimeoutError: print("no answer")
"""


@pytest.mark.skipif(shutil.which("nft") is None, reason="no nft; run: apt-get install nftables")
def test_answers_that_a_programs_own_filter_refuses_are_lost(run_scenario: Runner, tmp_path: Path) -> None:
    run = attack(run_scenario, tmp_path, PLAIN + FILTERED)
    assert (run.path / "command.stdout").read_text() == "no answer\n"
    assert run.manifest["valid"] is True


FILL = """
import os
open("/dev/shm/x", "wb").write(b"x" * (200 << 20))
for folder in ("/tmp", "/home", "/srv", "/mnt", "/var/tmp"):
    with open(folder + "/x", "wb") as file:
        for _ in range(200): file.write(b"x" * (1 << 20))
"""


def test_files_of_a_program_cannot_fill_the_guests_memory(run_scenario: Runner, tmp_path: Path) -> None:
    run = attack(run_scenario, tmp_path, FILL)
    assert run.manifest["certificate"]["command_status"] == 1
    assert "No space left on device" in (run.path / "command.stderr").read_text()
    assert run.manifest["valid"] is True


EAT = "eaten = []\nwhile True: eaten.append(bytearray(10_000_000))\n"


def test_a_program_that_eats_the_memory_ends_before_anything_of_the_world_does(
    run_scenario: Runner, tmp_path: Path
) -> None:
    run = attack(run_scenario, tmp_path, EAT)
    assert run.manifest["certificate"]["command_status"] == 128 + 9
    assert run.manifest["valid"] is False
    assert "ran out of memory and ended python" in run.manifest["problems"][0]


def test_a_program_that_fills_the_disk_is_ended(
    run_scenario: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("testbed.engine.uml.spool.MOST_OUTPUT_BYTES", 1 << 20)
    script = """
for number in range(1000):
    with open(f"/run/output/{number}", "wb") as file: file.write(b"x" * (1 << 20))
"""
    with pytest.raises(InvalidRunError, match="the command filled /run/output"):
        attack(run_scenario, tmp_path, script)


BOMB = """
import os, time
[available] = (line.split()[1] for line in open("/proc/meminfo") if line.startswith("MemAvailable:"))
number = 0
try:
    while True:
        if not os.fork(): time.sleep(1000)
        number += 1
except OSError as error: print(error.errno, 0.9 < number / (int(available) >> 10) < 1.1)
"""


def test_a_program_has_as_many_processes_as_there_is_memory_for(run_scenario: Runner, tmp_path: Path) -> None:
    run = attack(run_scenario, tmp_path, BOMB)
    assert (run.path / "command.stdout").read_text() == "11 True\n"
    assert run.manifest["valid"] is True


def test_output_without_end_is_bounded(run_scenario: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("testbed.engine.prepare.command.MOST_OUTPUT_BYTES", 1 << 20)
    run = attack(run_scenario, tmp_path, "import os\nwhile True: os.write(1, b'x' * 65536)\n")
    assert run.manifest["certificate"]["command_status"] in {1, 128 + 25}
    assert (run.path / "command.stdout").stat().st_size <= 1 << 20


def test_a_run_that_another_process_makes_is_told_from_a_dead_one(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run")
    run.write_manifest({"format": 1, "state": "running", "process": {"pid": os.getpid(), "started": 1}})
    assert not run.is_running()
