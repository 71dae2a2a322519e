"""What the README shows is what `make results` wrote."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def test_the_table_is_output_of_the_published_run() -> None:
    published = (ROOT / "results/2021-03-10/table.txt").read_text().splitlines()
    (shown,) = re.findall(r"```\n(.*?)```", README, re.DOTALL)
    lines = [line for line in shown.splitlines() if line not in {"", "…"}]
    assert len(lines) > 20
    assert [line for line in lines if line not in published] == []


FOLDERS = {path.name for root in (ROOT, ROOT / "testbed") for path in root.iterdir() if path.is_dir()} - {".venv"}


def documents() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text())
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_documents_name_are_there(document: Path) -> None:
    """In backquotes, from the root of the repository or from ``testbed/``."""
    named = set(re.findall(r"`((?:[a-z0-9_.-]+/)+[a-z0-9_.-]*)`", document.read_text()))
    ours = [path for path in named if path.split("/")[0] in FOLDERS]
    assert [path for path in sorted(ours) if not ((ROOT / path).exists() or (ROOT / "testbed" / path).exists())] == []
