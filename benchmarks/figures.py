"""Put what the benchmarks print into the documents, and check that it is there as it was printed.

    python benchmarks/figures.py            run every benchmark that a document has a place for, and write
    python benchmarks/figures.py --only first_day
    python benchmarks/figures.py --check    run nothing: are the documents what was printed last?

A place in a document is all between ``<!-- figures: first_day -->`` and ``<!-- end of figures -->``. What a benchmark
printed is kept in ``results/figures/``. A figure that a sentence repeats is written and checked too; it stands between
``<!-- figure: first_day: NAME OF A ROW -->`` and ``<!-- / -->``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PRINTED = ROOT / "results" / "figures"
PLACE = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)
FIGURE = re.compile(r"(<!-- figure: (\w+): ([^>]+?) -->).*?(<!-- / -->)", re.DOTALL)


def documents(root: Path = ROOT) -> list[Path]:
    """Where figures may stand."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def benchmarks(root: Path = ROOT) -> list[str]:
    """Names of the benchmarks that the documents have places for."""
    texts = [path.read_text() for path in documents(root)]
    return sorted({match[2] for text in texts for pattern in (PLACE, FIGURE) for match in pattern.finditer(text)})


def filled(text: str, printed: Path = PRINTED) -> str:
    """A document with what was printed last in each place.

    Raises:
        SystemExit: A benchmark was never run, or has no such row.
    """

    def table(match: re.Match[str]) -> str:
        return f"{match[1]}{_printed(match[2], printed)}{match[3]}"

    def value(match: re.Match[str]) -> str:
        return f"{match[1]}{_row(match[2], match[3], printed)}{match[4]}"

    return FIGURE.sub(value, PLACE.sub(table, text))


def _printed(name: str, folder: Path) -> str:
    path = folder / f"{name}.md"
    if not path.exists():
        raise SystemExit(f"{name} was never run; run: make figures ONLY={name}")
    return path.read_text()


def _row(name: str, wanted: str, folder: Path) -> str:
    for line in _printed(name, folder).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == wanted:
            return cells[1]
    raise SystemExit(f"{name} prints no row {wanted!r}")


def run(name: str) -> None:
    """Run a benchmark and keep what it prints."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / f"{name}.py")], stdout=subprocess.PIPE, text=True, check=True
    )
    PRINTED.mkdir(parents=True, exist_ok=True)
    (PRINTED / f"{name}.md").write_text(done.stdout)


def main() -> int:
    """Run, write or check. Returns the exit status: 1 where a document differs from what was printed."""
    parser = argparse.ArgumentParser(description="Put the benchmarks' figures into the documents.")
    parser.add_argument("--only", default="", help="one benchmark instead of all")
    parser.add_argument("--check", action="store_true", help="run nothing, write nothing")
    options = parser.parse_args()
    if not options.check:
        for name in [options.only] if options.only else benchmarks():
            run(name)
    stale = [path for path in documents() if filled(path.read_text()) != path.read_text()]
    for path in stale:
        if options.check:
            sys.stderr.write(f"{path.relative_to(ROOT)} differs from what the benchmarks printed; run: make figures\n")
        else:
            path.write_text(filled(path.read_text()))
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
