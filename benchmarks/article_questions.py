"""What was asked in March 2021, answered by runs: `docs/explanation/what-was-asked.md` tells what follows from them.

    python benchmarks/article_questions.py                       the tables; about two minutes
    python benchmarks/article_questions.py -o results/questions  the same into answers.md

Names are our own short list of sites that were well known in 2021 and of Russian state sites; it is no ranking.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from testbed import run
from testbed.conformance.bench import Bench
from testbed.conformance.hellos import client_hello
from testbed.scenario.profiles import load_profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from testbed.api import Result, Transfer

RULES = {"ru-tw-2021a": "10 March", "ru-tw-2021b": "11 March", "ru-tw-2021c": "2 April"}
_TWITTER = """
    twitter.com www.twitter.com mobile.twitter.com api.twitter.com t.co abs.twimg.com pbs.twimg.com
    video.twimg.com ads-twitter.com static.ads-twitter.com
"""
_STATE = """
    kremlin.ru government.ru duma.gov.ru council.gov.ru rkn.gov.ru eais.rkn.gov.ru digital.gov.ru minjust.gov.ru
    mid.ru mvd.ru fsb.ru cbr.ru gosuslugi.ru nalog.gov.ru economy.gov.ru mos.ru rt.ru rtcomm.ru rosreestr.gov.ru
    sledcom.ru
"""
_WORLD = """
    google.com www.google.com youtube.com googlevideo.com gstatic.com googleapis.com facebook.com fbcdn.net
    instagram.com whatsapp.com wikipedia.org en.wikipedia.org amazon.com aliexpress.com ebay.com yandex.ru ya.ru
    mail.ru vk.com ok.ru rambler.ru lenta.ru ria.ru tass.ru rbc.ru kommersant.ru vedomosti.ru meduza.io
    novayagazeta.ru echo.msk.ru tvrain.ru gazeta.ru kp.ru iz.ru rg.ru rt.com russian.rt.com sputniknews.com
    championat.com sports.ru sport-express.ru reddit.com www.reddit.com microsoft.com www.microsoft.com live.com
    office.com windowsupdate.com azure.com bing.com linkedin.com github.com githubusercontent.com
    raw.githubusercontent.com gitlab.com stackoverflow.com apple.com icloud.com netflix.com twitch.tv
    spotify.com steampowered.com steamcontent.com roblox.com epicgames.com ea.com playstation.com xbox.com
    discord.com telegram.org t.me signal.org viber.com skype.com zoom.us slack.com dropbox.com mozilla.org
    opera.com cloudflare.com akamaized.net akamaihd.net fastly.net cloudfront.net amazonaws.com digitalocean.com
    hetzner.com avito.ru ozon.ru wildberries.ru sberbank.ru tinkoff.ru alfabank.ru vtb.ru rzd.ru aeroflot.ru
    hh.ru kinopoisk.ru ivi.ru pikabu.ru habr.com 4pda.ru drom.ru auto.ru cian.ru 2gis.ru gismeteo.ru tiktok.com
    pinterest.com tumblr.com medium.com wordpress.com blogspot.com livejournal.com nytimes.com bbc.com cnn.com
    theguardian.com reuters.com bloomberg.com spiegel.de lemonde.fr elpais.com nasa.gov booking.com airbnb.com
    tripadvisor.com paypal.com visa.com mastercard.com samsung.com huawei.com xiaomi.com nvidia.com intel.com
    amd.com adobe.com oracle.com ibm.com cisco.com docker.com python.org debian.org pinterest.co.uk target.com
    walmart.com costco.com nextcloud.com att.com comcast.com tencent.com scotiabank.com marriott.com
    walgreens.com dot.com boot.com throttletwitter.com rknsoset.com
"""


TWITTER, STATE, WORLD = (text.split() for text in (_TWITTER, _STATE, _WORLD))


def is_hit(profile: str, name: str) -> bool:
    """Whether a connection with that name in its hello is slowed down, by the inspector itself."""
    return Bench(load_profile(profile).profile).connect().up(client_hello(name)).throttles()


def collateral() -> Iterator[str]:
    """How far the rule of each date reached."""
    yield "| rule of | of 10 names of Twitter's | of other names | which |"
    yield "|---|---|---|---|"
    others = sorted({*STATE, *WORLD})
    for profile, date in RULES.items():
        hit = [name for name in others if is_hit(profile, name)]
        own = sum(is_hit(profile, name) for name in TWITTER)
        yield f"| {date} | {own} | {len(hit)} of {len(others)} | {', '.join(hit) or '–'} |"
    state = [name for name in STATE if is_hit("ru-tw-2021a", name)]
    yield f"\nOf {len(STATE)} state names the rule of 10 March hits {len(state)}: {', '.join(state) or 'none'}."


ABROAD = ["twitter.com", "example.com", "instagram.com", "facebook.com", "youtube.com"]
ORIGINS: dict[str, Any] = {"origin": {"serves": ABROAD}, "state": {"serves": ["kremlin.ru"]}}


def scenario(**more: object) -> dict[str, Any]:
    """A landline and a server abroad, another at home."""
    return {
        "format": 1, "title": "Questions", "about": "What was asked.", "date": "2021-03-10T09:00Z",
        "network": {"topology": "russia2021"},
        "lines": [{"name": "line", "kind": "landline", "tspu": True, "down": "20 Mbit/s", "up": "10 Mbit/s"}],
        "censors": {"tspu": "ru-tw-2021a"}, "variation": "natural",
        "origins": ORIGINS,
    } | more  # fmt: skip


def page(name: str, objects: int, size: str) -> list[dict[str, Any]]:
    """A page as a browser of 2021 fetches it: over six connections, so many objects on each."""
    role = "target" if name == "twitter.com" else "control"
    return [{"fetch": name, "role": role, "parallel": 6, "objects": objects, "size": size, "timeout": "900 s"}]


def made(name: str, document: dict[str, Any]) -> Iterator[Result]:
    """One run, in a folder that goes away."""
    with tempfile.TemporaryDirectory() as folder:
        result = run(document, output=Path(folder) / name)
        yield result


def of(result: Result, name: str) -> list[Transfer]:
    """The transfers that asked for a name."""
    return [each for each in result.transfers if each.sni == name]


def longest_s(transfers: Sequence[Transfer]) -> float:
    """When the last of them had ended, since the first began."""
    begun = min(each.start_s or 0.0 for each in transfers)
    return max((each.end_s or 0.0) for each in transfers) - begun


def what_a_user_saw() -> Iterator[str]:
    """A page, a photo and a film, with and without the box."""
    yield "| what | with Twitter's name | another name |"
    yield "|---|---|---|"
    for what, parts in (
        ("text and scripts, 360 kB: 6 connections, 3 objects of 20 kB each", (3, "20 kB")),
        ("a timeline with pictures, 6 MB: 6 connections, 10 objects of 100 kB each", (10, "100 kB")),
    ):
        for result in made("page", scenario(measurements=[*page("twitter.com", *parts), *page("example.com", *parts)])):
            slow, fast = (
                [each for each in result.transfers if each.sni == name] for name in ("twitter.com", "example.com")
            )
            yield f"| {what} | {longest_s(slow):.0f} s | {longest_s(fast):.1f} s |"
    one = [{"fetch": name, "role": "control", "size": size, "timeout": "900 s"}
           for size in ("383 kB", "4 MB") for name in ("twitter.com", "example.com")]  # fmt: skip
    for result in made("one", scenario(measurements=one)):
        times = [each.duration_s or 0.0 for each in result.transfers]
        yield f"| one photo of 383 kB | {times[0]:.0f} s | {times[1]:.1f} s |"
        yield f"| half a minute of film, 4 MB | {times[2]:.0f} s | {times[3]:.1f} s |"


CAUSES: dict[str, dict[str, object]] = {
    "the rule t.co": {},
    "a gateway that fails": {"events": [{"outage": {"link": ["gateway", "state"], "from": "0 s", "until": "10 h"}}]},
    "a gateway that loses every fourth packet": {"links": [{"between": ["gateway", "state"], "loss": "25 %"}]},
    "a server under load": {
        "origins": {**ORIGINS, "state": {**ORIGINS["state"], "rate": "30 kbit/s", "think": "lognormal(8 s, 0.5)"}}
    },
}  # fmt: skip


def state_sites() -> Iterator[str]:
    """What a fetch of a state site looks like under each explanation, and what detectors say of it."""
    yield "| explanation | kremlin.ru | time | twitter.com | who calls kremlin.ru throttled |"
    yield "|---|---|---|---|---|"
    fetches = [
        {"fetch": name, "role": role, "size": "100 kB", "timeout": "30 s", "repeat": 2}
        for name, role in (("kremlin.ru", "target"), ("twitter.com", "target"), ("example.com", "control"))
    ]
    for cause, changes in CAUSES.items():
        for result in made("state", scenario(measurements=fetches, **changes)):
            site, other = of(result, "kremlin.ru"), of(result, "twitter.com")
            errors = [str(each.error) for each in site if not each.ok]
            ended = errors[0] if errors else f"{median(each.goodput_bps or 0 for each in site) / 1000:.0f} kbit/s"
            took = median((each.end_s or 0.0) - (each.start_s or 0.0) for each in site)
            speed = median(each.goodput_bps or 0 for each in other) / 1000
            yield f"| {cause} | {ended} | {took:.1f} s | {speed:.0f} kbit/s | {verdicts(result, 'kremlin.ru')} |"


def verdicts(result: Result, name: str) -> str:
    """Which detectors call the transfers of a name throttled."""
    command = [sys.executable, "-m", "testbed.cli", "detect", str(result.path), "--json"]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    wanted = {each.id for each in result.transfers if each.sni == name}
    found = [each["detector"] for each in said if each["outcome"] == "throttled" and each["subject"] in wanted]
    return ", ".join(dict.fromkeys(found)) or "nobody"


def up_to_blocking() -> Iterator[str]:
    """The announced next step, by the ways in which boxes of 2022 blocked, and by address as in 2018."""
    yield "| step | twitter.com | example.com, at the same address |"
    yield "|---|---|---|"
    address = {"based_on": "ru-2022-IV", "rules": [{"id": "address", "address": ["198.51.100.0/24"]}],
               "trigger": {"address_rules": "open"}}  # fmt: skip
    steps: dict[str, Any] = {
        "throttled, as in 2021": "ru-tw-2021c", "answers turned into resets (2022)": "ru-2022-I",
        "silence after some packets (2022)": "ru-2022-II", "silence from the hello on (2022)": "ru-2022-IV",
        "by address, as in 2018": address,
    }  # fmt: skip
    fetches = [
        {"fetch": name, "role": "control", "size": "100 kB", "timeout": "20 s"}
        for name in ("twitter.com", "example.com")
    ]
    for step, censor in steps.items():
        for result in made("step", scenario(measurements=fetches, censors={"tspu": censor})):
            cells = []
            for each in result.transfers:
                took = (each.end_s or 0.0) - (each.start_s or 0.0)
                cells.append(f"{took:.1f} s" if each.ok else f"{each.error}, after {took:.1f} s")
            yield f"| {step} | {' | '.join(cells)} |"


def other_sites() -> Iterator[str]:
    """The same measure on others, each with what people do there."""
    yield "| site | what | with the measure | without |"
    yield "|---|---|---|---|"
    sites = (
        ("instagram.com", "ten photos", "2 MB"),
        ("facebook.com", "a page", "3 MB"),
        ("youtube.com", "10 s", "6 MB"),
    )
    for name, what, size in sites:
        censor = {"based_on": "ru-tw-2021c", "rules": [{"id": "site", "suffix": [name]}]}
        fetches = [
            {"fetch": each, "role": "control", "size": size, "timeout": "900 s"} for each in (name, "example.com")
        ]
        for result in made("site", scenario(measurements=fetches, censors={"tspu": censor})):
            slow, fast = (each.duration_s or 0.0 for each in result.transfers)
            yield f"| {name} | {what}, {size} | {slow:.0f} s | {fast:.1f} s |"


QUESTIONS = (
    ("What would a user have seen?", what_a_user_saw),
    ("Could the rule have taken the state sites down?", state_sites),
    ("How far did the rules reach?", collateral),
    ("What would blocking have looked like?", up_to_blocking),
    ("The same measure on others", other_sites),
)


def main() -> None:
    """Print or write every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    lines = ["# Questions of March 2021", "", "Made by `python benchmarks/article_questions.py -o results/questions`."]
    for question, answer in QUESTIONS:
        print(question, file=sys.stderr, flush=True)
        lines += ["", f"## {question}", "", *answer()]
    text = "\n".join(lines) + "\n"
    if arguments.output is None:
        print(text, end="")
        return
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "answers.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
