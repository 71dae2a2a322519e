"""Time the policing detector on captures, and all detectors on a run.

Usage: python benchmarks/detectors_speed.py [--captures FOLDER] [--run DIR]
By default the run is a first day made for it, and the captures are those of its servers. The policing lab's captures
(https://github.com/USC-NSL/policing-detection, data/validation) are more and longer.
"""

from __future__ import annotations

import argparse
import lzma
import sys
import tempfile
import time
from pathlib import Path

import dpkt

from testbed.capture import read_capture
from testbed.detectors.methods.pd import segment_rows
from testbed.detectors.registry import detector_names, load_detector
from testbed.detectors.sources.observe import observe
from testbed.detectors.sources.run import split_by_subject
from testbed.engine.kernel import ensure_kernel, kernel_info
from testbed.engine.run import run_plan
from testbed.scenario import library
from testbed.scenario.plan import make_plan

MEGABYTE = 10**6


def time_policing(paths: list[Path]) -> None:
    """Read captures and run PD with both cutoffs; sizes are those of the uncompressed files."""
    size = sum(len(lzma.decompress(p.read_bytes())) if p.suffix == ".xz" else p.stat().st_size for p in paths)
    reading = judging = 0.0
    packets = rows = 0
    for path in paths:
        started = time.perf_counter()
        capture = read_capture(path)
        read = time.perf_counter()
        rows += len(segment_rows(capture.flows))
        judging += time.perf_counter() - read
        reading += read - started
        packets += capture.notes.tcp
    total = reading + judging
    print(f"{len(paths)} captures, {size / MEGABYTE:.0f} MB, {packets} TCP packets, {rows} segments, both cutoffs")
    print(f"  reading {reading:.2f} s, judging {judging:.2f} s")
    print(f"  {len(paths) / total:.1f} captures/s, {size / MEGABYTE / total:.0f} MB/s, {packets / total:.0f} packets/s")


def time_objects(paths: list[Path]) -> None:
    """Parse the same captures into one dpkt object a packet, as the authors' analysis does before it begins."""
    started = time.perf_counter()
    packets = 0
    for path in paths:
        with lzma.open(path) if path.suffix == ".xz" else path.open("rb") as file:
            for _, frame in dpkt.pcap.UniversalReader(file):
                layer = dpkt.ethernet.Ethernet(frame).data
                if isinstance(layer, dpkt.ip.IP) and isinstance(layer.data, dpkt.tcp.TCP):
                    dpkt.tcp.parse_opts(layer.data.opts)
                    packets += 1
    total = time.perf_counter() - started
    print(f"one object a packet, parsing alone: {len(paths) / total:.1f} captures/s, {packets / total:.0f} packets/s")


def time_run(run: Path) -> None:
    """Load a run, then run every detector on every transfer."""
    detectors = [load_detector(name) for name in detector_names()]
    started = time.perf_counter()
    subjects = split_by_subject(observe([run]))
    loaded = time.perf_counter()
    spent = dict.fromkeys(detector_names(), 0.0)
    for _, observation in subjects:
        for detector in detectors:
            begun = time.perf_counter()
            detector.detect(observation)
            spent[detector.name] += time.perf_counter() - begun
    total = sum(spent.values())
    print(
        f"{len(detectors)} detectors on {len(subjects)} transfers: {total:.2f} s once loaded ({loaded - started:.2f} s)"
    )
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1])[:5]:
        print(f"  {name:14} {seconds:.3f} s")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captures", type=Path)
    parser.add_argument("--run", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        run = arguments.run or make_run(Path(name) / "run")
        captures = sorted((arguments.captures or run / "captures").glob("*.pcap*"))
        if arguments.captures is None:
            captures = [path for path in captures if "-server" in path.name]
        time_policing(captures)
        time_objects(captures)
        time_run(run)


def make_run(folder: Path) -> Path:
    """Run the first day."""
    ensure_kernel(progress=lambda text: print(text, file=sys.stderr))
    plan = make_plan(library.find("scenarios", "2021-03-10"), [], seed=1, engine="virtual", command=None)
    run_plan(plan, kernel_info(), folder, silence_s=300, progress=lambda _: None)
    return folder


if __name__ == "__main__":
    main()
