"""A small lab made by hand, and recordings of which nothing was run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.detectors.sources.observation_json import observation_to_json
from testbed.labs.lab import LabFile, load_lab
from tests.validation.cells import observation

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.labs.lot import Pick
    from testbed.labs.recording import Recording

__all__ = ["LAB", "Drawn", "made_lab"]

LAB = """\
format: 1
title: A small lab.
about: Two cases.
minutes: 5
needs: recordings
tested_on: [here]
scenario: classroom/two-phones
cases: 2
variants: 2
tries: [evade]
conditions:
  slow:
    about: The box.
    set: {censors.tspu: ru-tw-2021b, size: "{rate} kB"}
    draw: {rate: [100, 200, 300]}
    label: throttled
    answers: {cause: box, rate: "{rate}", names: [a.com, b.com], ways: [one, two], word: t.co}
  fast:
    about: Nothing.
    label: not throttled
    answers: {cause: "no", rate: 5, names: [], ways: [three], word: t.co}
questions:
  cause: {ask: "What is it?", kind: choice, choices: [box, "no", line], points: 2, hint: look again}
  rate: {ask: "How fast?", kind: number, unit: kbit/s, within: 0.1, points: 2, hint: count again}
  names: {ask: "Which?", kind: names, choices: [a.com, b.com, c.com], points: 4, hint: compare}
  ways: {ask: "How?", kind: some of, choices: [one, two, three], at_least: 1, tried: true, points: 3, hint: try it}
  word: {ask: "What word?", kind: text, points: 1, hint: read}
"""


def made_lab(folder: Path, text: str = LAB) -> LabFile:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lab.yaml").write_text(text)
    for sheet in ("student.md", "teacher.md"):
        (folder / sheet).write_text(f"# {sheet}\n")
    return load_lab(folder, "small")


class Drawn:
    """Recordings that are as their condition's label says: slow targets, or fast ones."""

    def get(self, lab: LabFile, pick: Pick) -> Recording:
        is_slow = lab.lab.conditions[pick.condition].label == "throttled"
        text = observation_to_json(observation(target_bps=100_000 if is_slow else 4e6))
        return {"line.observation.json": text.encode(), "line-client.pcapng": b"capture"}
