"""Whether an hour of watching fills the memory of the classroom page's server, or of a browser.

One run is made in virtual time and told again and again, at its own pace or at a faster one, by a program in the place
of `testbed run`: server, session and browser are the real ones, and the machine need not emulate an hour. `--live` has
every run emulated at the pace of the clock on the wall. One browser draws, and more listeners are told the same.

    python benchmarks/class_hour.py [--minutes 60] [--pace 20] [--live]
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from classroom_page import listen
from playwright.sync_api import sync_playwright

from testbed.demo.growing import watched_boxes
from testbed.demo.scene import Choice, settings
from testbed.demo.server import DemoServer
from testbed.demo.session import Session
from testbed.records.capture_file import read_frames
from testbed.records.files import open_regular
from testbed.records.pcap_writer import write_pcap
from testbed.records.run import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from testbed.records.capture_file import Frame

_MB = 1e6
_CAPTURE_HEAD, _RECORD_HEAD = 24, 16
_STEP_S = 0.05
_ENDED = "['over', 'failed'].includes(phase)"


def main() -> None:
    """Serve, tell, or watch: the first two are what the last one starts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="of watching, as the runs' clock counts")
    parser.add_argument("--pace", type=float, default=20.0, help="seconds of a run told in a second")
    parser.add_argument("--live", action="store_true", help="emulate each run, at the pace of the clock on the wall")
    parser.add_argument("--listeners", type=int, default=29)
    parser.add_argument("--serve", metavar="FOLDER", help=argparse.SUPPRESS)
    if sys.argv[1:2] == ["--tell"]:
        tell(Path(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])
        return
    arguments = parser.parse_args()
    if arguments.serve:
        serve(Path(arguments.serve), arguments)
        return
    with tempfile.TemporaryDirectory(prefix="testbed-") as folder:
        if not arguments.live:
            call("run", "classroom/two-phones", "-o", f"{folder}/made", *words())
            call("detect", f"{folder}/made")
        watch(Path(folder), arguments)


def words() -> list[str]:
    """Return the settings that the page's button has."""
    return [word for each in settings(Choice()) for word in ("--set", each)]


def call(*command: str) -> None:
    """Call the command line."""
    subprocess.run([sys.executable, "-m", "testbed.cli", *command], check=True, stdout=subprocess.DEVNULL)


# --- in the place of `testbed run` -----------------------------------------------------------------------------------
def tell(made: Path, pace: float, command: list[str]) -> None:
    """Write a run directory as a run does, from one that was made before."""
    if command[0] != "run":
        return
    folder = Path(command[command.index("-o") + 1])
    output = folder / ".guest" / "output"
    (output / "captures").mkdir(parents=True)
    shutil.copy(made / "plan.json", folder)
    start_ns = RunDirectory.open(made).plan["start_ns"]
    pieces = sorted(
        (t_s, name, data) for name, told in everything(made, start_ns).items() for t_s, data in told
    )  # fmt: skip
    began = time.monotonic()
    with contextlib.ExitStack() as opened:
        files = {name: opened.enter_context((output / name).open("ab", buffering=0)) for _, name, _ in pieces}
        for t_s, name, data in pieces:
            while t_s > (time.monotonic() - began) * pace:
                time.sleep(_STEP_S)
            files[name].write(data)
    for name in ("manifest.json", "verdicts.jsonl"):
        shutil.copy(made / name, folder)


def everything(made: Path, start_ns: int) -> dict[str, list[tuple[float, bytes]]]:
    """Return what a guest writes, by file: pieces, and when each was written."""
    found: dict[str, list[tuple[float, bytes]]] = {}
    for name in ("truth.jsonl", "measurements.jsonl"):
        lines = (made / name).read_bytes().splitlines(keepends=True)
        found[name] = [(json.loads(line)["t"], line) for line in lines]
    run = RunDirectory.open(made)
    for box in watched_boxes(run.plan):
        capture = run.capture(f"{box}-inside")
        if capture is not None:
            with open_regular(capture) as file:
                found[f"captures/{box}-inside.pcap"] = list(records(list(read_frames(file)), made / "a.pcap", start_ns))
    return found


def records(frames: list[Frame], place: Path, start_ns: int) -> Iterator[tuple[float, bytes]]:
    """Yield the header and the records of a capture, as pcap."""
    write_pcap(place, frames)
    data = place.read_bytes()
    yield 0.0, data[:_CAPTURE_HEAD]
    at = _CAPTURE_HEAD
    for frame in frames:
        end = at + _RECORD_HEAD + len(frame.data)
        yield (frame.t_ns - start_ns) / 1e9, data[at:end]
        at = end


# --- the server, and what it has in memory ---------------------------------------------------------------------------
def serve(folder: Path, arguments: argparse.Namespace) -> None:
    """Serve the page; for each line on standard input, print what this process holds."""
    program = [sys.executable, __file__, "--tell", str(folder / "made"), str(arguments.pace)]
    session = Session(folder / "runs") if arguments.live else Session(folder / "runs", program)
    with DemoServer(session, address="127.0.0.1", port=0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(json.dumps([server.url(server.teacher), server.url(server.pupil)]), flush=True)
        for _ in sys.stdin:
            gc.collect()
            print(json.dumps({
                "server resident MB": resident_bytes() / _MB, "server blocks": sys.getallocatedblocks(),
                "server threads": threading.active_count(), "server files": len([*Path("/proc/self/fd").iterdir()]),
            }), flush=True)  # fmt: skip
        session.close()
        server.shutdown()


def resident_bytes() -> int:
    """Memory of this process, by /proc."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


# --- watching --------------------------------------------------------------------------------------------------------
def watch(folder: Path, arguments: argparse.Namespace) -> None:
    """Watch runs until the time is over; print what grew."""
    again = [sys.executable, __file__, "--serve", str(folder), "--pace", str(arguments.pace)]
    server = subprocess.Popen(
        [*again, *(["--live"] if arguments.live else [])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    asked, answers = server.stdin, server.stdout
    if asked is None or answers is None:
        raise SystemExit("the server has no pipes")
    teacher, pupil = json.loads(answers.readline())
    counts = [0] * arguments.listeners
    for number in range(arguments.listeners):
        threading.Thread(target=listen, args=(pupil, counts, number), daemon=True).start()
    found: list[dict[str, float]] = []
    emulated_s = 0.0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 720}, bypass_csp=True)  # to look in
        page.goto(teacher)
        while emulated_s < arguments.minutes * 60:
            began = time.monotonic()
            watch_one(page)
            emulated_s += (time.monotonic() - began) * arguments.pace
            asked.write("\n")
            asked.flush()
            held = {"minutes": emulated_s / 60, **json.loads(answers.readline()), **held_by(page)}
            found.append(held)
            print(f"run {len(found)}: " + ", ".join(f"{name} {value:.6g}" for name, value in held.items()), flush=True)
        browser.close()
    asked.close()
    server.wait()
    least, most = min(counts, default=0), max(counts, default=0)
    print(f"{arguments.listeners} more listeners were told {least} to {most} messages each")
    print_growth(found)


def watch_one(page: Page) -> None:
    """Start a run, and see it to its end."""
    page.click("#start")
    page.wait_for_function("['starting', 'running'].includes(phase)", timeout=20_000)
    page.wait_for_function(_ENDED, timeout=300_000)
    if page.evaluate("phase") == "failed":
        raise SystemExit(page.inner_text("#state"))


def held_by(page: Page) -> dict[str, float]:
    """Return what the page holds once its garbage has been collected."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("HeapProfiler.collectGarbage")
    devtools.send("Performance.enable")
    metrics = {each["name"]: each["value"] for each in devtools.send("Performance.getMetrics")["metrics"]}
    devtools.detach()
    return {
        "browser heap MB": metrics["JSHeapUsedSize"] / _MB,
        "nodes": metrics["Nodes"],
        "event listeners": metrics["JSEventListeners"],
    }


def print_growth(found: list[dict[str, float]]) -> None:
    """Print how each figure went on, by least squares over the second half: what is made once has been made by then."""
    late = found[len(found) // 2 :]
    minutes = found[-1]["minutes"]
    print(f"{len(found)} runs in {minutes:.0f} minutes; growth by least squares over the last {len(late)}:")
    for name in list(found[0])[1:]:
        values = [each[name] for each in late]
        print(
            f"{name}: first {found[0][name]:.6g}, then {min(values):.6g} to {max(values):.6g}; "
            f"{60 * slope([each['minutes'] for each in late], values):+.3g} an hour"
        )


def slope(at: list[float], values: list[float]) -> float:
    """Return by how much values rise for each one of ``at``."""
    middle, mean = sum(at) / len(at), sum(values) / len(values)
    spread = sum((x - middle) ** 2 for x in at)
    return sum((x - middle) * (y - mean) for x, y in zip(at, values, strict=True)) / spread if spread else 0.0


if __name__ == "__main__":
    main()
