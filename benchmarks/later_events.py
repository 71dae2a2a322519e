"""What came after the first day: events of `scenarios/history/`, each beside its published signature; who saw them?

    python benchmarks/later_events.py                           all of them; about a minute
    python benchmarks/later_events.py 2025-16k                  one
    python benchmarks/later_events.py -o results/later-events   the table into events.md

A signature is what its source tells of the event, tried on what clients of our run saw. Detectors are asked about the
line with the box; `joint` stands beside those that were published.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from testbed import run
from testbed.detectors.sources.observe import observe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from testbed.api import Result, Transfer

Found = tuple[str, bool]
SLOW_HANDSHAKE_S, USUAL_HANDSHAKE_S = 4.0, 2.0  # OONI, 2022 and 2023: over 4 s; over 2 s is slow
IRAN_LOSES, IRAN_NEAR = 0.77, 0.1  # Anderson 2013; as a share of the speed before
BLOCKED_AFTER_S = 7200  # of 2022-twitter: 08:00 UTC
CURTAIN_BYTES = range(13_000, 20_001)  # Cloudflare 2025: 16 kB; N4P490: 15 to 20, with what TLS adds
PACKETS_BYTES = 34_000  # dpi-checkers: 14 to 34 kB
HELLOS, BEFORE_THE_FOURTH = 8, 3
AS_EVER = 0.8  # of another's speed
PENALTY_BPS = 5e6
NEAR_RATE = 0.85  # payload is that much of what a policer passes, at least
PICTURE_BYTES, FIRST_PICTURE_S = 160_000, 11.0
RISE = 1.5  # ntc.party 3471: 17.8 s after 7.8 s
NEAR_TIME = 0.25  # of a time that a single user measured once, or of a mean over players that were not published
FREEZE_BYTES = range(60_000, 80_001)  # XTLS 2451: 70.7 kB
HEAD = (
    "# Later events beside what was published", "",
    "Made by `python benchmarks/later_events.py -o results/later-events`. Profiles were given published numbers where",
    "there are any, so agreement says that the event as told is what comes out, and predicts nothing. Detectors were",
    "asked about the targets of the line with the box; blocking and freezing are no throttling, and whoever calls them",
    "so is wrong. What *agrees* asks of each event is in the program: a signature, such as a handshake over four",
    "seconds, and not every number of a source. No meter's size was published: those of Türkiye 2022 and YouTube 2024",
    "were chosen by the times and speeds that were.", "",
)  # fmt: skip


class Event(NamedTuple):
    """One event: its scenario, what was published, where, how that is tried on a run; why ours differs, if so."""

    scenario: str
    published: str
    source: str
    check: Callable[[Result], Found]
    line: str = "line"
    differs: str = ""


def of(result: Result, line: str = "line", role: str | None = None) -> list[Transfer]:
    """The transfers of a line, in order, or those of a role."""
    return [each for each in result.transfers if each.line == line and role in {None, each.role}]


def speed(transfers: Sequence[Transfer]) -> float:
    """Median goodput, bits a second; 0 for those that failed."""
    return median(each.goodput_bps or 0.0 for each in transfers)


def speed_after_handshake(transfer: Transfer) -> float:
    """Bits a second from the end of the handshake on."""
    return transfer.bytes * 8 / ((transfer.duration_s or math.inf) - (transfer.handshake_s or 0.0))


def handshake(transfers: Sequence[Transfer]) -> float:
    """Median time of the TLS handshake."""
    return median(math.inf if each.handshake_s is None else each.handshake_s for each in transfers)


def on_the_wire(result: Result) -> dict[str, tuple[float, int]]:
    """Of each transfer, when the server's first payload came, and how many bytes of payload in all: as captured."""
    found = {}
    for each in observe([result.path]).transfers:
        if each.times_s.size:
            found[each.id] = float(each.times_s[0]), int(each.bytes[-1])
    return found


def _iran_2011(result: Result) -> Found:
    slow, fast = ([each for each in result.transfers if each.throttled == which] for which in (True, False))
    loses, names = 1 - speed(slow) / speed(fast), sorted({each.name for each in slow})
    return f"{loses:.0%} less, for {' and '.join(names)}", abs(loses - IRAN_LOSES) < IRAN_NEAR and len(names) > 1


def _twitter_2022(result: Result) -> Found:
    asked = [each for each in result.transfers if each.line != "free" and each.sni == "twitter.com"]
    before = [each for each in asked if each.action == "token_bucket"]
    after = [each for each in asked if each.action == "rewrite"]
    arrived = on_the_wire(result)
    first_s = median(arrived[each.id][0] for each in before)
    facebook = [each for each in result.transfers if each.sni == "facebook.com" and each.line != "free"]
    spared = all(each.ok == ((each.start_s or 0.0) < BLOCKED_AFTER_S) for each in facebook)
    given_up = sum(not each.ok for each in before)
    reset = sum("reset" in str(each.error).lower() for each in after)
    said = (
        f"first bytes after {first_s:.1f} s, {given_up} of {len(before)} given up; then {reset} of {len(after)} reset"
    )
    return said, first_s >= SLOW_HANDSHAKE_S and given_up == len(before) and reset == len(after) and spared


def _quic_2022(result: Result) -> Found:
    boxed = [each for each in result.transfers if each.protocol == "http/3" and each.line != "free"]
    others = [each for each in result.transfers if each not in boxed]
    failed, arrived = sum(not each.ok for each in boxed), sum(each.ok for each in others)
    said = f"{failed} of {len(boxed)} over QUIC fail, {arrived} of {len(others)} others arrive"
    return said, failed == len(boxed) and arrived == len(others)


def _kazakhstan(result: Result) -> Found:
    slow, fast = handshake(of(result, role="target")), handshake(of(result, role="control"))
    said = f"handshakes {slow:.1f} s, of i.pinimg.com {fast:.2f} s"
    return said, slow > SLOW_HANDSHAKE_S and fast < USUAL_HANDSHAKE_S


def _turkiye_2022(result: Result) -> Found:
    # As `time curl` has it: to the end, whatever the end was.
    first, named, again, elsewhere = ((each.end_s or math.inf) - (each.start_s or 0.0) for each in of(result))
    refused = "CERTIFICATE" in str(of(result)[1].error)
    said = f"{first:.1f} s, as facebook.com {named:.1f} s, then {again:.1f} s; elsewhere {elsewhere:.1f} s"
    near = all(abs(ours / theirs - 1) < NEAR_TIME for ours, theirs in ((named, 7.75), (again, 17.77)))
    return said, refused and near and again > RISE * named > RISE * first and elsewhere < first * 2


def _iran_2023(result: Result) -> Found:
    home, small, large, down = of(result)
    said = f"of 200 kB up {large.bytes / 1000:.0f} kB arrive; 2 MB down {'arrive' if down.ok else 'do not'}"
    return said, home.ok and small.ok and not large.ok and large.bytes in FREEZE_BYTES and down.ok


def _ech(result: Result) -> Found:
    both, *others = (each.ok for each in of(result))
    said = f"both together {'answered' if both else 'unanswered'}; {sum(others)} of {len(others)} others answered"
    return said, not both and all(others)


def _curtain(result: Result) -> Found:
    listed, small, large = of(result)
    got = on_the_wire(result)[large.id][1]
    said = f"8 kB arrive, of 200 kB {got / 1000:.0f} kB"
    return said, listed.ok and small.ok and not large.ok and got in CURTAIN_BYTES


def _packets(result: Result) -> Found:
    targets, arrived = of(result, role="target"), on_the_wire(result)
    frozen = [each for each in targets if not each.ok]
    ways = {(each.kind, each.protocol) for each in targets}
    got = [arrived[each.id][1] for each in frozen if each.kind == "fetch" and each.id in arrived]
    said = f"{len(frozen)} of {len(targets)} freeze; downloads over TCP after {max(got) / 1000:.0f} kB at most"
    is_each_way = {(each.kind, each.protocol) for each in frozen} == ways
    return said, is_each_way and len(frozen) < len(targets) and max(got) <= PACKETS_BYTES


def _parallel(result: Result) -> Found:
    hellos = [each.ok for each in of(result)]
    chrome, plain, late = hellos[:HELLOS], hellos[HELLOS:-1], hellos[-1]
    said = (
        f"{sum(chrome)} of {HELLOS} as Chrome, {sum(plain)} of {len(plain)} as OpenSSL; "
        f"after two minutes {'answered' if late else 'unanswered'}"
    )
    rest = HELLOS - BEFORE_THE_FOURTH
    return said, chrome == [True] * BEFORE_THE_FOURTH + [False] * rest and all(plain) and late


def _turkiye_2025(result: Result) -> Found:
    targets, controls = of(result, role="target"), of(result, role="control")
    after = median(map(speed_after_handshake, targets)) / median(map(speed_after_handshake, controls))
    slow, fast = handshake(targets), handshake(controls)
    said = f"handshakes {slow:.1f} s beside {fast:.2f} s, then {after:.0%} of the other's speed"
    return said, slow > USUAL_HANDSHAKE_S > fast and after > AS_EVER


def _china(result: Result) -> Found:
    before, after = (speed([each]) for each in of(result, role="control"))
    _, neighbour = (speed([each]) for each in of(result, "neighbour", "control"))
    said = f"home.example {before / 1e6:.0f}, then {after / 1e6:.1f} Mbit/s; for the neighbour {neighbour / 1e6:.0f}"
    return said, after < PENALTY_BPS and neighbour > AS_EVER * before


def _youtube(result: Result) -> Found:
    def fetched(line: str, protocol: str, *, picture: bool) -> Transfer:
        return next(
            each
            for each in of(result, line, "target")
            if (each.protocol or "http/1.1") == protocol and (each.bytes <= PICTURE_BYTES) == picture
        )

    tcp, quic = (speed([fetched(*which, picture=False)]) for which in (("tls", "http/1.1"), ("quic", "http/3")))
    free_s, slow_s = (fetched(line, "http/1.1", picture=True).duration_s or 0.0 for line in ("free", "tls"))
    said = f"TCP {tcp / 1000:.0f}, QUIC {quic / 1000:.0f} kbit/s; 160 kB after {slow_s:.1f} s, else {free_s:.1f} s"
    near = NEAR_RATE < tcp / 128_000 <= 1 and NEAR_RATE < quic / 512_000 <= 1
    return said, near and abs(slow_s / FIRST_PICTURE_S - 1) < NEAR_TIME and free_s < USUAL_HANDSHAKE_S


EVENTS = (
    Event("2011-iran", "median download 77 % less, whatever the name", "Anderson 2013", _iran_2011),
    Event("2022-twitter", "first bytes after about 5 s, handshakes given up after 10; from 08:00 resets",
          "OONI 2022; ntc.party 1724", _twitter_2022, "mobile"),
    Event("2022-quic", "QUIC version 1 unanswered abroad, TCP unharmed", "N4P108", _quic_2022, "version"),
    Event("2022-kazakhstan", "handshakes often over 4 s, of i.pinimg.com not", "OONI 2023", _kazakhstan),
    Event("2022-turkiye", "0.9 s; as facebook.com 7.8 s, to the refused certificate; then 17.8 s without it",
          "ntc.party 3471", _turkiye_2022),
    Event("2023-iran", "70 kB up, then nothing; down goes on", "XTLS 2451", _iran_2023),
    Event("youtube-2024", "128 kbit/s over TCP, about 512 over QUIC; first picture after 11 s, else 1.2 s",
          "Meduza 2024; Vigo 2024", _youtube, "tls"),
    Event("2024-ech", "name and extension together unanswered, neither alone", "N4P417", _ech),
    Event("2025-16k", "the first 15 to 20 kB", "Cloudflare 2025; N4P490", _curtain),
    Event("2025-packets", "25 packets of both directions; up, down and QUIC; not every connection; 14 to 34 kB",
          "dpi-checkers", _packets),
    Event("2025-parallel-hellos", "from the fourth at once on unanswered; other hellos, and a minute later, as ever",
          "N4P546; dpi-checkers", _parallel),
    Event("2025-turkiye", "handshakes far longer, no limit of the rate", "OONI 2025", _turkiye_2025),
    Event("2025-china", "the whole line from 100 to 5 Mbit/s", "N4P520", _china),
)  # fmt: skip
"""N4P: github.com/net4people/bbs/issues; each scenario's file has the addresses of its sources."""


def seen_by(result: Result, line: str) -> str:
    """Which detectors call one of the line's targets throttled, or the line."""
    command = [sys.executable, "-m", "testbed.cli", "detect", str(result.path), "--json"]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    spared = {each.id for each in result.transfers if each.line != line or each.role != "target"}
    found = [each["detector"] for each in said if each["outcome"] == "throttled" and each["subject"] not in spared]
    return ", ".join(dict.fromkeys(found)) or "none"


def row(event: Event) -> str:
    """Run an event; return its row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        result = run(event.scenario, output=Path(folder) / "run")
        said, agrees = event.check(result)
        seen = seen_by(result, event.line)
    mark = "yes" if agrees else f"**no**: {event.differs or 'not explained'}"
    return f"| `{event.scenario}` | {event.published} | {event.source} | {said} | {mark} | {seen} |"


def main() -> None:
    """Print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="*", help="default: all")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    if unknown := set(arguments.scenario) - {event.scenario for event in EVENTS}:
        parser.error(f"no such event: {', '.join(sorted(unknown))}")
    if arguments.scenario and arguments.output is not None:
        parser.error("-o is for the whole table; leave the names out, or print")
    lines = [*HEAD, "| event | published | source | ours | agrees | called throttled by |", "|---|---|---|---|---|---|"]
    for event in EVENTS:
        if not arguments.scenario or event.scenario in arguments.scenario:
            print(event.scenario, file=sys.stderr, flush=True)
            lines.append(row(event))
    text = "\n".join(lines) + "\n"
    if arguments.output is None:
        print(text, end="")
        return
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "events.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
