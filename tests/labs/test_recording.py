"""Packs of recordings: written, read, refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from testbed.errors import InputError
from testbed.labs.lot import Pick, all_picks
from testbed.labs.recording import Pack, digest_of, write_pack
from testbed.validation.corpus.archive import write_archive
from tests.labs.made import LAB, Drawn, made_lab

if TYPE_CHECKING:
    from pathlib import Path


def test_a_pack_gives_back_what_was_put_in_and_its_names_tell_nothing(tmp_path: Path) -> None:
    lab = made_lab(tmp_path / "lab")
    path = tmp_path / "labs.zip"
    assert write_pack(path, [lab], picks=all_picks, recordings=Drawn(), version="1") == 4
    pack = Pack(path)
    for pick in all_picks(lab):
        assert pack.get(lab, pick) == Drawn().get(lab, pick)
    pack.close()
    names = path.read_bytes()
    for word in (b"slow", b"fast", b"thrott"):
        assert word not in names


def test_a_pack_of_another_version_of_a_lab_or_without_it_is_refused(tmp_path: Path) -> None:
    lab = made_lab(tmp_path / "lab")
    write_pack(tmp_path / "labs.zip", [lab], picks=lambda each: all_picks(each)[:1], recordings=Drawn(), version="0.9")
    pack = Pack(tmp_path / "labs.zip")
    with pytest.raises(InputError, match="a recording of small is missing"):
        pack.get(lab, Pick("", "slow", 2))
    changed = made_lab(tmp_path / "lab", LAB.replace("minutes: 5", "minutes: 6"))
    with pytest.raises(InputError, match=r"another version of small \(testbed 0\.9\)"):
        pack.get(changed, Pick("", "fast", 1))
    pack.close()


def test_ends_of_lines_make_no_other_lab(tmp_path: Path) -> None:
    unix = digest_of(made_lab(tmp_path / "lab"))
    (tmp_path / "lab" / "lab.yaml").write_bytes(LAB.replace("\n", "\r\n").encode())
    assert digest_of(made_lab(tmp_path / "lab", LAB)) == unix
    (tmp_path / "lab" / "lab.yaml").write_bytes(LAB.replace("\n", "\r\n").encode())
    from_windows = digest_of(made_lab(tmp_path / "other"))
    assert from_windows == unix


@pytest.mark.parametrize(
    "index", [b"no JSON", b"[]", b'{"format": 1}', json.dumps({"format": 2, "version": "1", "labs": {}}).encode()]
)
def test_what_is_no_pack_is_refused(tmp_path: Path, index: bytes) -> None:
    path = tmp_path / "labs.zip"
    write_archive(path, {"labs.json": index})
    with pytest.raises(InputError, match=r"labs\.zip: "):
        Pack(path)
    path.write_bytes(b"PK nothing")
    with pytest.raises(InputError, match=r"labs\.zip"):
        Pack(path)
