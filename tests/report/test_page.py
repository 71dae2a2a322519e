"""The page of a run: complete, without script, and nothing in a record can put one there."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from testbed.errors import InvalidRunError, RecordError
from testbed.records import standing
from testbed.report.page import _markdown, write_report
from testbed.report.published import Comparison
from tests.records.build import FREE, MEASUREMENTS, TRUTH, manifest, transfer, write_run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FinishedRun

EVIL = "<script>alert('x')</script><img src=x onerror=\"alert(1)\">|$\\frac"
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "ul", "li", "table", "tr", "th", "td",
    "span", "img", "main",
}  # fmt: skip


class Tags(HTMLParser):
    """Every tag, and every attribute's name, of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.sources: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.sources += [value or "" for name, value in attrs if name == "src"]


@pytest.fixture(autouse=True)
def manifest_alone(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Runs made by hand have a manifest that was not concluded from their records."""
    if "first_day" not in request.fixturenames:
        monkeypatch.setattr(standing, "_changed_transfers", lambda *_: [])
        monkeypatch.setattr(standing, "_changed_captures", lambda *_: [])


def page_of(folder: Path, **changes: Any) -> str:
    write_run(folder / "run", **changes)
    invalid = "valid" in changes
    return write_report(folder / "run", folder / "report", even_if_invalid=invalid)[0].read_text()


def test_every_name_in_a_record_is_escaped(tmp_path: Path) -> None:
    told = manifest()
    certificate = told["certificate"]
    changes = {
        "scenario": EVIL, "title": EVIL, "engine": EVIL, "kernel": {"hash": EVIL}, "problems": [EVIL], "valid": False,
        "transfers": [
            transfer(**dict.fromkeys(("name", "line", "sni", "role", "rule"), EVIL), kind="fetch"),
            transfer(**dict.fromkeys(("name", "line", "sni", "role", "error"), EVIL), throttled=False, ok=False),
        ],
        "certificate": {
            **certificate,
            "captures": {EVIL: {"captured": EVIL, "dropped": EVIL}},
            "network": dict.fromkeys(certificate["network"], EVIL),
            "agreement": {EVIL: {**certificate["agreement"]["mobile-tspu"], "logged": 1, "dropped": EVIL}},
        },
    }  # fmt: skip
    page = page_of(tmp_path, **changes)
    found = Tags(page)
    assert found.tags <= ALLOWED
    assert found.attributes <= {"lang", "charset", "class", "alt", "src", "name", "content", "scope", "tabindex"}
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 12


def test_a_line_with_the_name_of_another_folder_writes_nowhere_else(tmp_path: Path) -> None:
    """A replay's line names its figure."""
    line = "../../escaped/$x^{"
    replay = transfer(line=line)
    run = write_run(tmp_path / "run", transfers=[replay])
    (run.path / "plan.json").write_text(
        '{"rtt_s": {"' + line + '": {"university": 0.19}}, "replay_server": "university"}'
    )
    paths = write_report(tmp_path / "run", tmp_path / "report")
    assert {path.parent for path in paths} == {tmp_path / "report"}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["report", "run"]


def test_the_pictures_are_in_the_page_itself(tmp_path: Path) -> None:
    found = Tags(page_of(tmp_path))
    assert found.sources
    assert all(each.startswith("data:image/svg+xml;base64,") for each in found.sources)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, '<span class="throttled">throttled</span> by rule twimg.com, 1 packets dropped'),
        ({}, "Valid run. scenario made-by-hand, starting 2021-03-10T09:00:00 UTC, seed 7"),
        ({"valid": False, "problems": ["starved"]}, "Invalid run: do not score it.<ul><li>starved</li></ul>"),
        ({"transfers": [transfer(**FREE, error="timed out", ok=False)]}, "<td>timed out</td>"),
        ({"transfers": [transfer(**FREE)]}, "<td>not throttled</td>"),
        ({"transfers": [transfer(throttled=False, ok=False, duration_s=None, goodput_bps=None)]},
         '<td class="number">failed</td><td class="number">–</td>'),
        ({}, "<td>capture mobile-tspu-inside</td><td>10 packets, 0 lost</td>"),
        ({}, "<td>1 drops in the log, 1 by the captures, 0 in one of them only</td>"),
    ],
)  # fmt: skip
def test_the_page_says_what_the_run_was(tmp_path: Path, changes: dict[str, Any], text: str) -> None:
    assert text in page_of(tmp_path, **changes)


def test_a_run_without_replays_has_a_page_without_figures(tmp_path: Path) -> None:
    page = page_of(tmp_path, transfers=[transfer(kind="fetch")], measurements=MEASUREMENTS, truth=TRUTH)
    assert "<img" not in page
    assert "Beside the published figures" not in page


@pytest.mark.parametrize("state", ["running", "checking", "incomplete"])
def test_there_is_no_page_of_a_run_that_did_not_end(tmp_path: Path, state: str) -> None:
    write_run(tmp_path / "run", state=state)
    with pytest.raises(InvalidRunError, match=r"do not score this run: .*--even-if-invalid"):
        write_report(tmp_path / "run", tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_a_page_made_all_the_same_says_what_is_wrong(tmp_path: Path) -> None:
    told: list[str] = []
    write_run(tmp_path / "run", state="incomplete", problems=["the guest hung"])
    page = write_report(tmp_path / "run", tmp_path / "report", even_if_invalid=True, tell=told.append)[0].read_text()
    assert any("the guest hung" in sentence for sentence in told)
    assert "Invalid run: do not score it." in page
    assert "the guest hung" in page


@pytest.mark.parametrize(
    ("key", "value"),
    [("transfers", 7), ("transfers", [{}]), ("certificate", []), ("title", None), ("kernel", "x"), ("wall_s", "y")],
)
def test_a_manifest_of_another_shape_is_an_input_error(tmp_path: Path, key: str, value: Any) -> None:
    write_run(tmp_path / "run", **{key: value})
    with pytest.raises(RecordError, match="contradict the run format"):
        write_report(tmp_path / "run", tmp_path / "report")


@pytest.mark.parametrize("name", ["report.html", "throughput.svg", "throughput.png", "published.md"])
@pytest.mark.parametrize("suffix", ["", ".partial"])
def test_a_planted_link_is_not_followed(tmp_path: Path, name: str, suffix: str) -> None:
    run = write_run(tmp_path / "run")
    precious = tmp_path / "precious"
    precious.write_text("of the user's")
    (run.path / f"{name}{suffix}").symlink_to(precious)
    write_report(run.path, run.path)
    assert precious.read_text() == "of the user's"
    assert not (run.path / name).is_symlink()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match=r"cannot write to .*/file/report: Not a directory"):
        write_report(tmp_path / "run", tmp_path / "file" / "report")


@pytest.mark.parametrize(("name", "line"), [("truth", 5), ("measurements", 5)])
def test_a_damaged_record_is_named_with_its_line(tmp_path: Path, name: str, line: int) -> None:
    run = write_run(tmp_path / "run")
    with (run.path / f"{name}.jsonl").open("a") as file:
        file.write("nonsense\n")
    with pytest.raises(RecordError, match=rf"{name}\.jsonl:{line}: not a JSON object"):
        write_report(tmp_path / "run", tmp_path / "report")


def test_a_cell_cannot_leave_its_column_in_the_markdown() -> None:
    table = _markdown([Comparison("a|b", "<b>", "c", "d", agrees=None)])
    assert table.splitlines()[-1] == "| a&#124;b | &lt;b&gt; | c | d | – |"


def test_the_first_day_has_its_figures_and_comparisons(first_day: FinishedRun, tmp_path: Path) -> None:
    names = {path.name for path in write_report(first_day.path, tmp_path)}
    assert {"report.html", "table.txt", "published.md", "throughput.svg", "sequence-mobile-download.png"} <= names
    page = (tmp_path / "report.html").read_text()
    assert Tags(page).tags <= ALLOWED
    assert len(Tags(page).sources) == 3
    published = (tmp_path / "published.md").read_text()
    assert "| converged throughput, download replay (mobile) | 130–150 kbit/s | X21 §5 |" in published
    assert published.count("| yes |") >= 4


def test_the_same_run_gives_the_same_page(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    first, second = (write_report(tmp_path / "run", tmp_path / name) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
