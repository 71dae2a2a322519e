"""A corpus from real runs: built once, the same every time, verified, and refused where something is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from testbed.cli.commands import corpus_making
from testbed.validation.corpus.archive import Archive, write_archive
from testbed.validation.corpus.contents import read_index
from tests.cli.commands.test_validation import SUITE
from tests.cli.program import status

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.engine.kernel import KernelInfo


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, kernel: KernelInfo) -> Path:
    """A folder with a suite, a store, and a corpus of it."""
    assert kernel.path is not None
    found = tmp_path_factory.mktemp("corpus")
    (found / "small.yaml").write_text(SUITE)
    assert build(found, "corpus.zip") == 0
    return found


def build(folder: Path, name: str, *options: str, store: str = "store") -> int:
    arguments = [str(folder / "small.yaml"), "-o", str(folder / name), "--store", str(folder / store)]
    return status("corpus", "build", *arguments, "--held-out-seed", "x", *options)


def test_the_same_suite_gives_the_same_bytes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(folder, "again.zip") == 0
    assert "2 runs in this suite, 2 of them there already" in capsys.readouterr().err
    assert (folder / "again.zip").read_bytes() == (folder / "corpus.zip").read_bytes()


def test_a_corpus_is_scored_and_verified(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status("corpus", "score", str(folder / "corpus.zip"), "--detector", "joint") == 0
    assert "2 lines of 2 runs" in capsys.readouterr().out
    assert status("corpus", "verify", str(folder / "corpus.zip"), "--cell", "policed/1") == 0
    assert "runs made again: the same (policed/1)" in capsys.readouterr().out
    assert status("corpus", "verify", str(folder / "corpus.zip"), "--cell", "policed/9") == 2
    assert "no cell 'policed/9' in this corpus; its README.md lists them" in capsys.readouterr().err


def changed(folder: Path, name: str, **members: bytes) -> Path:
    """The corpus with other members and right checksums, as somebody might pass it on."""
    with Archive(folder / "corpus.zip") as archive:
        contents: dict[str, Path | bytes] = {member: archive.read(member) for member in archive.names}
    write_archive(folder / name, contents | members)
    return folder / name


def test_a_file_that_was_changed_is_found_by_making_its_run_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "cells/policed-1/line.ooni.jsonl"
    assert status("corpus", "verify", str(changed(folder, "lie.zip", **{name: b"{}\n"})), "--cell", "policed/1") == 1
    said = capsys.readouterr().out
    assert said.startswith("checksums: right")
    assert f"{name}: differs from byte 1 on" in said
    assert "runs made again: 1 files differ (policed/1)" in said


def test_what_other_versions_made_is_not_compared(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Archive(folder / "corpus.zip") as archive:
        index = read_index(archive)
    index["world"]["kernel"] = "another"
    path = changed(folder, "other.zip", **{"corpus.json": json.dumps(index).encode()})
    assert status("corpus", "verify", str(path)) == 3
    said = capsys.readouterr().out
    assert "runs made again: not checked, for other versions made the corpus (kernel: another, here" in said


def test_nothing_is_written_where_a_run_is_missing(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus_making, "carry_all", lambda ids, *_, **__: {ids[0]: "died"})
    assert build(folder, "part.zip", "--captures", "none") == 4
    said = capsys.readouterr().err
    assert "2 of 2 runs are missing, and nothing is written; clean/1: died; policed/1: it was not made" in said
    assert not (folder / "part.zip").exists()


@pytest.mark.usefixtures("pretended_kernel")
def test_a_place_that_is_not_there_is_said_before_anything_is_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "small.yaml").write_text(SUITE)
    assert build(tmp_path, "no/corpus.zip") == 2
    assert f"there is no folder {tmp_path / 'no'}" in capsys.readouterr().err
