"""How often each detector is right where something resembles throttling: conditions x seeds, judged line by line.

Every cell is a run of scenarios/confounders/pairs.yaml: three fetches of a target and three of a control in turn, on a
line with a TSPU and on one without. Ground truth gives the label. The seeds were used for nothing else. Takes
two minutes on two processors.

    python benchmarks/detectors_accuracy.py [--seeds 101 102 …] [--detail]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.detectors.registry import load_detector
from testbed.detectors.sources.observe import observe
from testbed.engine.kernel import ensure_kernel, kernel_info
from testbed.engine.run import run_plan
from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from testbed.detectors.observation import Observation
    from testbed.records.manifest import Manifest

SEEDS = (101, 102, 103, 104, 105)
DETECTORS = (
    "pd", "shaperprobe", "wehe", "wehe-server", "wehe-research", "wehe-2015", "glasnost", "bbr-lt", "replay", "crowd",
    "ooni", "signatures", "token-bucket", "joint",
)  # fmt: skip
PARAMETERS = "network.parameters."
NO_CENSOR = "censors={}"

# Censors that single the target out as that of 2021 does, and then do something else. Written to a folder for each run.
_CENSOR = """name: {name}
family: {name}
based_on: ru-tw-2021b
summary: for a benchmark
valid_from: {{value: null, grade: assumption, source: ""}}
valid_until: {{value: null, grade: assumption, source: ""}}
"""
_METER = """meter:
  kind: {{value: {kind}, grade: assumption, source: ""}}
  counts: {{value: ip_length, grade: assumption, source: ""}}
{others}  {kind}:
"""
_ACTION = """meter: null
action:
  kind: {{value: {kind}, grade: assumption, source: ""}}
"""


def _censor(section: str, kind: str, **values: str) -> str:
    """A profile's YAML without its head."""
    indent = "    " if section is _METER else "  "
    leaves = [f'{indent}{key}: {{value: {value}, grade: assumption, source: ""}}' for key, value in values.items()]
    others = "".join(f"  {name}: null\n" for name in ("token_bucket", "coarse_refill") if name != kind)
    return section.format(kind=kind, others=others) + "\n".join(leaves) + "\n"


CENSORS = {
    "shaper": _censor(_METER, "shaper", rate="140 kbit/s", burst="3 kB", queue="30 kB"),
    "deep-shaper": _censor(_METER, "shaper", rate="400 kbit/s", burst="3 kB", queue="120 kB"),
    "no-burst": _censor(_METER, "token_bucket", rate="128 kbit/s", burst="3 kB"),
    "megabit": _censor(_METER, "token_bucket", rate="1 Mbit/s", burst="30 kB"),
    "random-drop": _censor(_METER, "random_pass", pass_share="85 %"),  # noqa: S106 - the packets that pass are no password
    "quota": _censor(_METER, "byte_quota", quota="16 KiB"),
    "delay": _censor(_ACTION, "delay", directions="[down]", delay="2 s"),
    "reset": _censor(_ACTION, "reset", reset_to="[inside, outside]"),
    "silence": _censor(_ACTION, "drop", after_packets="[5, 8]"),
}
CENSOR = "censor of its own: "

# Section by section what is known to mislead detectors; the settings that make it.
CONDITIONS: dict[str, tuple[str, ...]] = {
    "throttled: token bucket": (),
    "throttled: coarse refill": ("meter=coarse_refill",),
    "throttled, slow line": (f"{PARAMETERS}mobile_down=1 Mbit/s", f"{PARAMETERS}queue=30"),
    "throttled, limit near the line's rate": (f"{PARAMETERS}mobile_down=250 kbit/s", f"{PARAMETERS}queue=30"),
    "throttled, random loss 1 %": (f"{PARAMETERS}access_loss=1 %",),
    "throttled, busy border": (f"{PARAMETERS}border_rate=2 Mbit/s",),
    "throttled, BBR": ("congestion_control=bbr",),
    "throttled, Reno": ("congestion_control=reno",),
    "throttled, RTT 550 ms": (f"{PARAMETERS}abroad_delay=250 ms",),
    "throttled, February 2022": ("date=2022-02-27", "censors.tspu=ru-tw-2022-III"),
    "throttled: shaper with a short queue": (CENSOR + "shaper",),
    "throttled: shaper with a deep queue": (CENSOR + "deep-shaper",),
    "throttled, no burst": (CENSOR + "no-burst",),
    "throttled to 1 Mbit/s": (CENSOR + "megabit",),
    "throttled: 15 % dropped at random": (CENSOR + "random-drop",),
    "throttled: every packet 2 s late": (CENSOR + "delay",),
    "frozen after 16 kB": (CENSOR + "quota",),
    "reset": (CENSOR + "reset",),
    "dropped in silence": (CENSOR + "silence",),
    "clean": (NO_CENSOR,),
    "clean, BBR": (NO_CENSOR, "congestion_control=bbr"),
    "clean, RTT 550 ms": (NO_CENSOR, f"{PARAMETERS}abroad_delay=250 ms"),
    "random loss 1 %": (NO_CENSOR, f"{PARAMETERS}access_loss=1 %"),
    "random loss 2 %": (NO_CENSOR, f"{PARAMETERS}access_loss=2 %"),
    "random loss 5 %": (NO_CENSOR, f"{PARAMETERS}access_loss=5 %"),
    "busy border": (NO_CENSOR, f"{PARAMETERS}border_rate=2 Mbit/s"),
    "busy border, small buffer": (NO_CENSOR, f"{PARAMETERS}border_rate=1 Mbit/s", f"{PARAMETERS}border_queue=10"),
    "deep buffer": (NO_CENSOR, f"{PARAMETERS}border_rate=1 Mbit/s", f"{PARAMETERS}border_queue=1000"),
    "buffer of 8 packets": (
        NO_CENSOR, f"{PARAMETERS}mobile_down=3 Mbit/s", f"{PARAMETERS}landline_down=3 Mbit/s", f"{PARAMETERS}queue=8",
    ),
    "plan of 128 kbit/s": (
        NO_CENSOR, f"{PARAMETERS}mobile_down=128 kbit/s", f"{PARAMETERS}landline_down=128 kbit/s",
        f"{PARAMETERS}queue=20",
    ),
    "slow server": (NO_CENSOR, f"{PARAMETERS}origin_rate=400 kbit/s"),
    "path fails for 5 s": (NO_CENSOR, "outages=[{link: [border, transit], from: 2 s, until: 7 s, about: a pause}]"),
}  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """One detector's outcome on one line of one run."""

    condition: str
    seed: int
    line: str
    throttled: bool
    detector: str
    outcome: str


def cell(condition: str, seed: int) -> list[Judged]:
    """Run one condition with one seed, and let every detector judge each line of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        settings = [_written(setting, Path(name)) for setting in CONDITIONS[condition]]
        scenario = library.find("scenarios", "confounders/pairs")
        plan = make_plan(scenario, settings, seed=seed, engine="virtual", command=None)
        manifest = run_plan(plan, kernel_info(), folder, silence_s=300, progress=lambda _: None)
        if not manifest["valid"]:
            raise SystemExit(f"{condition}, seed {seed}: invalid run: {manifest['problems']}")
        observation = observe([folder])
        lines = dict.fromkeys(each["line"] for each in manifest["transfers"])
        return [
            Judged(condition, seed, line, _label(manifest, line), detector, _outcome(detector, observation, line))
            for line in lines
            for detector in DETECTORS
        ]


def _written(setting: str, folder: Path) -> str:
    if not setting.startswith(CENSOR):
        return setting
    name = setting.removeprefix(CENSOR)
    path = folder / f"{name}.yaml"
    path.write_text(_CENSOR.format(name=name) + CENSORS[name])
    return f"censors.tspu={path}"


def _label(manifest: Manifest, line: str) -> bool:
    return any(each["throttled"] for each in manifest["transfers"] if each["line"] == line)


def _outcome(detector: str, observation: Observation, line: str) -> str:
    chosen = tuple(each for each in observation.transfers if each.labels["line"] == line)
    return str(load_detector(detector).detect(replace(observation, transfers=chosen)).outcome)


def table(judged: list[Judged]) -> str:
    """A row a detector. It counts conditions (one line of one), not runs: seeds of a condition repeat it."""
    lines = [
        "| detector | found always | sometimes | never | false alarm always | sometimes | right always |",
        "|---|---|---|---|---|---|---|",
    ]
    rows = []
    for detector in DETECTORS:
        cells: dict[tuple[str, str, bool], list[str]] = {}
        for each in judged:
            if each.detector == detector:
                cells.setdefault((each.condition, each.line, each.throttled), []).append(each.outcome)
        hits = [sum(said == "throttled" for said in each) / len(each) for (*_, label), each in cells.items() if label]
        alarms = [
            sum(said == "throttled" for said in each) / len(each) for (*_, label), each in cells.items() if not label
        ]
        right = sum(
            all(said == ("throttled" if label else "not throttled") for said in each)
            for (*_, label), each in cells.items()
        )
        counts = (
            f"{hits.count(1.0)} of {len(hits)}",
            sum(0 < share < 1 for share in hits),
            hits.count(0.0),
            f"{alarms.count(1.0)} of {len(alarms)}",
            sum(0 < share < 1 for share in alarms),
            f"{right} of {len(cells)}",
        )
        rows.append((right, f"| `{detector}` | {' | '.join(map(str, counts))} |"))
    return "\n".join(lines + [text for _, text in sorted(rows, key=lambda row: -row[0])])


def wrong(judged: list[Judged], detector: str) -> str:
    """Where a detector was wrong or abstained, condition by condition."""
    lines = []
    for each in judged:
        expected = "throttled" if each.throttled else "not throttled"
        if each.detector == detector and each.outcome != expected:
            lines.append(f"  {each.condition}, {each.line}, seed {each.seed}: {expected}, judged {each.outcome}")
    return "\n".join([f"{detector}:", *lines])


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--detail", action="store_true", help="list every wrong or missing verdict")
    arguments = parser.parse_args()
    ensure_kernel(progress=lambda text: print(text, file=sys.stderr))
    cells = [(condition, seed) for condition in CONDITIONS for seed in arguments.seeds]
    judged: list[Judged] = []
    with ProcessPoolExecutor() as pool:
        for (condition, seed), found in zip(cells, pool.map(cell, *zip(*cells, strict=True)), strict=True):
            print(f"done: {condition}, seed {seed}", file=sys.stderr)
            judged += found
    print(table(judged))
    if arguments.detail:
        print("\n" + "\n".join(wrong(judged, detector) for detector in DETECTORS))


if __name__ == "__main__":
    main()
