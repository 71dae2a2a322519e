"""Published figures are those that a command printed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("figures", ROOT / "benchmarks" / "figures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


figures = load()
TABLE = "| speed | |\n|---|---|\n| times real time | 50.1 |\n"
PLACE = "a\n<!-- figures: speed -->\n{}<!-- end of figures -->\nb\n"
SENTENCE = "It is <!-- figure: speed: times real time -->{}<!-- / --> times as fast.\n"


@pytest.fixture
def printed(tmp_path: Path) -> Path:
    (tmp_path / "speed.md").write_text(TABLE)
    return tmp_path


@pytest.mark.parametrize("document", figures.documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_document_has_the_figures_that_were_printed_last(document: Path) -> None:
    assert document.read_text() == figures.filled(document.read_text())


def test_figures_have_a_place_in_the_readme_and_in_the_reference() -> None:
    assert "first_day" in figures.benchmarks()
    assert figures.FIGURE.search((ROOT / "README.md").read_text())
    assert figures.PLACE.search((ROOT / "docs/reference/figures.md").read_text())


@pytest.mark.parametrize("old", ["", "| old | |\n"])
def test_a_table_is_put_in_its_place_and_nothing_else_changes(printed: Path, old: str) -> None:
    assert figures.filled(PLACE.format(old), printed) == PLACE.format(TABLE)


def test_a_figure_in_a_sentence_is_that_of_the_table(printed: Path) -> None:
    assert figures.filled(SENTENCE.format("110"), printed) == SENTENCE.format("50.1")


@pytest.mark.parametrize(
    ("text", "problem"),
    [(PLACE.replace("speed", "never"), "make figures ONLY=never"), (SENTENCE.replace("real", "no"), "no row")],
)
def test_a_figure_that_nothing_printed_is_an_error(printed: Path, text: str, problem: str) -> None:
    with pytest.raises(SystemExit, match=problem):
        figures.filled(text, printed)
