"""Pages of what packaged censors rest on: every value with its grade and source, and a legend of the sources' keys."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from docs.site.markdown import as_text, code, table
from testbed.middlebox.profile.sources import SOURCES
from testbed.scenario import library
from testbed.scenario.profiles import load_profile

if TYPE_CHECKING:
    from testbed.scenario.evidence import Statement

__all__ = ["censors_page", "sources_page", "with_links"]

_CENSORS = """\
# Censors, value by value

Every packaged censor profile: what it does, and what each value rests on. The grades are those of
[profiles](../profile.md#values-and-their-evidence); what sources' keys stand for: [sources](sources.md).
`testbed show PROFILE` prints the same.
"""
_SOURCES = """\
# Sources

What the keys in profiles and in [conformance](../conformance.md) stand for.
A key is followed by the place in it: `X21 §6.2`.
"""
_KEY = re.compile(r"\b(?:" + "|".join(sorted(map(re.escape, SOURCES), key=len, reverse=True)) + r")\b")


def censors_page() -> str:
    """Return the page of profiles."""
    return "\n\n".join([_CENSORS.rstrip(), *map(_profile, library.names("profiles"))]) + "\n"


def sources_page() -> str:
    """Return the legend."""
    entries = [f"## {key}\n\n{as_text(source.title)}. <{source.url}>" for key, source in SOURCES.items()]
    return "\n\n".join([_SOURCES.rstrip(), *entries]) + "\n"


def with_links(text: str) -> str:
    """Return the text of a source as Markdown, each key a link to its place in the legend."""
    return _KEY.sub(lambda key: f"[{key[0]}](sources.md#{key[0].lower()})", as_text(text))


def _profile(name: str) -> str:
    found = load_profile(name)
    rows = map(_row, found.evidence)
    return f"## {name}\n\n{as_text(found.profile.summary)}\n\n{table(('key', 'value', 'grade', 'source'), rows)}"


def _row(statement: Statement) -> tuple[str, str, str, str]:
    value = statement.value if isinstance(statement.value, str) else json.dumps(statement.value, ensure_ascii=False)
    said = "; ".join(filter(None, (statement.source, statement.note)))
    return code(statement.key), code(value), statement.grade, with_links(said)
