"""Measurements that stand for several: ``repeat`` for one after the other, ``pair`` for a target with its control.

This happens to the document, before anything in it is checked: what a scenario may say of one measurement holds for
each that it stands for, and errors name the key that was written. Repetitions come before drawing, so that each draws
for itself; pairs come after it, so that target and control have what was drawn in common.
"""

from __future__ import annotations

import copy
import hashlib
from itertools import groupby
from random import Random
from typing import TYPE_CHECKING

from testbed.quantities import shown
from testbed.scenario.document import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.scenario.document import Document

__all__ = ["ORDERS", "PAIRED", "REPEATED", "expand_pairs", "expand_repetitions"]

MOST_REPETITIONS = 10_000  # of one measurement
MOST_MEASUREMENTS = 100_000  # of all: counted before they are written out
ORDERS = ("alternating", "target first", "control first", "shuffled")
"""Who of a pair comes first: in turn, always the same one, or as the seed says."""

REPEATED: dict[str, object] = {"repeat": {"type": "integer", "minimum": 1, "maximum": MOST_REPETITIONS}}
"""JSON Schema of the keys that every measurement may have, and that are gone before it is checked."""

PAIRED: dict[str, object] = {
    "pair": {
        "type": "object", "properties": {"target": {"type": "string"}, "control": {"type": "string"}},
        "required": ["target", "control"], "additionalProperties": False,
    },
    "order": {"enum": [*ORDERS]},
}  # fmt: skip
"""JSON Schema of the keys of a pair."""

_ROLES = ("target", "control")
Item = dict[str, object]


def expand_repetitions(document: Document) -> None:
    """Write out every measurement as often as its ``repeat`` says. Pauses stand between repetitions.

    Raises:
        ScenarioError: It is no number of times.
    """
    left = MOST_MEASUREMENTS

    def repeated(index: int, item: Item) -> list[Item]:
        nonlocal left
        times = item.pop("repeat", 1)  # a number, and none that is drawn: it decides how much there is to draw
        if isinstance(times, bool) or not isinstance(times, int) or not 1 <= times <= MOST_REPETITIONS:
            problem = f"expected a whole number from 1 to {MOST_REPETITIONS}, got {shown(times)}"
            raise document.error(("measurements", index, "repeat"), problem)
        left -= times
        if left < 0:
            problem = f"more than {MOST_MEASUREMENTS} measurements in all; use several runs (--seed 1-30)"
            raise document.error(("measurements", index, "repeat"), problem)
        return [item] if times == 1 else [copy.deepcopy(item) for _ in range(times)]

    _expand(document, repeated)
    # Those of one measurement stand beside each other.
    groups = [list(group) for _, group in groupby(document.sources.get("measurements", []))]
    document.sources["measurements"] = [
        source._replace(nth=nth) for group in groups for nth, source in enumerate(group)
    ]


def expand_pairs(document: Document, seed: int) -> None:
    """Write out every pair as a fetch with the role target and one with the role control.

    Args:
        document: Changed in place.
        seed: Of the run; for pairs whose order is shuffled.

    Raises:
        ScenarioError: A pair lacks one of the two, or its order is none.
    """

    def paired(index: int, item: Item) -> list[Item]:
        nth = document.sources["measurements"][index].nth
        if "pair" not in item:
            return [item]
        pair, order = item.pop("pair"), item.pop("order", ORDERS[0])
        if not isinstance(pair, dict) or set(pair) != set(_ROLES):
            raise document.error(("measurements", index, "pair"), f"expected a target and a control, got {shown(pair)}")
        if order not in ORDERS:
            raise document.error(
                ("measurements", index, "order"), f"expected one of {', '.join(ORDERS)}, got {shown(order)}"
            )
        for key in {"fetch", "role"} & set(item):
            raise document.error(("measurements", index, key), "a pair says this already; remove it")
        # The lot is drawn by the place in the list: another seed shuffles anew, a key elsewhere does not.
        roles = _in_order(str(order), nth, f"{seed} {index}")
        # Only the first of a pair waits: the two are to see the same network.
        first, second = ({**item, "fetch": pair[role], "role": role} for role in roles)
        second.pop("pause", None)
        return [first, second]

    _expand(document, paired)


def _in_order(order: str, nth: int, lot: str) -> tuple[str, str]:
    is_turned = {
        "alternating": nth % 2 == 1,
        "target first": False,
        "control first": True,
        "shuffled": Random(hashlib.sha256(lot.encode()).digest()).random() < 0.5,  # noqa: S311, PLR2004 - a fair lot
    }[order]
    return (_ROLES[1], _ROLES[0]) if is_turned else _ROLES


def _expand(document: Document, expand: Callable[[int, Item], list[Item]]) -> None:
    """Put what each measurement stands for in its place, and remember where it was written."""
    listed = document.data.get("measurements")
    if not isinstance(listed, list):
        return  # the model says what is wrong
    found: list[object] = []
    before = document.sources.get("measurements") or [Source(index) for index in range(len(listed))]
    sources: list[Source] = []
    for index, item in enumerate(listed):
        items = expand(index, dict(item)) if isinstance(item, dict) else [item]
        found += items
        sources += [before[index]] * len(items)
    document.data["measurements"] = found
    document.sources["measurements"] = sources
