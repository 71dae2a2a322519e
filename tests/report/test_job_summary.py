"""The page of a CI job: added to where there is one, and never made too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.errors import InputError
from testbed.report.job_summary import MOST_BYTES, VARIABLE, add_to_job_summary

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("environment", [{}, {VARIABLE: ""}])
def test_outside_a_job_nothing_is_written(environment: dict[str, str]) -> None:
    assert not add_to_job_summary("# Scores", environment)


def test_texts_follow_each_other(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("of an earlier step\n")
    assert add_to_job_summary("# Scores", {VARIABLE: str(page)})
    assert page.read_text() == "of an earlier step\n# Scores\n"


def test_a_long_text_is_cut_after_a_line_and_says_so(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    line = "| ü | 1 |"
    assert add_to_job_summary("\n".join([line] * 200_000), {VARIABLE: str(page)})
    data = page.read_bytes()
    assert MOST_BYTES - 200 < len(data) <= MOST_BYTES
    *table, said = data.decode().rstrip("\n").split("\n\n")
    assert set("".join(table).split("\n")) == {line}
    assert said.startswith("The rest is left out")
    assert add_to_job_summary(line, {VARIABLE: str(page)})  # there is no room left
    assert len(page.read_bytes()) <= MOST_BYTES


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"no/page.md, which {VARIABLE} names: No such file"):
        add_to_job_summary("text", {VARIABLE: str(tmp_path / "no" / "page.md")})
