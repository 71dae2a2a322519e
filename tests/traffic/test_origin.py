"""Origins: certificates of a CA of the run's own, objects that are the same for a seed, nginx in one folder."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

from testbed.errors import GuestError
from testbed.traffic.origin import CertificateAuthority, nginx_configuration, write_object

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_certificate_names_what_the_origin_serves_and_is_issued_by_the_ca(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    authority.issue(["twitter.com", "abs.twimg.com"], tmp_path)
    issued, ca = read(tmp_path / "certificate.pem"), read(authority.certificate)
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["twitter.com", "abs.twimg.com"]
    issued.verify_directly_issued_by(ca)
    assert issued.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is True


def test_keys_are_small_and_the_certificate_outlives_any_scenario(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    authority.issue(["t.co"], tmp_path)
    issued = read(tmp_path / "certificate.pem")
    key = issued.public_key()
    assert isinstance(key, EllipticCurvePublicKey)
    assert isinstance(key.curve, SECP256R1)
    assert (issued.not_valid_after_utc - issued.not_valid_before_utc).days == 3650


def test_names_that_openssl_refuses_are_an_error_in_its_words(authority: CertificateAuthority, tmp_path: Path) -> None:
    with pytest.raises(GuestError, match="openssl req failed: "):
        authority.issue(["a,nonsense:b"], tmp_path)


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
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed; run: sudo apt-get install nginx-light")
    authority.issue(["t.co"], tmp_path)
    path = nginx_configuration(tmp_path)
    result = subprocess.run(
        [nginx, "-t", "-p", str(tmp_path), "-e", "stderr", "-c", str(path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    folders = [line.split()[1].rstrip(";") for line in path.read_text().splitlines() if "_path " in line]
    assert len(folders) == 5
    assert all(folder.startswith(str(tmp_path)) for folder in folders)
