"""What the keys in profiles and conformance rows stand for, and where it can be read.

A source is cited by its key and, after a blank, the place in it: ``X21 §6.2``. A key that is not here is a mistake.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["SOURCES", "Source", "keys_in"]


class Source(NamedTuple):
    """A publication, and its address."""

    title: str
    url: str


def _bbs(number: int, subject: str) -> Source:
    return Source(f"net4people/bbs, issue {number}, on {subject}", f"https://github.com/net4people/bbs/issues/{number}")


SOURCES = {
    "X21": Source(
        "Xue, Ramesh, ValdikSS, Evdokimov, Viktorov, Jain, Wustrow, Basso, Ensafi: Throttling Twitter: An Emerging "
        "Censorship Technique in Russia. ACM IMC 2021",
        "https://doi.org/10.1145/3487552.3487858",
    ),
    "CP21": Source(
        "Censored Planet: Throttling of Twitter in Russia, report of 6 April 2021",
        "https://censoredplanet.org/throttling",
    ),
    "X22": Source(
        "Xue, Mixon-Baca, ValdikSS, Ablove, Kujath, Crandall, Ensafi: TSPU: Russia's Decentralized Censorship System. "
        "ACM IMC 2022. Cited after others' notes; the paper itself was not read again",
        "https://doi.org/10.1145/3517745.3561461",
    ),
    "CP22": Source(
        "Censored Planet: summary of X22 by its authors, 2 November 2022", "https://censoredplanet.org/tspu"
    ),
    "OONI22": Source(
        "OONI: New blocks emerge in Russia amid war in Ukraine, 2022",
        "https://ooni.org/post/2022-russia-blocks-amid-ru-ua-conflict/",
    ),
    "OONI-KZ": Source(
        "OONI: Throttling of news media amid Kazakhstan's 2022 presidential election, 2023",
        "https://ooni.org/post/2023-throttling-kz-elections/",
    ),
    "N4P65": _bbs(65, "Twitter in Russia, from March 2021"),
    "N4P106": _bbs(106, "Instagram in Russia, March 2022"),
    "N4P108": _bbs(108, "QUIC in Russia, March 2022"),
    "N4P155": _bbs(155, "social networks in Türkiye, November 2022"),
    "N4P382": _bbs(382, "YouTube in Russia, from July 2024"),
    "N4P417": _bbs(417, "Encrypted Client Hello in Russia, from November 2024"),
    "N4P520": _bbs(520, "whole lines slowed down in China, September 2025"),
    "N4P546": _bbs(546, "several connections at once in Russia, from November 2025"),
    "N4P490": _bbs(490, "foreign data centres in Russia, from June 2025"),
    "ZAPRET1408": Source("bol-van/zapret, issue 1408", "https://github.com/bol-van/zapret/issues/1408"),
    "NTC1724": Source("ntc.party, thread on Twitter, 26 February 2022", "https://ntc.party/t/1724"),
    "NTC3471": Source(
        "ntc.party, thread on social networks in Türkiye, 13 November 2022",
        "https://ntc.party/t/social-networks-being-slowed-down/3471",
    ),
    "MED24": Source(
        "Meduza, 6 August 2024, with ValdikSS's measurements",
        "https://meduza.io/en/feature/2024/08/06/russian-authorities-inform-local-internet-service-providers-that-most-"
        "youtube-access-is-now-capped-at-a-piddling-128-kbps",
    ),
    "CF25": Source(
        "Cloudflare: Russian Internet users are unable to access the open Internet, 26 June 2025",
        "https://blog.cloudflare.com/russian-internet-users-are-unable-to-access-the-open-internet/",
    ),
    "DPICH26": Source(
        "hyperion-cs/dpi-checkers: documentation of dpi-ch, 2026; raw experiments are in utils/l4-25_prober.py",
        "https://github.com/hyperion-cs/dpi-checkers/blob/main/ru/dpi-ch/docs/README.md",
    ),
    "DPICH20": Source(
        "hyperion-cs/dpi-checkers, issue 20, December 2025", "https://github.com/hyperion-cs/dpi-checkers/issues/20"
    ),
    "DPICH83": Source(
        "hyperion-cs/dpi-checkers, issue 83, 2026", "https://github.com/hyperion-cs/dpi-checkers/issues/83"
    ),
    "POL21": Source("polit.reactor.cc, forum text of March 2021", "https://polit.reactor.cc"),
    "DPIDET26": Source("Runnin4ik/dpi-detector, README", "https://github.com/Runnin4ik/dpi-detector"),
    "DWC25": Source(
        "hyperion-cs/dpi-checkers: names that are let through, 2 July 2025",
        "https://github.com/hyperion-cs/dpi-checkers/tree/main/ru/tcp-16-20_dwc",
    ),
    "MEDYA25": Source(
        "Medya Yazar, September 2025, with the research director of NetBlocks",
        "https://www.medyayazar.com/internet-kesintileri-bant-daraltma-degil-erisim-engeli/amp",
    ),
    "OONITR25": Source(
        "OONI: Throttling of Social Media in Türkiye During Protests, 2025",
        "https://ooni.org/post/2025-turkiye-throttling-social-media",
    ),
    "XTLS2451": Source(
        "XTLS/Xray-core, issue 2451, comment of 17 August 2023", "https://github.com/XTLS/Xray-core/issues/2451"
    ),
    "ECO26": Source(
        "Lavrushin: tspu-docs, machine-made transcript of an operator's lecture of 2021",
        "https://github.com/DanielLavrushin/tspu-docs",
    ),
    "AND13": Source("Anderson: Dimming the Internet, 2013", "https://arxiv.org/abs/1306.4361"),
}

_KEY = re.compile(r"\b(?:OONI-[A-Z]+|[A-Z][A-Z0-9]*[0-9]{2,})\b")


def keys_in(text: str) -> list[str]:
    """Return what looks like a key in the text of a source."""
    return [key for key in _KEY.findall(text) if not re.fullmatch(r"AS\d+|SNI-\w+", key)]
