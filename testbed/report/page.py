"""The HTML page of a run: one file, no script, everything escaped."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING

from testbed.errors import RecordError
from testbed.plain_text import html_text, one_line
from testbed.quantities import format_rate
from testbed.records.clock import iso_time
from testbed.records.files import read_regular, write_atomically
from testbed.records.run import RunDirectory
from testbed.records.standing import MALFORMED, require_standing
from testbed.report.figures import write_figures
from testbed.report.lay_summary import lay_summary
from testbed.report.published import Comparison, compare_with_published
from testbed.report.table import ground_truth, transfer_table
from testbed.report.verdicts import STYLE as VERDICT_STYLE
from testbed.report.verdicts import verdict_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from testbed.records.manifest import Manifest, TransferSummary
    from testbed.records.verdicts import VerdictRecord

__all__ = ["write_report"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.2rem }
table { border-collapse: collapse; width: 100%; font-size: 13.5px }
th, td { text-align: left; padding: .28rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top }
td.number { text-align: right; white-space: nowrap } tr.first td { border-top: 2px solid #999 }
.throttled { color: #c0392b; font-weight: 600 } .note { color: #666; font-size: 13px } .bad { color: #c0392b }
img { max-width: 100% } .banner { padding: .6rem 1rem; border-radius: 4px; background: #eef5ee }
.banner.bad { background: #fbeaea }
.lay { font-size: 1.15rem } .lay p { margin: .4rem 0 } .wide { overflow-x: auto } p, li { overflow-wrap: anywhere }
@media print { body { margin: 0; max-width: none } img, tr { break-inside: avoid } .wide { overflow: visible } }
"""
# a single reading has no range, and "no" would be said of every run
_AGREES = {True: "yes", False: "no", None: "–"}


def write_report(
    path: Path, output: Path, *, even_if_invalid: bool = False, tell: Callable[[str], None] = lambda _: None
) -> list[Path]:
    """Write page, figures, table and comparison of a run.

    Args:
        path: The run directory.
        output: Folder to write to; made if need be.
        even_if_invalid: Whether a run will do that must not be scored; the page then says why.
        tell: Is told the same, in sentences.

    Returns:
        The files written: ``report.html`` first.

    Raises:
        InvalidRunError: The run is invalid, not complete, or was changed.
        RecordError: No run directory, one that came to nothing or contradicts its format, or a folder that cannot be
            written.
    """
    run = RunDirectory.open(path)
    # Asked before anything is drawn: a page of an invalid run looks like any other.
    doubts = require_standing(run, even_if_invalid=even_if_invalid)
    for sentence in doubts:
        tell(f"{path}: do not score this run: {sentence}")
    manifest = run.manifest()
    if "transfers" not in manifest or "certificate" not in manifest:
        raise RecordError(f"{path}: the run is incomplete; its records can be read, but there is no report")
    try:
        return _write(run, manifest, doubts, output)
    except OSError as error:
        raise RecordError(f"cannot write to {output}: {error.strerror}") from error
    except MALFORMED as error:
        raise RecordError(f"{path}: its records contradict the run format: {error!r}; run it again") from error


def _write(run: RunDirectory, manifest: Manifest, doubts: list[str], output: Path) -> list[Path]:
    transfers = manifest["transfers"]
    output.mkdir(parents=True, exist_ok=True)
    # Figures first: the page holds them.
    figures = write_figures(run, transfers, output)
    comparisons = compare_with_published(run, transfers)
    files = {
        "report.html": _page(
            manifest,
            verdicts=run.verdicts(),
            figures=figures,
            comparisons=comparisons,
            folder=output,
            doubts=doubts,
        ),
        "table.txt": transfer_table(manifest) + "\n",
        "published.md": _markdown(comparisons),
    }
    for name, text in files.items():
        write_atomically(output / name, text)
    drawn = [output / name for svg in figures.values() for name in (svg, svg.replace(".svg", ".png"))]
    return [output / name for name in files] + drawn


def _page(
    manifest: Manifest,
    *,
    verdicts: list[VerdictRecord],
    figures: dict[str, str],
    comparisons: list[Comparison],
    folder: Path,
    doubts: list[str],
) -> str:
    transfers = manifest["transfers"]
    body = [
        f"<h1>{html_text(manifest['title'])}</h1>",
        '<div class="lay">',
        *(f"<p>{html_text(sentence)}</p>" for sentence in lay_summary(manifest)),
        "</div>",
        _banner(manifest, doubts),
        *(f'<p class="note">{html_text(note)}</p>' for note in manifest.get("notes", [])),
    ]
    for title, name in figures.items():
        # in the page itself: it is sent around as one file. As an image, an SVG may not run anything.
        data = base64.b64encode(read_regular(folder / name)).decode()
        body.append(f"<h2>{html_text(title)}</h2>")
        body.append(f'<img alt="{html_text(title)}" src="data:image/svg+xml;base64,{data}">')
    body += ["<h2>Who was throttled</h2>", _transfers(transfers)]
    if comparisons:
        body += ["<h2>Beside the published figures</h2>", _comparisons(comparisons)]
    if judged := verdict_table(transfers, verdicts):
        body += ["<h2>What detectors said</h2>", judged]
    body += ["<h2>Validity certificate</h2>", _certificate(manifest)]
    title = html_text(manifest["title"])
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>'
        f"<style>{_STYLE}{VERDICT_STYLE}</style></head>\n<body><main>\n" + "\n".join(body) + "\n</main></body></html>\n"
    )


def _banner(manifest: Manifest, doubts: list[str]) -> str:
    facts = (
        f"scenario {manifest['scenario']}, starting {iso_time(manifest['start_ns'])[:19]} UTC, "
        f"seed {manifest['seed']}, engine {manifest['engine']}, kernel {manifest['kernel']['hash']}: "
        f"{manifest['emulated_s']:.0f} emulated seconds in {manifest['wall_s']:.1f} s"
    )
    if manifest["valid"] and not doubts:
        return f'<p class="banner">Valid run. {html_text(facts)}</p>'
    problems = "".join(f"<li>{html_text(problem)}</li>" for problem in doubts or manifest["problems"])
    return f'<div class="banner bad">Invalid run: do not score it.<ul>{problems}</ul>{html_text(facts)}</div>'


def _transfers(transfers: list[TransferSummary]) -> str:
    published = any("published" in transfer for transfer in transfers)
    rows = []
    previous = None
    for transfer in transfers:
        truth = html_text(ground_truth(transfer))
        if transfer["throttled"]:
            cause = html_text(f"by rule {transfer['rule']}, {transfer['drops']} packets dropped")
            truth = f'<span class="throttled">throttled</span> {cause}'
        goodput = format_rate(transfer["goodput_bps"]) if transfer["ok"] and transfer["goodput_bps"] else "failed"
        duration = f"{transfer['duration_s']:.1f} s" if transfer["duration_s"] is not None else "–"
        first = ' class="first"' if transfer["line"] != previous else ""
        rows.append(
            f"<tr{first}>{_cells(transfer['line'], transfer['name'], transfer['role'])}"
            f'<td class="number">{goodput}</td>'
            f'<td class="number">{duration}</td>{_cells(transfer.get("published", "–")) if published else ""}'
            f"<td>{truth}</td></tr>"
        )
        previous = transfer["line"]
    head = ("line", "transfer", "role", "goodput", "time", *(("published",) if published else ()), "ground truth")
    return _table(head, rows)


def _comparisons(comparisons: list[Comparison]) -> str:
    rows = [
        f"<tr>{_cells(each.quantity, each.published, each.source, each.ours, _AGREES[each.agrees])}</tr>"
        for each in comparisons
    ]
    note = (
        '<p class="note">X21: Xue et al., Throttling Twitter, ACM IMC 2021. “(figure)”: read off a published figure, '
        "to about 5 %; a single reading has no range to agree with.</p>"
    )
    return _table(("quantity", "published", "source", "ours", "agrees"), rows) + note


def _certificate(manifest: Manifest) -> str:
    certificate = manifest["certificate"]
    network = certificate["network"]
    as_planned = (
        f"{network['interfaces']} interfaces, {network['netem']} delays, {network['rates']} rates, "
        f"{network['congestion_control']} congestion controls as planned; offloads off"
    )
    found = [("network read back", as_planned)]
    for name, counts in certificate["captures"].items():
        found.append((f"capture {name}", f"{counts['captured']} packets, {counts['dropped']} lost"))
    # Both witnesses' counts, though they agree: a reader should see that there were two.
    for box, agreed in certificate["agreement"].items():
        only_one = agreed["only_log"] + agreed["only_captures"]
        drops = (
            f"{agreed['logged']} drops in the log, {agreed['dropped']} by the captures, {only_one} in one of them only"
        )
        found.append((box, drops))
    found += [(f"{each['check']}: {each['state']}", each["about"]) for each in manifest.get("checks", [])]
    return _table(("what", "found"), [f"<tr>{_cells(*each)}</tr>" for each in found])


def _cells(*texts: str) -> str:
    return "".join(f"<td>{html_text(text)}</td>" for text in texts)


def _table(head: Iterable[str], rows: Sequence[str]) -> str:
    cells = "".join(f'<th scope="col">{html_text(name)}</th>' for name in head)
    # On a phone a wide table is moved sideways inside its place, by a finger or by the keyboard.
    return f'<div class="wide" tabindex="0"><table><tr>{cells}</tr>\n' + "\n".join(rows) + "</table></div>"


def _markdown(comparisons: list[Comparison]) -> str:
    lines = ["| quantity | published | source | ours | agrees |", "|---|---|---|---|---|"]
    for each in comparisons:
        cells = (each.quantity, each.published, each.source, each.ours, _AGREES[each.agrees])
        lines.append(f"| {' | '.join(one_line(escape(cell, quote=False)).replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(lines) + "\n"
