"""Programs of other people in the emulated network, as docs/how-to/run-your-own-program.md shows them.

All that are here run in one network, one after the other; a test looks at what one of them left.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from testbed.engine.kernel.cache import KernelInfo

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "run-your-own-program.md"
BASE = "https://example.com"


@dataclass(frozen=True)
class Program:
    """A program.

    Attributes:
        needs: Programs that have to be there.
        install: The line that installs them.
        lines: What is typed, as on the page.
        shows: What the last line prints.
    """

    needs: tuple[str, ...]
    install: str
    lines: tuple[str, ...]
    shows: str


PROGRAMS = {
    "curl": Program(
        ("curl",), "apt-get install curl",
        ("client curl -sSo /dev/null -w '%{http_code} %{size_download}\\n' https://example.com/383000.bin",),
        "200 383000",
    ),
    "wget": Program(
        ("wget",), "apt-get install wget",
        ("client wget -nv -O /dev/null https://example.com/383000.bin",), "[383000/383000]",
    ),
    "requests": Program(
        ("python3", "python3 with requests"), "pip install requests",
        ("""client python3 -c "import requests; print(len(requests.get('https://example.com/383000.bin').content))\"""",),
        "383000",
    ),
    "node": Program(
        ("node",), "apt-get install nodejs",
        ("""client node -e "fetch('https://example.com/383000.bin').then(r => console.log(r.status))\"""",), "200",
    ),
    "git": Program(
        ("git",), "apt-get install git",
        (
            "university git init -q --bare /tmp/repository",
            "university git daemon --export-all /tmp &",
            "client sleep 1; git ls-remote git://university/tmp/repository && echo reached",
        ), "reached",
    ),
    "iperf3": Program(
        ("iperf3",), "apt-get install iperf3",
        ("university iperf3 -s &", "client sleep 1; iperf3 -c university -t 3"), "iperf Done",
    ),
    "pproxy": Program(
        ("pproxy", "curl"), "pip install pproxy",
        (
            "university pproxy -l ss://aes-256-cfb:secret@0.0.0.0:8388 &",
            "client pproxy -l http://127.0.0.1:8080 -r ss://aes-256-cfb:secret@university:8388 &",
            ("client sleep 3; curl -x http://127.0.0.1:8080 -so /dev/null -w '%{speed_download}\\n' "
            "https://twitter.com/383000.bin"),
        ), "",
    ),
    "chromium": Program(
        ("chromium",), "apt-get install chromium",
        ("client chromium --headless --no-sandbox --ignore-certificate-errors --dump-dom https://example.com/",),
        "an origin of the throttling testbed",
    ),
    "firefox": Program(
        ("firefox", "certutil"), "apt-get install firefox-esr libnss3-tools",
        (
            "client certutil -N -d sql:/tmp/profile --empty-password",
            "client certutil -A -d sql:/tmp/profile -n testbed -t C,, -i /run/ca.pem",
            ("client printf 'user_pref(\"%s.enabled\", false);\\n' layers.gpu-process media.rdd-process "
            "media.utility-process network.process >/tmp/profile/user.js"),
            ("client MOZ_DISABLE_CONTENT_SANDBOX=1 MOZ_DISABLE_SOCKET_PROCESS_SANDBOX=1 timeout 120 firefox --headless "
            "--profile /tmp/profile --screenshot /run/output/page.png https://example.com/ && ls /run/output"),
        ), "page.png",
    ),
}  # fmt: skip


def missing(name: str) -> list[str]:
    """Return what a program needs and is not here."""
    return [each for each in PROGRAMS[name].needs if not _is_here(each)]


def _is_here(need: str) -> bool:
    program, _, module = need.partition(" with ")
    if shutil.which(program) is None:
        return False
    return (
        not module
        or subprocess.run([program, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, kernel: KernelInfo) -> Path:
    """A network in which all programs that are here ran one after the other; each left what its last line printed."""
    assert kernel.path is not None
    folder = tmp_path_factory.mktemp("programs") / "run"
    lines = ["client mkdir /tmp/profile"]
    for name, program in PROGRAMS.items():
        if not missing(name):
            *before, last = program.lines
            node, _, command = last.partition(" ")
            lines += [*before, f"{node} {{ {command}\n".rstrip() + f" ; }} >/run/output/{name} 2>&1"]
    argv = [sys.executable, "-m", "testbed.cli", "shell", "2021-03-10", "--memory", "2048 MiB", "-o", str(folder)]
    subprocess.run(argv, input="\n".join(lines), text=True, capture_output=True, check=False)
    return folder


def printed(name: str, run: Path) -> str:
    """Return what the last line of a program printed; skip where the program is not here."""
    if missing(name):
        pytest.skip(f"not here: {', '.join(missing(name))}; run: {PROGRAMS[name].install}")
    return (run / "output" / name).read_text(errors="replace")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs_in_the_network(name: str, run: Path) -> None:
    assert PROGRAMS[name].shows in printed(name, run)


def test_a_box_does_not_see_the_name_in_an_encrypted_tunnel(run: Path) -> None:
    """The one program that asks for twitter.com does so through the tunnel, and gets the object."""
    assert float(printed("pproxy", run)) > 0
    truth = [json.loads(line) for line in (run / "truth.jsonl").read_text().splitlines()]
    seen = {each.get("sni") for each in truth if each["event"] == "hello_seen"}
    assert "example.com" in seen
    assert "twitter.com" not in seen


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_page_shows_what_is_tried(name: str) -> None:
    page = " ".join(PAGE.read_text().replace("\\\n", " ").split())
    for line in PROGRAMS[name].lines:
        assert " ".join(line.split()) in page
