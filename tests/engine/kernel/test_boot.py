"""What the patches promise, asked of the kernel itself: booted, without the rest of the testbed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.engine.uml.stall import Activity, read_activity
from tests.engine.kernel.boot import guest_command, run_in_guest

if TYPE_CHECKING:
    from testbed.engine.kernel import KernelInfo

Reports = dict[str, str]
NOT_YET = Activity(program="", pid=0, call=None, calls=0, clock_s=0.0, kernel_s=0.0)


@pytest.fixture(scope="session")
def program(kernel: KernelInfo) -> Path:
    """The kernel's binary."""
    assert kernel.path is not None
    return kernel.path


@pytest.fixture(scope="session")
def reports(program: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reports]:
    """What the programs report, each run once."""
    return {name: run_in_guest(program, tmp_path_factory.mktemp("g"), name) for name in ("held", "spin", "present")}


@pytest.mark.parametrize("way", ["sendfile", "vmsplice", "zerocopy", "packet_ring"])
def test_what_waits_in_netem_is_what_was_sent(reports: dict[str, Reports], way: str) -> None:
    """Overwriting the pages a moment later must not change a packet that is on its way."""
    assert reports["held"][way] == "fake"


def test_what_tcp_sends_again_is_what_the_pages_hold_by_then(reports: dict[str, Reports]) -> None:
    assert reports["held"]["again"] == "true"


@pytest.mark.parametrize("loop", ["sched_yield", "poll", "recv", "getppid", "clock"])
def test_time_passes_for_a_program_that_polls(reports: dict[str, Reports], loop: str) -> None:
    assert reports["spin"][loop] == "0.5"


def test_an_ordinary_number_of_calls_costs_no_time(reports: dict[str, Reports]) -> None:
    """Two looks at the clock cost 256 ns each; five thousand calls between them nothing."""
    assert reports["spin"]["work"] == "256"


def test_a_program_that_polls_sees_the_same_in_every_run(
    reports: dict[str, Reports], program: Path, tmp_path: Path
) -> None:
    assert run_in_guest(program, tmp_path, "spin") == reports["spin"]


@pytest.mark.parametrize(("what", "answer"), [("md5sig", "accepted"), ("nft", "accepted"), ("tun", "True")])
def test_tools_that_get_around_a_box_find_what_they_need(reports: dict[str, Reports], what: str, answer: str) -> None:
    assert reports["present"][what] == answer


@pytest.mark.parametrize(
    "call",
    ["kexec_load", "init_module", "finit_module", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup"],
)
def test_a_call_that_no_guest_needs_is_not_there(reports: dict[str, Reports], call: str) -> None:
    assert reports["present"][call] == "ENOSYS"


def test_the_memory_of_the_kernel_is_no_file_of_the_guest(reports: dict[str, Reports]) -> None:
    assert reports["present"]["mem"] == "[]"
    assert reports["present"]["kcore"] == "False"


def test_the_guests_memory_lies_in_no_folder(program: Path, tmp_path: Path) -> None:
    """Neither a folder that is missing nor one that is full or noexec can stop it, and nothing can stay behind."""
    command = guest_command(program, tmp_path, "busy")
    command.insert(1, "ACTION=wait")
    environment = {"HOME": str(tmp_path), "TMPDIR": "/nonexistent"}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as guest:
        while guest.poll() is None and not (read_activity(guest.pid) or NOT_YET).calls:
            pass
        opened = {str(entry.readlink()) for entry in Path(f"/proc/{guest.pid}/fd").iterdir()}
        guest.kill()
    assert "/memfd:guest-memory (deleted)" in opened
    assert not [path for path in opened if path.startswith("/dev/shm")]  # noqa: S108
