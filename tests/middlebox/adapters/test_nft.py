"""nft's library takes rules as a whole, refuses in its own words, and is told from one that is not there."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from testbed.errors import CertificateError
from testbed.middlebox.adapters import nft

RULES = "table inet mine { chain here { type filter hook input priority 0; policy accept; tcp dport 443 counter; }; }"
PROGRAM = f"""
import subprocess
from testbed.errors import CertificateError
from testbed.middlebox.adapters.nft import load_rules
load_rules({RULES!r})
for _ in range(3):
    load_rules("flush chain inet mine here\\nadd rule inet mine here udp dport 53 accept")
try:
    load_rules("add rule inet mine here tcp dport 80 drop\\nadd rule inet mine nowhere accept")
except CertificateError as error:
    print(error)
print(subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout)
"""
HAS_LIBRARY = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin") is not None

pytestmark = pytest.mark.skipif(not HAS_LIBRARY, reason="no nft here; run: sudo apt-get install nftables")


def test_rules_are_loaded_into_the_namespace_of_the_caller_all_of_them_or_none() -> None:
    if subprocess.run(["unshare", "-rn", "nft", "list", "ruleset"], capture_output=True, check=False).returncode:
        pytest.skip("this machine has no nft rules in a namespace of its own")
    argv = ["unshare", "-rn", sys.executable, "-c", PROGRAM]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    said, _, listed = done.stdout.partition("table inet mine")
    assert said.startswith("nft refused the box's rules: ")
    assert "No such file or directory" in said
    assert [line.strip() for line in listed.splitlines() if "dport" in line] == ["udp dport 53 accept"]


@pytest.mark.parametrize("text", ["nonsense", "table inet mine {", "add rule inet mine here tcp dport nowhere accept"])
def test_what_is_no_rule_is_refused_in_nfts_words(text: str) -> None:
    with pytest.raises(CertificateError, match=r"nft refused the box's rules: .*rror"):
        nft.load_rules(text)


def test_a_library_that_is_not_there_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nft, "_LIBRARY", "libnosuch.so.1")
    nft.load_library.cache_clear()
    with pytest.raises(CertificateError, match=r"libnosuch\.so\.1.*install nftables"):
        nft.load_library()
    nft.load_library.cache_clear()
