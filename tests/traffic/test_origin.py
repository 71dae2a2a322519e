"""Origins: objects that are the same for a seed, nginx in one folder."""

from __future__ import annotations

import subprocess
import zlib
from typing import TYPE_CHECKING

import pytest

from testbed.traffic.origin import nginx_configuration, write_object

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.traffic.authority import CertificateAuthority


@pytest.mark.parametrize("size_bytes", [0, 1, 383_000])
def test_an_object_is_the_same_for_the_same_seed(tmp_path: Path, size_bytes: int) -> None:
    for name in ("a/b/one", "two"):
        write_object(tmp_path / name, size_bytes, 7)
    assert (tmp_path / "a/b/one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "two").stat().st_size == size_bytes


def test_another_seed_gives_another_object_and_none_can_be_compressed(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_object(tmp_path / str(seed), 10_000, seed)
    first, second = ((tmp_path / str(seed)).read_bytes() for seed in (1, 2))
    assert first != second
    assert len(zlib.compress(first)) > 9_990


def test_nginx_accepts_its_configuration_and_writes_below_its_folder_alone(
    authority: CertificateAuthority, nginx: str, tmp_path: Path
) -> None:
    authority.issue(["t.co"], None, tmp_path)
    path = nginx_configuration(tmp_path)
    result = subprocess.run(
        [nginx, "-t", "-p", str(tmp_path), "-e", "stderr", "-c", str(path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    folders = [line.split()[1].rstrip(";") for line in path.read_text().splitlines() if "_path " in line]
    assert len(folders) == 5
    assert all(folder.startswith(str(tmp_path)) for folder in folders)


@pytest.mark.parametrize(("has_ipv6", "count"), [(False, 0), (True, 2)])
def test_nginx_listens_on_ipv6_where_it_is_to(tmp_path: Path, *, has_ipv6: bool, count: int) -> None:
    assert nginx_configuration(tmp_path, has_ipv6=has_ipv6).read_text().count("listen [::]:") == count
