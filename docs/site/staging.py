"""Copies what the site shows into one folder, laid out as the repository is, so that links stay as they are.

Pages link to files beside them and outside `docs/`. Whatever a page of the site links to comes along: pages as pages,
other files to look at or download. A link to a folder, which a Git host shows as a list, leads to a page that lists it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from docs.site.command_line import commands_page
from docs.site.detectors import detectors_page
from docs.site.evidence import censors_page, sources_page
from docs.site.python_api import python_page
from docs.site.schemas import profile_page, scenario_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["GENERATED", "LINK", "ROOT", "pages", "stage"]

ROOT: Final = Path(__file__).resolve().parents[2]
LINK: Final = re.compile(r"\]\((?!\w+:)(?P<path>[^)#\s]+)(?P<rest>[^)]*)\)")

_PAGES = (
    "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/**/*.md", "results/*.md", "results/*/*.md", "labs/**/*.md",
    "examples/*/README.md",
)  # fmt: skip
_LEFT_OUT = (ROOT / "results/runs", ROOT / "results/figures")  # not published; tables that stand in other pages
_FRONT_PAGE = ROOT / "docs/site/front-page.txt"
_PICTURES = {".svg", ".png", ".gif"}
_LANGUAGES = {".py": "python", ".toml": "toml", ".yaml": "yaml"}

GENERATED: Final[dict[str, Callable[[], str]]] = {
    "docs/reference/generated/commands.md": commands_page,
    "docs/reference/generated/scenario-keys.md": scenario_page,
    "docs/reference/generated/profile-keys.md": profile_page,
    "docs/reference/generated/python.md": python_page,
    "docs/reference/generated/detector-methods.md": detectors_page,
    "docs/reference/generated/censors.md": censors_page,
    "docs/reference/generated/sources.md": sources_page,
}
"""Pages made of code and schemas: where they come to lie, and what makes them."""


def pages() -> list[Path]:
    """Return the pages of the repository that the site has, from the root."""
    found = {path for pattern in _PAGES for path in ROOT.glob(pattern) if not any(map(path.is_relative_to, _LEFT_OUT))}
    return sorted(path.relative_to(ROOT) for path in found)


def stage(folder: Path) -> None:
    """Make the folder hold the site's pages and what they link to, and nothing else."""
    staged = {path.as_posix(): (ROOT / path).read_bytes() for path in pages()}
    for name in list(staged):
        for path in _linked(name, staged[name].decode()):
            target = ROOT / path
            if target.is_dir():
                staged |= _listed(path)
            elif path not in staged:
                staged[path] = target.read_bytes()
    for name, content in staged.items():
        if name.endswith(".md"):
            staged[name] = _with_title(name, _with_pages_for_folders(name, content.decode())).encode()
    staged["index.md"] = _FRONT_PAGE.read_bytes()
    staged |= {name: make().encode() for name, make in GENERATED.items()}
    _write(folder, staged)


def _linked(name: str, text: str) -> Iterator[str]:
    """Yield the files and folders that a page links to, from the root. What is not there Sphinx will say."""
    for link in LINK.finditer(text):
        target = ((ROOT / name).parent / link["path"]).resolve()
        if target.exists() and target.is_relative_to(ROOT):
            yield target.relative_to(ROOT).as_posix()


def _with_pages_for_folders(name: str, text: str) -> str:
    def lead(link: re.Match[str]) -> str:
        path = link["path"]
        return f"]({path.rstrip('/')}/index.md{link['rest']})" if ((ROOT / name).parent / path).is_dir() else link[0]

    return LINK.sub(lead, text)


def _with_title(name: str, text: str) -> str:
    """Return a page with a heading of its own. Tables that commands write have none: they are called as their file."""
    title = Path(name).stem.replace("-", " ").capitalize()
    return text if re.search(r"^# ", text, re.MULTILINE) else f"# {title}\n\n{text}"


def _listed(folder: str) -> dict[str, bytes]:
    """Return the page of a folder, and the pictures that it shows."""
    files = sorted(path for path in (ROOT / folder).iterdir() if path.is_file() and not path.name.startswith("."))
    lines = [f"# Files in {folder}", "", f"What the folder `{folder}/` of the repository has."]
    shown: dict[str, bytes] = {}
    for path in files:
        lines += ["", f"## {path.name}", ""]
        if path.suffix in _PICTURES:
            lines += [f"![{path.stem.replace('-', ' ')}]({path.name})"]
            shown[f"{folder}/{path.name}"] = path.read_bytes()
        elif path.suffix == ".md":
            lines += [f"[{path.stem}]({path.name})"]
        elif path.suffix in {*_LANGUAGES, ".txt"}:
            lines += [f"```{_LANGUAGES.get(path.suffix, 'text')}", path.read_text().rstrip("\n"), "```"]
    return shown | {f"{folder}/index.md": "\n".join([*lines, ""]).encode()}


def _write(folder: Path, staged: dict[str, bytes]) -> None:
    """Write what differs, and remove what is no longer there: Sphinx reads again only what is newer."""
    for path in list(folder.rglob("*")):
        if path.is_file() and path.relative_to(folder).as_posix() not in staged:
            path.unlink()
    for name, content in staged.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
