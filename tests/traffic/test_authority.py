"""The authority of a run: certificates that strict verifiers accept, the same for a seed and for no other."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from testbed.errors import GuestError
from testbed.traffic.authority import CertificateAuthority, root_subject_hash

if TYPE_CHECKING:
    from pathlib import Path

START_NS = 1_615_366_800_000_000_000  # 2021-03-10T09:00Z


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


@pytest.mark.parametrize("name", ["a,nonsense:b", "", "a..b", "пример.рф", "a b"])
def test_a_name_that_no_certificate_can_have_is_refused(
    authority: CertificateAuthority, tmp_path: Path, name: str
) -> None:
    with pytest.raises(GuestError, match="a certificate cannot name"):
        authority.issue(["t.co", name], None, tmp_path)


def made(folder: Path, key: Path, *, seed: int = 1, start_ns: int = START_NS) -> list[bytes]:
    folder.mkdir()
    CertificateAuthority(folder, key, seed=seed, start_ns=start_ns).issue(["t.co"], "198.51.100.6", folder)
    return [each.public_bytes(Encoding.DER) for each in chain(folder / "certificate.pem")]


def test_the_same_seed_gives_the_same_certificates_and_another_one_others(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    key = authority.certificate.parent / "origin.key"
    first, again, other = (made(tmp_path / str(n), key, seed=seed) for n, seed in enumerate((1, 1, 2)))
    assert first == again
    assert not set(first) & set(other)


@pytest.mark.parametrize("year", [1999, 2011, 2021, 2039, 2049, 2050, 2055])
def test_a_certificate_is_valid_from_before_the_run_whatever_its_date(
    authority: CertificateAuthority, tmp_path: Path, year: int
) -> None:
    start = datetime(year, 3, 10, 9, tzinfo=UTC)
    made(tmp_path / "ca", authority.certificate.parent / "origin.key", start_ns=int(start.timestamp()) * 10**9)
    for each in chain(tmp_path / "ca" / "certificate.pem"):
        assert (start - each.not_valid_before_utc).days == 1
        assert (each.not_valid_after_utc - start).days == 3649


def test_a_certificate_names_the_ipv6_address_too(authority: CertificateAuthority, tmp_path: Path) -> None:
    authority.issue(["t.co"], "198.51.100.6", tmp_path, address6="2001:db8::c633:6406")
    shown = subprocess.run(
        ["openssl", "x509", "-in", str(tmp_path / "certificate.pem"), "-noout", "-ext", "subjectAltName"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "IP Address:198.51.100.6, IP Address:2001:DB8:0:0:0:0:C633:6406" in shown


def test_programs_find_the_authority_by_the_name_that_openssl_looks_for(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    place = tmp_path / "authorities"
    place.mkdir()
    (place / f"{root_subject_hash()}.0").write_bytes(authority.certificate.read_bytes())
    argv = ["openssl", "verify", "-no-CAfile", "-CApath", str(place), str(authority.certificate)]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip().endswith(": OK")
    argv = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(authority.certificate)]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip() == root_subject_hash()
