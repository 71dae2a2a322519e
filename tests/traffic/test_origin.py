"""Origins: certificates of a CA of the run's own, objects that are the same for a seed, nginx in one folder."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from testbed.errors import GuestError
from testbed.traffic.origin import CertificateAuthority, nginx_configuration, write_object

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def chain(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


def test_a_certificate_names_what_the_origin_serves_and_leads_to_the_authority(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    authority.issue(["twitter.com", "abs.twimg.com"], "198.51.100.6", tmp_path)
    issued, root = chain(tmp_path / "certificate.pem")
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["twitter.com", "abs.twimg.com"]
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("198.51.100.6")]
    issued.verify_directly_issued_by(root)
    assert root == read(authority.certificate)
    is_authority = [each.extensions.get_extension_for_class(x509.BasicConstraints).value.ca for each in (issued, root)]
    assert is_authority == [False, True]


def test_strict_verifiers_accept_the_chain(authority: CertificateAuthority, tmp_path: Path) -> None:
    """Python 3.13 asks for key usages and key identifiers (VERIFY_X509_STRICT)."""
    authority.issue(["t.co"], None, tmp_path)
    argv = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", str(authority.certificate)]
    argv += ["-untrusted", str(tmp_path / "certificate.pem"), str(tmp_path / "certificate.pem")]
    assert subprocess.run(argv, capture_output=True, text=True, check=False).stdout.endswith("OK\n")


@pytest.mark.parametrize("names", [["t.co"], ["twitter.com", "abs.twimg.com", "reddit.com", "microsoft.com"]])
def test_the_chain_is_as_long_as_those_of_popular_sites(
    authority: CertificateAuthority, tmp_path: Path, names: list[str]
) -> None:
    authority.issue(names, "198.51.100.6", tmp_path)
    assert 3000 < sum(len(each.public_bytes(Encoding.DER)) for each in chain(tmp_path / "certificate.pem")) < 4000


def test_signatures_of_an_origin_have_one_length_and_its_certificate_outlives_any_scenario(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    authority.issue(["t.co"], None, tmp_path)
    issued = read(tmp_path / "certificate.pem")
    key = issued.public_key()
    assert isinstance(key, RSAPublicKey)
    assert key.key_size == 2048
    assert (issued.not_valid_after_utc - issued.not_valid_before_utc).days == 3650


def test_all_origins_share_one_key(authority: CertificateAuthority, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        authority.issue([f"{name}.com"], None, tmp_path / name)
    assert (tmp_path / "a/key.pem").read_bytes() == (tmp_path / "b/key.pem").read_bytes()


def test_names_that_openssl_refuses_are_an_error_in_its_words(authority: CertificateAuthority, tmp_path: Path) -> None:
    with pytest.raises(GuestError, match="openssl req failed: "):
        authority.issue(["a,nonsense:b"], None, tmp_path)


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
    authority.issue(["t.co"], None, tmp_path)
    path = nginx_configuration(tmp_path)
    result = subprocess.run(
        [nginx, "-t", "-p", str(tmp_path), "-e", "stderr", "-c", str(path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    folders = [line.split()[1].rstrip(";") for line in path.read_text().splitlines() if "_path " in line]
    assert len(folders) == 5
    assert all(folder.startswith(str(tmp_path)) for folder in folders)


def test_a_certificate_names_the_ipv6_address_too(authority: CertificateAuthority, tmp_path: Path) -> None:
    authority.issue(["t.co"], "198.51.100.6", tmp_path, address6="2001:db8::c633:6406")
    shown = subprocess.run(
        ["openssl", "x509", "-in", str(tmp_path / "leaf.pem"), "-noout", "-ext", "subjectAltName"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "IP Address:198.51.100.6, IP Address:2001:DB8:0:0:0:0:C633:6406" in shown


@pytest.mark.parametrize(("has_ipv6", "count"), [(False, 0), (True, 2)])
def test_nginx_listens_on_ipv6_where_it_is_to(tmp_path: Path, *, has_ipv6: bool, count: int) -> None:
    assert nginx_configuration(tmp_path, has_ipv6=has_ipv6).read_text().count("listen [::]:") == count
