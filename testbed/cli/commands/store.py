"""Looking after what ``validate`` keeps: ``store du``, ``store gc`` and ``store verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.cli.progress import say, show
from testbed.errors import InputError
from testbed.validation.defaults import default_store
from testbed.validation.keeping.store import Store
from testbed.validation.keeping.upkeep import room, sweep, verify

if TYPE_CHECKING:
    import argparse

__all__ = ["store_command"]


def store_command(arguments: argparse.Namespace) -> int:
    """Say what the store takes, remove what is not used, or look for damage.

    Returns:
        0; 1 if something is damaged.
    """
    path = (arguments.store or default_store()).resolve()
    if not path.is_dir():
        raise InputError(f"there is no store {path}; testbed validate makes one")
    store = Store(path, lambda text: say(f"testbed: {text}"))
    if arguments.what == "du":
        taken = room(store)
        show(
            f"{path}\n"
            f"{taken.cells} runs ({taken.invalid} invalid): {_size(taken.cell_bytes)}\n"
            f"{taken.verdicts} verdicts: {_size(taken.verdict_bytes)}\n"
            f"{taken.folders} run directories of tests and parts of corpora: {_size(taken.folder_bytes)}"
        )
        return 0
    if arguments.what == "gc":
        swept = sweep(store, unused_days=arguments.unused_days, dry=arguments.dry_run)
        would = "would be " if arguments.dry_run else ""
        what = f"{swept.cells} runs, {swept.verdicts} verdicts and {swept.folders} folders"
        show(f"{what} {would}removed, {_size(swept.freed_bytes)}")
        return 0
    damaged = verify(store)
    for each in damaged:
        show(f"damaged, and removed: {each}")
    show(f"{len(store.all_keys())} runs and {len(store.verdict_paths())} verdicts are whole")
    return 1 if damaged else 0


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
