"""The emulator against what others know: formulas, another simulator, and the crowd of 2021.

    python benchmarks/cross_checks.py
    python benchmarks/cross_checks.py --ns3 PYTHON        an interpreter that has the package ns3 (PyPI)
    python benchmarks/cross_checks.py --crowd FOLDER      github.com/4ndv/russia-twitter-throttle: data/2021-*/*.csv

Mathis        goodput under random loss against M. Mathis et al., Computer Communication Review 27 (1997):
              MSS / RTT * sqrt(3 / (2 p)), for Linux counts the segments that an acknowledgement covers
full queue    the rise of the round-trip time at a bottleneck against the length of its queue
policer       goodput against the policer's rate, by congestion control and burst; T. Flach et al. (SIGCOMM 2016) report
              what policing costs flows, and that BBR keeps to the rate that it estimates
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import ks_2samp

from testbed import run
from testbed.detectors.sources.observe import observe
from testbed.detectors.tools.rtt import rtt_by_packet, sent_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from testbed.api import Result

MSS = 1448  # with timestamps
SEEDS = (1, 2, 3)
THROTTLED_KBPS, CONTROL_FACTOR = 200, 2  # of the crowd's rows: what its authors call throttled
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def world(*, down: str, delay: str, **more: object) -> dict[str, Any]:
    """One line, one server, and one download of twitter.com; the delay is one way, of the whole path."""
    return {
        "format": 1, "title": "Cross-check", "about": "One download.", "date": "2021-03-12T09:00Z",
        "network": {"topology": "dumbbell", "parameters": {"bottleneck_rate": "200 Mbit/s", "bottleneck_delay": delay}},
        "lines": [{"name": "line", "kind": "landline", "tspu": False, "down": down, "up": down, "delay": "1 ms"}],
        "origins": {"server1": {"serves": ["twitter.com"]}},
        "measurements": [{"fetch": "twitter.com", "size": "4 MB", "role": "target", "timeout": "900 s"}],
    } | more  # fmt: skip


def runs(scenario: dict[str, Any], seeds: Sequence[int] = SEEDS) -> Iterator[Result]:
    """Run a scenario with several seeds, each in a folder that goes away."""
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            result = run(scenario, seed=seed, output=Path(folder) / "run")
            if not result.valid:
                raise SystemExit(f"a run must not be scored: {result.problems}")
            yield result


def goodput_bps(scenario: dict[str, Any]) -> float:
    """Median over seeds of the first transfer's goodput."""
    return float(np.median([result.transfers[0].goodput_bps or 0.0 for result in runs(scenario)]))


def mathis() -> None:
    """Reno under random loss, at two round-trip times."""
    print("\n| round trip | loss | Mathis | measured | ratio |\n|---|---|---|---|---|")
    for delay_ms in (14, 49):  # and 1 ms of the line: 30 and 100 ms there and back
        for loss in (0.005, 0.01, 0.02):
            rtt_s = 2 * (delay_ms + 1) / 1000
            expected = MSS * 8 / rtt_s * (3 / (2 * loss)) ** 0.5
            links = [{"between": ["left", "right"], "loss": f"{loss * 100:g} %"}]
            found = goodput_bps(
                world(down="100 Mbit/s", delay=f"{delay_ms} ms", links=links, congestion_control="reno")
            )
            ratio = found / expected
            print(f"| {rtt_s * 1000:.0f} ms | {loss:.1%} | {expected / 1e6:.2f} | {found / 1e6:.2f} | {ratio:.2f} |")


def full_queue() -> None:
    """Cubic fills the queue of its bottleneck: the round-trip time rises by the queue's length."""
    print("\n| queue | rise of the round-trip time | ratio |\n|---|---|---|")
    for queue_ms in (40, 100, 250):
        links = [{"between": ["left", "right"], "rate": "8 Mbit/s", "queue": f"{queue_ms} ms"}]
        rises = []
        for result in runs(world(down="100 Mbit/s", delay="14 ms", links=links)):
            flow = observe([result.path]).transfers[0].sender_flow
            if flow is None:
                raise SystemExit("the run has no capture at its server")
            found = rtt_by_packet(flow, sent_data(flow))
            rises.append(float(np.nanmax(found) - np.nanmin(found)) * 1000)
        rise = float(np.median(rises))
        print(f"| {queue_ms} ms | {rise:.0f} ms | {rise / queue_ms:.2f} |")


def policer(ns3: str | None) -> None:
    """Goodput under a token bucket of 140 kbit/s, as a share of its rate; and the same in ns-3."""
    rate, size, variants = 140_000, 383_000, {"cubic": "TcpCubic", "reno": "TcpLinuxReno", "bbr": "TcpBbr"}
    print(f"\n| congestion control | burst | goodput over rate | {'ns-3' if ns3 else 'ns-3 (not checked)'} |")
    print("|---|---|---|---|")
    for burst in (8_192, 16_384, 65_536):
        for control, variant in variants.items():
            lines = [{"name": "line", "kind": "landline", "tspu": True, "down": "10 Mbit/s", "delay": "1 ms"}]
            bucket = {"rate": f"{rate} bit/s", "burst": f"{burst} B"}
            profile = {"based_on": "ru-tw-2021b", "meter": {"kind": "token_bucket", "token_bucket": bucket}}
            measurements = [{"fetch": "twitter.com", "size": f"{size} B", "role": "target", "timeout": "600 s"}]
            found = goodput_bps(
                world(
                    down="10 Mbit/s", delay="19 ms", lines=lines, congestion_control=control,
                    censors={"tspu": profile}, measurements=measurements,
                )
            )  # fmt: skip
            other = "–"
            if ns3 is not None:
                program = [ns3, str(Path(__file__).parent / "ns3" / "policer.py")]
                words = map(str, (rate, burst, 10_000_000, 20, size, variant))
                done = subprocess.run([*program, *words], capture_output=True, text=True, check=True)
                other = f"{float(done.stdout.split()[-1]) / rate:.2f}"
            print(f"| {control} | {burst / 1024:.0f} KiB | {found / rate:.2f} | {other} |")


def crowd(folder: Path) -> None:
    """Short fetches of many lines beside those that the crowd measured in Russia and that were throttled."""
    real = _crowd_rows(folder)
    print(f"\n| kbit/s | {' | '.join(f'{share:.0%}' for share in QUANTILES)} | KS distance |")
    print(f"|---|{'---|' * (len(QUANTILES) + 1)}\n| the crowd, {len(real)} fetches | {_quantiles(real)} | |")
    for meter in ("token_bucket", "coarse_refill"):
        found = _emulated_crowd(meter, SEEDS[0])
        distance = ks_2samp(found, real).statistic
        print(f"| {meter}, {len(found)} fetches | {_quantiles(found)} | {distance:.2f} |")


def _quantiles(speeds: NDArray[np.float64]) -> str:
    return " | ".join(f"{speed:.0f}" for speed in np.quantile(speeds, QUANTILES))


def _crowd_rows(folder: Path) -> NDArray[np.float64]:
    speeds = []
    for path in sorted(folder.rglob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                target, control = float(row["test_result"] or 0), float(row["control_result"] or 0)
                if row["as_country"] == "RU" and 0 < target < THROTTLED_KBPS and control > CONTROL_FACTOR * target:
                    speeds.append(target)
    if not speeds:
        raise SystemExit(f"{folder}: no rows of the crowd's tests; expected data/2021-*/*.csv of the repository")
    return np.array(speeds)


def _emulated_crowd(meter: str, seed: int) -> NDArray[np.float64]:
    """Forty lines that fetch the crowd test's 3,000 kbit five times each, one after the other."""
    lines = [
        {
            "name": f"line{number}", "kind": "landline", "tspu": True, "down": "uniform(2 Mbit/s, 40 Mbit/s)",
            "delay": "uniform(1 ms, 60 ms)",
        }
        for number in range(40)
    ]  # fmt: skip
    fetches = [{"fetch": "twitter.com", "size": "375 kB", "role": "target", "timeout": "600 s", "repeat": 5}]
    scenario = world(
        down="", delay="20 ms", lines=lines, censors={"tspu": "ru-tw-2021b"}, meter=meter, measurements=fetches,
        variation="natural",
    )  # fmt: skip
    for result in runs(scenario, [seed]):
        return np.array([each.goodput_bps / 1000 for each in result.transfers if each.ok and each.goodput_bps])
    return np.array([])


def main() -> None:
    """Print every table that can be made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ns3", metavar="PYTHON", help="an interpreter with the package ns3")
    parser.add_argument("--crowd", type=Path, metavar="FOLDER", help="the crowd's CSV files")
    arguments = parser.parse_args()
    mathis()
    full_queue()
    policer(arguments.ns3)
    if arguments.crowd is None:
        print("\nThe crowd: not checked; give its CSV files by --crowd.")
    else:
        crowd(arguments.crowd)


if __name__ == "__main__":
    main()
