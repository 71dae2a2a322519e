"""Archives: the same bytes every time, and nothing of a damaged or hostile one that could do harm."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import struct
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import InputError
from testbed.validation.corpus import archive
from testbed.validation.corpus.archive import CHECKSUMS, Archive, write_archive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MEMBERS: dict[str, bytes] = {"README.md": b"hello\n", "cells/one/a.json": b"{}" * 500, "cells/one/b-c+1.pcap": bytes(9)}


def made(path: Path, members: dict[str, bytes] | None = None) -> Path:
    write_archive(path, {**(MEMBERS if members is None else members)})
    return path


def there(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_read(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(3_000_000))
    path = tmp_path / "corpus.zip"
    write_archive(path, {**MEMBERS, "large": large})
    with Archive(path) as found:
        assert found.names == sorted([*MEMBERS, "large"])
        assert {name: found.read(name) for name in MEMBERS} == MEMBERS
        assert found.read("large") == large.read_bytes()
        assert found.verify() == sum(map(len, MEMBERS.values())) + 3_000_000
        found.unpack(tmp_path / "out")
        with pytest.raises(InputError, match="out exists; choose another folder"):
            found.unpack(tmp_path / "out")
    assert (tmp_path / "out" / "cells" / "one" / "a.json").read_bytes() == MEMBERS["cells/one/a.json"]
    subprocess.run(["sha256sum", "--check", "--quiet", "--strict", CHECKSUMS], cwd=tmp_path / "out", check=True)
    assert there(tmp_path) == ["corpus.zip", "large", "out"]


def test_the_same_members_give_the_same_bytes(tmp_path: Path) -> None:
    one = made(tmp_path / "one.zip").read_bytes()
    file = tmp_path / "a"
    file.write_bytes(MEMBERS["README.md"])
    os.utime(file, (1, 1))
    turned: dict[str, Path | bytes] = dict(reversed([("README.md", file), *list(MEMBERS.items())[1:]]))
    write_archive(tmp_path / "two.zip", turned)
    with zipfile.ZipFile(tmp_path / "two.zip") as found:
        assert [each.date_time[0] for each in found.infolist()] == [1980] * 4
    with Archive(tmp_path / "two.zip") as second, Archive(tmp_path / "one.zip") as first:
        assert second.names == first.names
    assert (tmp_path / "two.zip").read_bytes() == one


@pytest.mark.parametrize("name", ["../x", "/x", "a//b", "a/", "", ".", "a/..", CHECKSUMS, "ü", "a b"])
def test_a_name_that_would_not_be_read_is_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a member"):
        write_archive(tmp_path / "x.zip", {name: b""})
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write .*; choose another file with -o"):
        write_archive(tmp_path / "no" / "x.zip", {})
    with Archive(made(tmp_path / "x.zip")) as found, pytest.raises(InputError, match="choose another folder with -o"):
        found.unpack(tmp_path / "no" / "out")


def hostile(path: Path, change: Callable[[zipfile.ZipFile], None], *, listed: tuple[str, ...] = ()) -> Path:
    """An archive with a right list, to which something was added."""
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in MEMBERS.items())
    sums += "".join(f"{hashlib.sha256(b'x').hexdigest()}  {name}\n" for name in listed)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in MEMBERS.items():
            file.writestr(name, data)
        change(file)
        file.writestr(CHECKSUMS, sums)
    return path


def named(name: str, mode: int = stat.S_IFREG | 0o644, data: bytes = b"x") -> Callable[[zipfile.ZipFile], None]:
    def change(file: zipfile.ZipFile) -> None:
        about = zipfile.ZipInfo("placeholder")
        about.filename, about.external_attr, about.compress_type = name, mode << 16, zipfile.ZIP_DEFLATED
        file.writestr(about, data)

    return change


@pytest.mark.parametrize(
    ("name", "mode", "problem"),
    [
        ("../evil", 0o100644, "may lead elsewhere"),
        ("cells/../../evil", 0o100644, "may lead elsewhere"),
        ("/etc/evil", 0o100644, "may lead elsewhere"),
        ("C:\\evil", 0o100644, "may lead elsewhere"),
        ("C:evil", 0o100644, "may lead elsewhere"),
        ("a\\..\\evil", 0o100644, "may lead elsewhere"),
        ("cells/", 0o040755, "may lead elsewhere"),
        ("evil\x1b[2J", 0o100644, "may lead elsewhere"),
        ("evil\n", 0o100644, "may lead elsewhere"),
        ("a/" * 40 + "x", 0o100644, "may lead elsewhere"),
        ("link", stat.S_IFLNK | 0o777, "no regular file"),
        ("fifo", stat.S_IFIFO | 0o644, "no regular file"),
        ("device", stat.S_IFCHR | 0o644, "no regular file"),
        ("README.md", 0o100644, "is there twice"),
        ("readme.MD", 0o100644, "differ in case alone"),
        ("cells/one", 0o100644, "is a file and a folder"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_could_do_harm_is_refused(tmp_path: Path, name: str, mode: int, problem: str) -> None:
    path = hostile(tmp_path / "x.zip", named(name, mode), listed=(name,))
    with pytest.raises(InputError, match=problem) as caught:
        Archive(path)
    assert "\x1b" not in str(caught.value)
    assert there(tmp_path) == ["x.zip"]


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = hostile(tmp_path / "bomb.zip", named("bomb", data=bytes(50_000_000)))
    with Archive(hostile(tmp_path / "y.zip", lambda _: None)) as fine:
        assert fine.verify()
    monkeypatch.setattr(archive, "_MOST_RATIO", 500)
    with pytest.raises(InputError, match=r"'bomb' claims that [0-9]+ bytes unpack to 50000000"):
        Archive(path)
    for limit, problem in (("MOST_MEMBER_BYTES", "claims to hold 50000000 bytes"), ("MOST_BYTES", "claims to hold 50"),
                           ("MOST_MEMBERS", "has 5 members, and at most 3")):  # fmt: skip
        with monkeypatch.context() as patched:
            patched.setattr(archive, "_MOST_RATIO", 5000)
            patched.setattr(archive, limit, 3 if limit == "MOST_MEMBERS" else 40_000_000)
            with pytest.raises(InputError, match=problem):
                Archive(path)


def test_a_member_that_claims_less_than_it_holds_is_cut_and_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "x.zip")
    data = path.read_bytes()
    size = struct.pack("<I", len(MEMBERS["cells/one/a.json"]))
    at = data.rindex(size, 0, data.rindex(b"cells/one/a.json"))  # in the central directory, which is what counts
    path.write_bytes(data[:at] + struct.pack("<I", 10) + data[at + 4 :])
    with Archive(path) as found, pytest.raises(InputError, match=r"cells/one/a\.json (is damaged|is not what|has not)"):
        found.read("cells/one/a.json")


@pytest.mark.parametrize(
    ("sums", "problem"),
    [
        (b"", "does not list README.md, which is there"),
        (b"nonsense\n", "has a line that is none: nonsense"),
        (b"0" * 64 + b"  other\n", "lists other, which is not there"),
    ],
)
def test_a_list_that_is_not_of_the_members_is_refused(tmp_path: Path, sums: bytes, problem: str) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("README.md", "x")
        file.writestr(CHECKSUMS, sums)
    with pytest.raises(InputError, match=problem):
        Archive(path)


def test_a_wrong_checksum_is_said_with_the_member(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("README.md", "x")
        file.writestr(CHECKSUMS, f"{'0' * 64}  README.md\n")
    with Archive(path) as found:
        with pytest.raises(InputError, match=r"README\.md is not what SHA256SUMS says; fetch the corpus again"):
            found.unpack(tmp_path / "out")
        with pytest.raises(InputError, match="it has no other"):
            found.read("other")
        with pytest.raises(InputError, match=r"README\.md has 1 bytes, and at most 0 are read"):
            found.read("README.md", most_bytes=0)
    assert there(tmp_path) == ["x.zip"]


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    wrong = {"text": "no corpus, or a damaged one", "no": "cannot read .*: No such", ".": "cannot read .*: Is a dir"}
    for name, problem in wrong.items():
        with pytest.raises(InputError, match=problem):
            Archive(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("README.md", "x")
    with pytest.raises(InputError, match="no corpus: it has no SHA256SUMS"):
        Archive(tmp_path / "other.zip")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("archive") / "good.zip")


@given(st.data())
def test_whatever_is_damaged_gives_what_was_written_or_a_message(good: Path, data: st.DataObject) -> None:
    whole = bytearray(good.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))))
    path = good.with_name("bad.zip")
    path.write_bytes(whole[:cut])
    with contextlib.suppress(InputError), Archive(path) as found:
        for name in found.names:
            assert found.read(name) == MEMBERS[name]
