"""The commands on corpora that are made by hand: scored, unpacked, refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from tests.cli.program import status
from tests.validation.corpus.made import index, members, truth, written

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return written(tmp_path / "corpus.zip")


def score(path: Path, *options: str) -> int:
    return status("corpus", "score", str(path), "--detector", "ooni", *options)


def test_detectors_are_scored_and_told_in_every_form(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "page.md"))
    assert score(corpus) == 0
    table = capsys.readouterr().out
    assert "2 lines of 2 runs, from a corpus of the suite `small`." in table
    assert "whoever has the corpus can tune to them" in table
    assert "| `ooni` | 100 % | 100 % (1 of 1" in table
    assert (tmp_path / "page.md").read_text() == table
    assert score(corpus, "-o", str(tmp_path / "x.md"), "--junit", str(tmp_path / "x.xml"), "--json") == 0
    assert (tmp_path / "x.md").read_text() == table
    assert ET.parse(tmp_path / "x.xml").getroot().attrib["tests"] == "2"
    assert [(each["cell"], each["label"], each["outcome"]) for each in json.loads(capsys.readouterr().out)] == [
        ("policed/1", "throttled", "throttled"), ("clean/1", "not throttled", "not throttled"),
    ]  # fmt: skip


def test_a_detector_that_was_named_and_broke_fails(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho garbage\n")
    broken.chmod(0o700)
    assert score(corpus, "--detector", f"exec:{broken}") == 1
    said = capsys.readouterr().err
    assert f"exec:{broken} failed, which counts as inconclusive; lines: 2; policed/1, line line: " in said


def test_a_corpus_of_one_label_is_not_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = members() | {"cells/policed-1/truth.json": truth("policed/1", is_throttled=False)}
    assert score(written(tmp_path / "x.zip", one)) == 4
    assert "nothing can be scored: no line of it is throttled" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "options", "problem"),
    [
        ({"corpus.json": index(format=9)}, [], "of the format 9, and this testbed reads 1"),
        ({}, ["--detector", "none-such"], "no detector is called 'none-such'"),
        ({}, ["--detector", "run:./tool"], "a program that measures by itself needs a network"),
        ({}, ["--count", "frozen=maybe"], "--count frozen=maybe"),
        ({}, ["-o", "no/such/folder/x.md"], "cannot write no/such/folder/x.md"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], options: list[str], problem: str
) -> None:
    assert score(written(tmp_path / "x.zip", members() | changes), *options) == 2
    assert problem in capsys.readouterr().err


def test_a_corpus_is_unpacked_into_a_new_folder(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status("corpus", "fetch-from-file", str(corpus), "-o", str(tmp_path / "out")) == 0
    assert (tmp_path / "out" / "cells" / "policed-1" / "truth.json").is_file()
    assert status("corpus", "fetch-from-file", str(corpus), "-o", str(tmp_path / "out")) == 2
    assert "exists; choose another folder" in capsys.readouterr().err


def test_checksums_alone_can_be_verified(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status("corpus", "verify", str(corpus), "--sample", "0") == 0
    said = capsys.readouterr().out
    assert said.startswith("checksums: right (6 files, ")
    assert "runs made again: not checked (--sample 0)" in said
    data = bytearray(corpus.read_bytes())
    data[data.index(b"policed-1/line.observation.json") + 60] ^= 0xFF
    (tmp_path / "bad.zip").write_bytes(data)
    assert status("corpus", "verify", str(tmp_path / "bad.zip"), "--sample", "0") == 2
    assert "line.observation.json is damaged" in capsys.readouterr().err
