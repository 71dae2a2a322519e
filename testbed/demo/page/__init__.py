"""The page's own files, and how they are put together; nothing in them comes from anywhere else."""

from __future__ import annotations

from html import escape
from importlib import resources

from testbed.demo.scene import CAUSES, EVASION_NAMES, STOPS, SURPRISE, VOTES
from testbed.plain_text import html_text

__all__ = ["LIVE", "RECORDED", "index_html", "page_file", "page_html"]

LIVE = "live"
RECORDED = "recorded"


def page_html(mode: str, *, scripts: tuple[str, ...] = ()) -> str:
    """Return the page.

    Args:
        mode: `LIVE` or `RECORDED`.
        scripts: Addresses of scripts that carry recorded runs.
    """
    template = page_file("demo.html")
    causes = [(name, cause.title) for name, cause in CAUSES.items()] + [(SURPRISE, "a surprise, drawn by lot")]
    parts = {
        "MODE": mode,
        "SCRIPTS": "\n".join(f'<script src="{escape(each)}"></script>' for each in scripts),
        "CAUSES": _options(causes),
        "EVASIONS": _options([("", "none"), *((name, name) for name in EVASION_NAMES)]),
        "LAST_STOP": str(len(STOPS) - 1),
        "STOPS": "\n".join(f'<option value="{nth}" label="{stop.date[:4]}">{stop.date}: {escape(stop.about)}</option>'
                           for nth, stop in enumerate(STOPS)),
        "VOTES": "\n".join(f'<label><input type="radio" name="vote" value="{vote}"> {vote}</label>' for vote in VOTES),
    }  # fmt: skip
    for name, text in parts.items():
        template = template.replace(f"<!--{name}-->", text)
    return template


def page_file(name: str) -> str:
    """Return one of the page's own files."""
    return resources.files("testbed.demo.page").joinpath(name).read_text()


def index_html(runs: list[tuple[str, str]]) -> str:
    """Return a page that leads to those of recorded runs.

    Args:
        runs: File name without its ending, and title.
    """
    rows = "\n".join(f'<li><a href="{escape(name)}.html">{html_text(title)}</a></li>' for name, title in runs)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<title>Recorded runs</title><link rel="icon" href="data:,"><link rel="stylesheet" href="demo.css"></head>\n'
        f'<body><header><h1>Recorded runs</h1></header><main class="list"><ul>\n{rows}\n</ul></main></body></html>\n'
    )


def _options(pairs: list[tuple[str, str]]) -> str:
    return "\n".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in pairs)
