"""Asks detectors of another version of the testbed, in whose interpreter this file is run as a program.

It leans on nothing of this version. Each line of standard input is a JSON object with ``observation`` (the path of a
compressed file) and ``detectors``; each line of the answer has ``outcomes``, a letter for each detector.
"""

import gzip
import json
import sys

from testbed.detectors.detect import judge
from testbed.detectors.sources.observation_json import observation_from_json

_LETTERS = {"throttled": "T", "not throttled": "N", "inconclusive": "I"}


def _main() -> None:
    for line in sys.stdin:
        task = json.loads(line)
        with gzip.open(task["observation"], "rt", encoding="utf-8") as file:
            observation = observation_from_json(file.read())
        letters = []
        for name in task["detectors"]:
            verdict, failed = judge(name, observation)
            letters.append("F" if failed else _LETTERS[str(verdict.outcome)])
        sys.stdout.write(json.dumps({"outcomes": "".join(letters)}) + "\n")


if __name__ == "__main__":
    _main()
