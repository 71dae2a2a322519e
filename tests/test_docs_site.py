"""The pages of the repository make a site: nothing missing, no link to nowhere, nothing from the Internet."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import pytest

from docs.site import detectors, evidence, markdown, schemas, staging
from docs.site.command_line import commands
from testbed.detectors.registry import BUILT_IN
from testbed.middlebox.profile.sources import SOURCES
from testbed.scenario.model import scenario_schema

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` makes it, for which a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    made = subprocess.run(
        [sys.executable, "-m", "docs.site", str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return folder


def test_every_page_of_the_repository_and_every_generated_one_is_in_the_site(site: Path) -> None:
    wanted = [*map(str, staging.pages()), *staging.GENERATED]
    assert "docs/tutorial/first-day.md" in wanted
    assert [name for name in wanted if not (site / "html" / name).with_suffix(".html").exists()] == []


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    loads = re.compile(r"""(?:\bsrc=|<link[^>]*\bhref=|url\(|@import\s)["']?(?:https?:)?//[^"')\s]+""")
    files = [path for path in (site / "html").rglob("*") if path.suffix in {".html", ".css"}]
    assert {path.name: loads.findall(path.read_text()) for path in files if loads.search(path.read_text())} == {}


def test_every_link_of_the_site_leads_to_a_file_of_it(site: Path) -> None:
    local = re.compile(r'href="(?!\w+:|#)([^"#?]+)')
    pages = [*(site / "html").rglob("*.html")]
    links = [(page, link) for page in pages for link in local.findall(page.read_text())]
    assert len(links) > 1000
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_the_man_page_has_every_command(site: Path) -> None:
    page = (site / "man/testbed.1").read_text().replace("\\-", "-")
    names = [each.prog for each in commands()]
    assert {"testbed run", "testbed lab pack"} <= set(names)
    assert [name for name in names if f".SH {name.upper()}\n" not in page] == []


@pytest.mark.parametrize(("version", "there"), [("6.12.94", True), (None, False)])
def test_a_wheel_that_is_released_has_the_man_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str | None, *, there: bool
) -> None:
    page = tmp_path / "build/site/man/testbed.1"
    page.parent.mkdir(parents=True)
    page.touch()
    monkeypatch.delenv("TESTBED_KERNEL_VERSION", raising=False)
    if version is not None:
        monkeypatch.setenv("TESTBED_KERNEL_VERSION", version)
    hook = import_module("setup.release_dependency").KernelDependency(str(tmp_path), {}, None, None, "", "wheel")
    data: dict[str, Any] = {"dependencies": [], "shared_data": {}}
    hook.initialize("standard", data)
    assert data["shared_data"] == ({str(page): "share/man/man1/testbed.1"} if there else {})


@pytest.mark.parametrize("link", ["docs/nowhere.md", "page.md#no-such-heading"])
def test_a_link_to_nowhere_stops_the_build(tmp_path: Path, link: str) -> None:
    (tmp_path / "page.md").write_text("# A page\n")
    (tmp_path / "index.md").write_text(f"# Start\n\n[somewhere]({link})\n\n```{{toctree}}\npage\n```\n")
    command = ["-q", "-W", "-b", "html", "-c", str(ROOT / "docs"), str(tmp_path), str(tmp_path / "out")]
    made = subprocess.run(
        [sys.executable, "-m", "sphinx", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert made.returncode != 0
    assert link.rpartition("#")[2] in made.stderr


def test_a_link_to_a_folder_leads_to_a_page_that_shows_its_files(site: Path) -> None:
    assert "](results/2021-03-10/index.md)" in (site / "source/README.md").read_text()
    listed = (site / "source/docs/how-to/detector-package/index.md").read_text()
    assert (ROOT / "docs/how-to/detector-package/halftime_detector.py").read_text().rstrip() in listed


def test_staging_again_writes_nothing_and_removes_what_is_no_longer_there(tmp_path: Path) -> None:
    staging.stage(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    (tmp_path / "docs/old.md").write_text("# Old\n")
    staging.stage(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_page_of_scenarios_has_every_key() -> None:
    page = staging.GENERATED["docs/reference/generated/scenario-keys.md"]()
    schema = scenario_schema()
    definitions = [each for each in cast("dict[str, Any]", schema["$defs"]).values() if "properties" in each]
    keys = {key for each in [schema, *definitions] for key in each["properties"]}
    assert {"measurements", "lead"} <= keys
    assert [key for key in keys if f"| `{key}` |" not in page] == []


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, "whole number, 1 to 9"),
        ({"type": "integer", "minimum": 0}, "whole number, from 0"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text or nothing"),
        ({"enum": ["up", None]}, "`up`, `none`"),
        ({"type": ["string", "integer"], "description": "a duration; or 0"}, "a duration; or 0"),
        ({"type": "array", "items": {"$ref": "#/$defs/Line"}}, "list of [Line](#line)"),
        ({"type": "object", "additionalProperties": {"type": "boolean"}}, "mapping of names to `true` or `false`"),
        ({}, "anything"),
    ],
)
def test_a_schema_is_said_in_words(schema: dict[str, object], words: str) -> None:
    assert schemas.values(schema) == words


def test_the_page_of_detectors_has_each_with_its_publication() -> None:
    page = detectors.detectors_page()
    assert [name for name in BUILT_IN if f"\n## {name}\n" not in page] == []
    assert "IMC" in page


def test_what_is_laid_out_in_columns_stays_so_and_other_text_flows() -> None:
    shown = detectors.prose("It looks at *all*.\nTwice.\n\npolicing    drops\nshaping     waits")
    assert shown == "It looks at \\*all\\*.\nTwice.\n\n```text\npolicing    drops\nshaping     waits\n```"


def test_every_value_of_a_censor_has_its_grade_and_links_to_the_legend() -> None:
    page, legend = evidence.censors_page(), evidence.sources_page()
    assert "| `meter.token_bucket.rate` | `140 kbit/s` | published | [X21](sources.md#x21) §5" in page
    assert [key for key in SOURCES if f"\n## {key}\n" not in legend] == []


@pytest.mark.parametrize(
    ("plain", "shown"),
    [
        ("a_b <c> 2*3 [d]", "a\\_b \\<c\\> 2\\*3 \\[d\\]"),
        ("with `*.x` and -- COMMAND or --all-of-it", "with `*.x` and `--` COMMAND or `--all-of-it`"),
    ],
)
def test_plain_text_is_shown_as_it_is(plain: str, shown: str) -> None:
    assert markdown.as_text(plain) == shown
