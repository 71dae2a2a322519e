"""How the classroom page does: time to two curves, and updates a second, many at once. For memory: class_hour.py.

Needs the guest's kernel and chromium. One browser draws; the others only listen, as those of a class would.
"""

from __future__ import annotations

import argparse
import http.client
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright


def listen(url: str, counts: list[int], number: int) -> None:
    """Take what a browser would be told, and count it."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.request("GET", f"{parts.path}events")
    for line in connection.getresponse():
        counts[number] += line.startswith(b"data: ")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=29)
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="testbed-") as folder:
        server = subprocess.Popen(
            [sys.executable, "-m", "testbed.cli", "demo", "--no-browser", "--port", "0", "-o", f"{folder}/runs"],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        said = iter(server.stderr or ())
        teacher, pupil = (next(said).split()[-1] for _ in range(2))
        counts = [0] * arguments.listeners
        for number in range(arguments.listeners):
            threading.Thread(target=listen, args=(pupil, counts, number), daemon=True).start()
        try:
            watch(teacher, arguments.runs)
        finally:
            server.terminate()
            server.wait()
        print(f"{arguments.listeners} more listeners were told {min(counts)} to {max(counts)} messages each")


def watch(url: str, runs: int) -> None:
    """Watch runs in a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 720}, bypass_csp=True)  # to look in
        page.goto(url)
        page.evaluate(
            "() => { window.updates = []; const old = take; take = (m) => { if (m.kind === 'records') "
            "updates.push(performance.now()); old(m); }; }"
        )
        for number in range(1, runs + 1):
            page.evaluate("updates.length = 0")
            began = time.monotonic()
            page.click("#start")
            page.wait_for_function("phase === 'starting'", timeout=20_000)
            page.wait_for_function("document.querySelectorAll('#rates path.curve').length >= 4", timeout=120_000)
            curves_s = time.monotonic() - began
            page.wait_for_function("['over', 'failed'].includes(phase)", timeout=180_000)
            times = page.evaluate("updates")
            span_s = (times[-1] - times[0]) / 1000
            print(
                f"run {number}: two curves after {curves_s:.1f} s; "
                f"{len(times) / span_s:.1f} updates/s in {span_s:.0f} s; {page.inner_text('#state')}"
            )
        browser.close()


if __name__ == "__main__":
    main()
