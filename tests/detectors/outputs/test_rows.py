from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from testbed.detectors.outputs.rows import DetectionRow, detection_rows_json
from testbed.detectors.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from pathlib import Path


def row(subject: str, **fields: float | str) -> DetectionRow:
    verdict = Verdict(detector="d", outcome=Outcome.THROTTLED, why=str(fields.pop("why", "so")), **fields)  # type: ignore[arg-type]
    return DetectionRow("here", subject, verdict, notes=("two records left out",))


def test_rows_become_json_with_every_field_of_the_verdict() -> None:
    (value,) = detection_rows_json([row("a", rate_bps=1.0)])
    assert json.loads(json.dumps(value)) == {
        "source": "here",
        "subject": "a",
        "detector": "d",
        "version": "1",
        "outcome": "throttled",
        "why": "so",
        "score": None,
        "rate_bps": 1.0,
        "burst_bytes": None,
        "mechanism": None,
        "content_specific": None,
        "onset_s": None,
        "details": {},
        "notes": ["two records left out"],
        "failed": False,
    }


def test_six_at_once_keep_all_their_verdicts(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir()
    (path / "manifest.json").write_text('{"format": 1, "state": "complete"}')
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from testbed.detectors.outputs.rows import DetectionRow, keep_verdicts\n"
        "from testbed.detectors.verdict import Outcome, Verdict\n"
        "run, name = Path(sys.argv[1]), sys.argv[2]\n"
        "for turn in range(20):\n"
        "    verdict = Verdict(detector=f'{name}-{turn}', outcome=Outcome.THROTTLED, why='so')\n"
        "    keep_verdicts(run, [DetectionRow(str(run), 'all', verdict)])\n"
    )
    children = [subprocess.Popen([sys.executable, "-c", program, str(path), str(number)]) for number in range(6)]
    assert [child.wait() for child in children] == [0] * 6
    kept = [json.loads(line)["detector"] for line in (path / "verdicts.jsonl").read_text().splitlines()]
    assert sorted(kept) == sorted(f"{number}-{turn}" for number in range(6) for turn in range(20))
