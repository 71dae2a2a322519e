"""Take the pictures of the classroom page that the documents show: one run in virtual time, at the two sizes.

python benchmarks/screenshots.py docs/images
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

SIZES = {"classroom-screen": (1280, 720), "classroom-phone": (390, 844)}
SHOWN_S = 14.0  # both curves are under way


def testbed(*words: str) -> None:
    """Call the command line."""
    subprocess.run([sys.executable, "-m", "testbed.cli", *words], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Make the run, and the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="testbed-") as work, sync_playwright() as playwright:
        testbed("run", "classroom/two-phones", "-o", f"{work}/run")
        testbed("detect", f"{work}/run")
        testbed("demo", f"{work}/run", "--export", f"{work}/site")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (width, height) in SIZES.items():
            page = browser.new_page(viewport={"width": width, "height": height})
            page.goto(Path(work, "site/run-1.html").as_uri())
            page.locator("#scrub").fill(str(SHOWN_S))
            page.evaluate("() => { scrollTo(0, 0); document.activeElement.blur(); }")
            page.screenshot(path=folder / f"{name}.png")
            print(folder / f"{name}.png")
        shutil.copy(Path(work, "site/run-1.gif"), folder / "classroom-sequence.gif")
        print(folder / "classroom-sequence.gif")
        browser.close()


if __name__ == "__main__":
    main()
