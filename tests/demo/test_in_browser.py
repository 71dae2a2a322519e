"""The page in a real browser: what a class sees, and whether everybody can use it."""

from __future__ import annotations

import http.server
import json
import shutil
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from testbed.demo.recorded import export
from testbed.demo.session import Session
from testbed.report.page import write_report
from tests.demo.conftest import serving
from tests.demo.runs import hand_made_run, long_told, telling_session
from tests.records.build import write_run

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright; run: pip install '.[dev]'")
axe_api = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core; run: pip install '.[dev]'")

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from testbed.demo.server import DemoServer

SIZES = {"screen": (1280, 720), "phone": (390, 844)}
BAD = {"serious", "critical"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no browser; run: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        # no sandbox: it needs user namespaces or root's own set-up, and the pages are ours
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module", params=[False, True], ids=["told", "guess"])
def recorded_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("site")
    run = hand_made_run(folder / "run", sni="<img src=x onerror=document.title='taken'>")
    export([run], folder / "site", is_guess=request.param)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder / "site")) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    width, height = SIZES[request.param]
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


def barriers(page: Page) -> list[str]:
    found = axe_api.Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['target']}" for each in found if each["impact"] in BAD]


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def scrub(page: Page, t: float) -> None:
    page.locator("#scrub").fill(str(t))


def test_a_recorded_run_has_no_barriers_and_fits(page: Page, recorded_url: str) -> None:
    page.goto(recorded_url + "run-1.html")
    scrub(page, 10)
    page.locator("#rates path.role-target").first.wait_for()
    assert barriers(page) == []
    assert overflow(page) <= 0
    page.goto(recorded_url)
    assert barriers(page) == []


def test_the_scrubber_shows_the_numbers_of_its_instant(page: Page, recorded_url: str) -> None:
    page.goto(recorded_url + "run-1.html")
    for t, read in ((10, "170"), (5, "85")):
        scrub(page, t)
        assert page.locator("#rows tr").first.locator("td").all_inner_texts()[4] == read
    assert page.locator("#play").inner_text() == "Play"


def test_a_hostile_name_is_text(page: Page, recorded_url: str) -> None:
    page.goto(recorded_url + "run-1.html")
    if page.locator("#reveal").is_visible():
        page.locator("#reveal").click()
    scrub(page, 10)
    page.get_by_text("reads the name <img src=x").wait_for()
    assert page.title() == "Who slows Twitter down?"
    assert page.locator("img").count() == 0


def test_box_and_truth_wait_for_reveal_where_a_class_guesses(page: Page, recorded_url: str) -> None:
    page.goto(recorded_url + "run-1.html")
    scrub(page, 10)
    if page.locator("#guessing").is_visible():
        assert page.locator("[data-box]").count() == 0
        assert not page.locator("#truth").is_visible()
        page.get_by_label("blocked").check()
        page.get_by_role("button", name="Vote").click()
        assert page.locator("#votes").inner_text() == "Your vote: blocked"
        page.locator("#reveal").click()
    assert page.locator("[data-box]").count() == 2
    assert "Right answer: throttled." in page.locator("#truth").inner_text()


def test_the_report_of_a_run_has_no_barriers_and_fits(page: Page, tmp_path: Path) -> None:
    write_run(tmp_path / "run", valid=False, problems=["made by hand"])
    [report, *_] = write_report(tmp_path / "run", tmp_path / "report", even_if_invalid=True)
    page.goto(report.as_uri())
    assert page.locator(".lay p").count() == 3
    assert barriers(page) == []
    assert overflow(page) <= 0


def test_the_live_page_has_no_barriers_and_fits(page: Page, server: DemoServer) -> None:
    for token in (server.teacher, server.pupil):
        page.goto(server.url(token))
        page.get_by_text("Choose, and press Start.").wait_for()
        assert barriers(page) == []
        assert overflow(page) <= 0
    assert not page.locator("#start").is_visible(), "who looks on does not lead"


def test_on_paper_there_are_numbers_and_no_buttons(page: Page, recorded_url: str) -> None:
    page.goto(recorded_url + "run-1.html")
    page.emulate_media(media="print")
    assert page.locator("#rows tr").count() == 4
    for name in ("play", "scrub", "aloud"):
        assert not page.locator(f"#{name}").is_visible()


def test_with_reduced_motion_a_run_plays_in_steps_of_a_second(page: Page, recorded_url: str) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(recorded_url + "run-1.html")
    assert page.evaluate("isCalm") is True
    scrub(page, 3)
    assert page.locator("#clock").inner_text().startswith("3.0 s")


def test_the_numbers_are_read_aloud_when_asked_for(page: Page, recorded_url: str) -> None:
    page.goto(recorded_url + "run-1.html")
    scrub(page, 10)
    assert page.locator("#spoken").inner_text() == ""
    page.locator("#aloud").click()
    assert "twitter.com on phone: under way, 136 kbit/s on average" in page.locator("#spoken").inner_text()


def test_the_keyboard_alone_chooses_and_starts(page: Page, server: DemoServer) -> None:
    page.goto(server.url(server.teacher))
    page.get_by_text("Choose, and press Start.").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "stop"
    page.keyboard.press("ArrowRight")
    assert "2021-04-02" in page.locator("#stop-says").inner_text()
    names = []
    for _ in range(6):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.id"))
    assert names[:5] == ["cause", "evasion", "outage", "guess", "start"]
    page.locator("#start").focus()
    page.keyboard.press("Enter")
    page.get_by_text("No such file").wait_for()  # the program of this session is none: the page says so and lives on


def test_an_afternoon_of_runs_leaves_nothing_behind_in_the_browser(page: Page, tmp_path: Path) -> None:
    """What a browser has of a run goes with the run: its records, and what was drawn of them."""
    count = 2000
    held = []
    with serving(telling_session(tmp_path, long_told(count))) as server:
        page.goto(server.url(server.teacher))
        for number in range(1, 6):
            page.get_by_role("button", name="Start").click()
            page.get_by_text(f"its records are in {tmp_path / 'runs' / f'run-{number}'}").wait_for()
            held.append({kind: alive(page, kind) for kind in ("Array", "Object", "Node", "EventSource")})
    assert held[-1]["EventSource"] == 1
    # A single run that stayed would be an array for each record; a drawing has some sixty nodes, and there are three of
    # them five times a second.
    assert held[-1]["Array"] - held[1]["Array"] < count / 2
    assert held[-1]["Object"] - held[1]["Object"] < count / 2
    assert held[-1]["Node"] < 500


def alive(page: Page, kind: str) -> int:
    """How many objects of a kind the page has once its garbage has been collected."""
    devtools = page.context.new_cdp_session(page)
    kinds = devtools.send("Runtime.evaluate", {"expression": f"{kind}.prototype"})["result"]["objectId"]
    found = devtools.send("Runtime.queryObjects", {"prototypeObjectId": kinds})["objects"]["objectId"]
    length = {"objectId": found, "functionDeclaration": "function() { return this.length; }", "returnByValue": True}
    count = int(devtools.send("Runtime.callFunctionOn", length)["result"]["value"])
    devtools.detach()
    return count


def test_a_line_that_is_cut_comes_back(page: Page, server: DemoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first stream ends after a word, as it would when a laptop is closed; the browser asks again by itself."""
    streams = iter([["first"], ["second"]])

    def messages() -> Iterator[str]:
        for says in next(streams, []):
            yield json.dumps({"kind": "state", "phase": "idle", "says": says, "hidden": False, "votes": []})
            if says == "second":
                yield from Session.messages(server.session)

    monkeypatch.setattr(server.session, "messages", messages)
    page.goto(server.url(server.teacher))
    page.get_by_text("trying again").wait_for()
    page.get_by_text("Choose, and press Start.").wait_for()
