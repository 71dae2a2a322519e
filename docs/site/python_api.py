"""The page of what can be called from Python; Sphinx reads signatures and docstrings when it makes the site."""

from __future__ import annotations

import inspect

import testbed
from docs.site.markdown import fenced
from testbed import errors

__all__ = ["python_page"]

_HEAD = """\
# Python

What `import testbed` has, and the errors that it raises. With examples:
[how to use it from Python](../../how-to/use-from-python.md).
What detectors are given and return: [how to write a detector](../../how-to/write-a-detector.md).
"""


def python_page() -> str:
    """Return the page: everything that ``testbed.__all__`` names, in its alphabetical order, functions first."""
    names = sorted(vars(testbed)["__all__"], key=lambda name: (name[0].isupper(), name))
    sections = [f"## testbed.{name}\n\n{_directive(name)}" for name in names]
    tree = fenced(inspect.getdoc(errors) or "")
    return "\n\n".join([_HEAD.rstrip(), *sections, "## Errors", tree, *map(_error, errors.__all__)]) + "\n"


def _error(name: str) -> str:
    return f"```{{eval-rst}}\n.. autoexception:: testbed.errors.{name}\n```"


def _directive(name: str) -> str:
    if not name[0].isupper():
        return f"```{{eval-rst}}\n.. autofunction:: testbed.{name}\n```"
    return f"```{{eval-rst}}\n.. autoclass:: testbed.{name}()\n   :members:\n   :undoc-members:\n```"
