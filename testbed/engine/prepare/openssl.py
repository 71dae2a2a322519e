"""What the guest's OpenSSL sends in a ClientHello, whatever release the machine has.

A hello decides whether a censor finds it: since OpenSSL 3.5 the hello of a client offers a hybrid key share of 1,216
bytes, no longer fits one segment, and no box of 2021 finds its name. So a scenario says whose hello its clients send.
"""

from __future__ import annotations

import ssl

from testbed.errors import MissingError

__all__ = ["HELLOS", "openssl_configuration"]

# The groups and signature algorithms of OpenSSL 1.1.1, the release of 2018 to 2023: its defaults (ssl/t1_lib.c),
# which are those of OpenSSL 3.0 but for the finite-field groups that 3.0 added.
_GROUPS_2021 = "X25519:P-256:X448:P-521:P-384"
_SIGNATURES_2021 = (
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:ed448:rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:"
    "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:RSA+SHA256:RSA+SHA384:RSA+SHA512"
)
# Browsers send this key share first since 2024 (Chrome 131, Firefox 132; draft-ietf-tls-ecdhe-mlkem).
_GROUPS_2024 = "X25519MLKEM768:X25519:P-256:P-384"
_HYBRID_SINCE = (3, 5)

HELLOS = ("2021", "2024", "system")
_HEAD = "openssl_conf = testbed\n[testbed]\nssl_conf = contexts\n[contexts]\nsystem_default = tls\n[tls]\n"


def openssl_configuration(hello: str) -> str:
    """Return the text of an ``openssl.cnf``.

    Args:
        hello: ``2021``, ``2024``, or ``system`` for whatever this machine's OpenSSL sends by itself.

    Raises:
        MissingError: This machine's OpenSSL cannot send it.
    """
    if hello == "system":
        return ""
    if hello == "2024" and ssl.OPENSSL_VERSION_INFO[:2] < _HYBRID_SINCE:
        raise MissingError(
            f"hello: 2024 needs OpenSSL {'.'.join(map(str, _HYBRID_SINCE))} for its hybrid key share; this machine has "
            f"{ssl.OPENSSL_VERSION} (Debian 13 has 3.5): choose hello: 2021, or run it there"
        )
    groups = _GROUPS_2021 if hello == "2021" else _GROUPS_2024
    return f"{_HEAD}Groups = {groups}\nSignatureAlgorithms = {_SIGNATURES_2021}\n"
