"""The page of all detectors with what their files say of the method and where it was published."""

from __future__ import annotations

import inspect
import re

from docs.site.markdown import as_text, fenced
from testbed.detectors.registry import BUILT_IN, load_detector

__all__ = ["detectors_page", "prose"]

_HEAD = """\
# Detector methods

What each detector does, how it differs from what was published, and where that was published: what
`testbed show DETECTOR` prints. How often each is right: [detectors](../detectors.md).
"""
_IN_COLUMNS = re.compile(r"\S {2,}\S|^ ", re.MULTILINE)


def detectors_page() -> str:
    """Return the page."""
    return "\n\n".join([_HEAD.rstrip(), *map(_section, BUILT_IN)]) + "\n"


def _section(name: str) -> str:
    detector = load_detector(name)
    method = inspect.getdoc(inspect.getmodule(type(detector))) or ""
    return f"## {name}\n\n**{as_text(detector.summary)}**\n\n{prose(method)}"


def prose(text: str) -> str:
    """Return a docstring as Markdown: paragraphs that flow, but what is laid out in columns stays so."""
    return "\n\n".join(
        fenced(part) if _IN_COLUMNS.search(part) else as_text(part.replace("``", "`")) for part in text.split("\n\n")
    )
